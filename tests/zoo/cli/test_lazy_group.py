"""The group of commands builds what is called, and its help needs no command and no library."""

from __future__ import annotations

import subprocess
import sys

import typer
import typer.main
from typer.testing import CliRunner

from tests.support.tiny import ROOT
from zoo.cli.lazy_group import lazy_group


class NeverInspected:
    """A command that cannot be built: it has no parameters that Typer could inspect."""

    __doc__ = """First paragraph,
    which goes on.

    Second paragraph."""

    @property
    def __signature__(self) -> None:
        raise AssertionError("a command that was not called is built")

    def __call__(self) -> None:
        raise AssertionError("a command that was not called runs")


def greet(name: str) -> None:
    """Greet somebody."""
    print(f"hello {name}")


def group() -> typer.Typer:
    app = typer.Typer(cls=lazy_group({"greet": greet, "other": NeverInspected()}), rich_markup_mode=None)
    app.callback()(lambda: None)
    return app


def test_only_the_called_command_is_built() -> None:
    done = CliRunner().invoke(group(), ["greet", "you"])
    assert (done.exit_code, done.output) == (0, "hello you\n")


def test_help_lists_every_command_in_order_with_its_whole_first_paragraph() -> None:
    lines = CliRunner().invoke(group(), ["--help"]).output.splitlines()
    assert [" ".join(line.split()) for line in lines[lines.index("Commands:") + 1 :]] == [
        "greet Greet somebody.",
        "other First paragraph, which goes on.",
    ]


def test_an_unknown_command_is_answered_with_the_nearest_one() -> None:
    done = CliRunner().invoke(group(), ["great"])
    assert done.exit_code == 2
    assert "'greet'" in done.output


def test_help_of_the_program_loads_no_library_that_draws() -> None:
    code = (
        "import sys; from zoo.cli.app import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print('HEAVY', sorted({'rich', 'yaml', 'pydantic', 'numpy'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "bench" in done.stdout
    assert done.stderr.strip() == "HEAVY []"

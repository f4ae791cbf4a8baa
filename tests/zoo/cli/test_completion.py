"""The shell completes names of cards, runs, protocols, spaces and claims."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark.runs.storage.store import Store
from tests.support.stored import keep
from tests.support.tiny import ROOT
from zoo.cli.app import app
from zoo.models.catalog import load_cards

Complete = Callable[[str], list[str]]


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Complete:
    """What bash is offered for a line, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def offered(line: str) -> list[str]:
        words = line.split(" ")
        env = {"_ZOO_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        done = CliRunner().invoke(app, [], env=env, prog_name="zoo")
        assert done.exit_code == 0, done.output
        return done.output.split()

    return offered


@pytest.mark.parametrize("command", ["cards", "bench", "search"])
def test_cards_are_completed(command: str, complete: Complete) -> None:
    assert complete(f"zoo {command} ") == sorted(load_cards())
    assert complete(f"zoo {command} attempt-6b") == ["attempt-6b", "attempt-6b-caffe"]


def test_cards_of_other_folders_are_completed_and_a_named_one_is_not_offered_again(
    complete: Complete, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "attempt-99.yaml").write_text("not: [read", encoding="utf-8")
    assert complete("zoo bench --cards mine attempt-9") == ["attempt-99"]
    assert complete("zoo bench attempt-6b attempt-6b") == ["attempt-6b-caffe"]


@pytest.mark.parametrize("command", ["show", "predict", "export", "compare"])
def test_runs_are_completed_by_id_and_by_card(command: str, complete: Complete, tmp_path: Path) -> None:
    store = Store(tmp_path / "kept")
    ids = sorted(keep(store, "attempt-1", seed=seed).run_id for seed in (0, 1))
    assert complete(f"zoo {command} --store kept att") == ["attempt-1"]
    assert complete(f"zoo {command} --store kept {ids[0][:5]}") == [ids[0]]
    assert set(complete(f"zoo {command} --store kept ")) == {"attempt-1", *ids}


def test_a_damaged_run_or_no_store_is_no_error_on_a_press_of_the_tab_key(complete: Complete, tmp_path: Path) -> None:
    assert complete("zoo show ") == []
    (tmp_path / "runs" / "0123456789ab").mkdir(parents=True)
    (tmp_path / "runs" / "0123456789ab" / "run.json").write_text("{", encoding="utf-8")
    assert complete("zoo show ") == []


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("zoo bench --protocol pub", ["published"]),
        ("zoo search attempt-1 --space scr", ["scratch_cnn"]),
        ("zoo audit pneu", ["pneumonia_report"]),
        ("zoo schema c", ["card", "claims", "classes"]),
        ("zoo tr", ["track"]),
    ],
)
def test_names_that_are_built_in_are_completed(line: str, offered: list[str], complete: Complete) -> None:
    assert complete(line) == offered


def test_files_are_completed_where_a_file_may_be_given(complete: Complete, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    (tmp_path / "mine.txt").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "deep.yml").touch()
    assert complete("zoo bench --protocol mi") == ["mine.yaml"]
    assert complete("zoo bench --protocol ./fo") == ["./folder/"]
    assert complete("zoo bench --protocol ./folder/") == ["./folder/deep.yml"]


def test_completion_can_be_shown_for_bash_and_loads_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import os, sys\n"
        "os.environ |= {'_ZOO_COMPLETE': 'complete_bash', 'COMP_WORDS': 'zoo bench a', 'COMP_CWORD': '2'}\n"
        "from zoo.cli.app import app\n"
        "try: app(prog_name='zoo')\n"
        "except SystemExit: pass\n"
        "print('HEAVY', sorted({'keras', 'numpy', 'pyarrow', 'sklearn', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")  # whatever runs the tests
    script = CliRunner().invoke(app, ["--show-completion"], prog_name="zoo")
    assert script.exit_code == 0
    assert "_ZOO_COMPLETE=complete_bash" in script.output

"""The documentation: it builds without a warning, its commands run, its lists are the program's."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest
from command_pages import commands

from benchmark.evidence.calibration.calibrators import METHODS
from benchmark.evidence.calibration.scaling import SCALINGS
from benchmark.evidence.comparison.verdict import VERDICTS
from benchmark.evidence.decisions.rules import FACTS, RULES
from benchmark.evidence.diagnosis.diagnoses import FINDINGS
from benchmark.evidence.metrics.registry import metrics
from benchmark.evidence.thresholds.rules import get_rule, rule_names
from reports.audit.figures import KINDS, SEVERITIES
from reports.claims.statement import CombinedAssertion
from tests.support.forked import run_forked
from tests.support.guides import write_guide_images
from tests.support.tiny import ROOT, environment

DOCS = ROOT / "docs"
PAGES = tuple(sorted(path for path in DOCS.rglob("*.md") if path.parent.name != "example"))
BUILD = "sphinx-build -W -q -b html docs build/docs"
SET_UP = ("python3 -m venv .venv", ".venv/bin/pip install -e '.[offline,search]'")
"""What has to be there before a test can run at all."""
EXAMPLE = ("zoo bench --all", "zoo report --out docs/example")
"""What made the example: minutes. `test_end_to_end` runs the first on smaller images, the tutorial the second."""
CHEAPER: Mapping[str, Mapping[str, str]] = {
    "tutorial.md": {
        "attempt-6b": "attempt-1-no-augmentation",
        "image_size: 64": "image_size: 32",
        "epochs: 8": "epochs: 1",
    },
    "serving.md": {"attempt-6b": "attempt-1-no-augmentation"},
    "guides/which-recipe.md": {
        "zoo bench --all": "zoo bench constant pixels-logistic --keep-models",  # so that later runs are reused
        " --seeds 3": "",
        "vgg16-finetuned": "pixels-logistic",
        "curve vgg16-probe": "curve pixels-logistic --draws 1",
        "vgg16-probe": "pixels-logistic",
        "small-cnn": "constant",
        "image_size: 160": "image_size: 32",
    },
    "guides/guaranteed-sensitivity.md": {
        "vgg16-probe": "small-cnn",
        "image_size: 160": "image_size: 32",
        "views: 2": "views: 1\nmax_epochs: 1",
    },
    "guides/published-figures.md": {"small-cnn": "pixels-logistic", " --seeds 3": ""},
}
"""What is replaced before a page is run, so that it takes seconds: a smaller network, fewer and smaller passes."""
TOGETHER: Mapping[str, tuple[str, ...]] = {
    "tutorial": ("index.md", "tutorial.md", "serving.md"),
    "guides": tuple(f"guides/{page}.md" for page in ("which-recipe", "guaranteed-sensitivity", "published-figures")),
    "look-up": ("audit.md", "commands.md", "python.md", "statistics/sample_size.md"),
    "extend": tuple(
        f"extend/{page}.md"
        for page in ("index", "sources", "protocols", "cards", "builders", "metrics", "spaces", "claims")
    ),
}
"""Pages whose commands are run in one folder, in the order in which they stand."""
IMAGES: Mapping[str, Callable[[Path], None]] = {"guides": write_guide_images}
"""What writes the images that a reader of these pages brings along."""


@dataclass(frozen=True)
class File:
    """A block whose first line names the file that it is."""

    name: str
    text: str


@dataclass(frozen=True)
class Command:
    """A line after `$ `, and the lines of output that the page shows under it."""

    line: str
    shown: tuple[str, ...]


def fences(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of every fenced block."""
    for match in re.finditer(r"^```([^\n]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S):
        yield match[1].strip(), match[2]


def steps(page: Path, replaced: Mapping[str, str] = MappingProxyType({})) -> Iterator[File | Command]:
    """Files to write and commands to run, in order."""
    for language, text in fences(page):
        for old, new in replaced.items():
            text = text.replace(old, new)
        named = re.match(r"# ([\w./-]+\.(?:yaml|py|toml))\n", text)
        if language in ("yaml", "python", "toml") and named:
            yield File(named[1], text)
        if language == "console":
            for entry in re.split(r"^\$ ", text, flags=re.M)[1:]:
                line, *shown = entry.rstrip("\n").replace("\\\n", "").split("\n")
                yield Command(line, tuple(shown))


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def headings(name: str, level: int) -> list[str]:
    return [found.strip("` ") for found in re.findall(rf"^#{{{level}}} (.+)$", page(name), re.M)]


def first_column(name: str, header: str) -> list[str]:
    """What stands in backticks in the first column of the table that begins with `header`."""
    table = page(name).split(f"| {header} |", 1)[1].split("\n\n", 1)[0]
    return [name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_every_verdict_has_an_entry_and_no_entry_is_of_another() -> None:
    entries = [heading for heading in headings("verdicts.md", 2) if heading[0].islower()]
    assert sorted(entries) == sorted(VERDICTS)


def test_every_diagnosis_has_an_entry_with_the_program_s_own_words() -> None:
    entries = [heading for heading in headings("diagnoses.md", 2) if heading[0].islower()]
    assert sorted(entries) == sorted(FINDINGS)
    text = page("diagnoses.md")
    for code, means in FINDINGS.items():
        entry = text.split(f"## `{code}`", 1)[1].split("\n## ", 1)[0]
        assert f"**Means** {means}" in " ".join(entry.split()), code
        assert all(f"**{part}**" in entry for part in ("Rule", "Test")), code


def test_every_kind_of_audit_finding_has_an_entry() -> None:
    assert sorted(first_column("audit.md", "kind")) == sorted(KINDS)
    assert first_column("audit.md", "severity") == list(SEVERITIES)


def test_every_metric_rule_and_calibrator_has_an_entry() -> None:
    assert sorted(first_column("statistics/intervals.md", "metric")) == sorted(metrics())
    assert sorted(first_column("statistics/thresholds.md", "rule")) == sorted(rule_names())
    for rule in rule_names():
        assert f"| `{rule}` | {get_rule(rule).optimises}" in page("statistics/thresholds.md")
    assert sorted(first_column("statistics/calibration.md", "method")) == sorted(METHODS)


def test_every_scaling_of_several_classes_is_listed() -> None:
    assert first_column("statistics/calibration.md", "scaling") == list(SCALINGS)


def test_every_decision_rule_has_a_row_and_an_entry() -> None:
    assert first_column("statistics/decisions.md", "decision rule") == list(RULES)
    assert [heading for heading in headings("statistics/decisions.md", 2) if heading in RULES] == list(RULES)
    assert all(f"`{facts.example}`" in page("statistics/decisions.md") for facts in FACTS.values())


def test_every_form_of_statement_has_an_entry() -> None:
    named = {entry.split(":")[0] for entry in first_column("extend/claims.md", "form")}
    assert named == set(CombinedAssertion.model_fields)


def test_every_command_has_an_entry() -> None:
    assert sorted(re.findall(r"^```\{zoo-command\} (.+)$", page("commands.md"), re.M)) == sorted(commands())


def test_the_front_page_names_only_commands_that_there_are() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`zoo ([a-z]+)", text)) <= {name.split()[0] for name in commands()}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_a_page_names_only_commands_and_options_that_there_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    known = {name.split()[0] for name in commands()}
    assert set(re.findall(r"`zoo ([a-z]+)", text)) <= known
    options = {option for command in commands().values() for p in command.params for option in p.opts}
    options |= {"--version", "--help", "--install-completion", "--show-completion"}
    code = [code for code in re.findall(r"`([^`\n]+)`", text) if code.startswith(("zoo ", "--"))]
    said = {word for each in code for word in re.findall(r"(?<![\w-])--[a-z-]+", each)}
    assert said <= options


def test_every_source_that_the_code_cites_is_listed() -> None:
    listed = page("statistics/references.md")
    rows = [row for row in listed.splitlines() if row.startswith("| ")]
    cited = {
        (name, year)
        for folder in ("benchmark", "reports")
        for path in (ROOT / folder).rglob("*.py")
        for name, year in re.findall(
            r"\b([A-Z][a-z]+)(?: et al\.| and [A-Z][a-z]+)? (?:\()?((?:19|20)\d\d)\b", path.read_text(encoding="utf-8")
        )
    }
    assert len(cited) > 25
    missing = [
        f"{name} {year}"
        for name, year in sorted(cited)
        if not any(_surname(name) in row and f"({year})" in row for row in rows)
    ]
    assert not missing


def _surname(name: str) -> str:
    return {"Blasiok": "Błasiok", "Hajek": "Hájek"}.get(name, name)  # the code keeps to ASCII


def test_every_page_s_commands_are_run() -> None:
    run = {name for pages in TOGETHER.values() for name in pages}
    with_commands = {path.relative_to(DOCS).as_posix() for path in PAGES if any(map(_is_command, steps(path)))}
    assert with_commands - run == {"design.md", "example.md"}  # the build has a test of its own
    assert _lines("design.md") == [BUILD]
    assert _lines("example.md") == list(EXAMPLE)
    assert set(SET_UP) <= set(_lines("index.md"))
    for where, replaced in CHEAPER.items():
        assert all(old in page(where) for old in replaced)


def _lines(name: str) -> list[str]:
    return [step.line for step in steps(DOCS / name) if isinstance(step, Command)]


def _is_command(step: File | Command) -> bool:
    return isinstance(step, Command)


def _holds(output: str, line: str) -> bool:
    """Whether the words of `line` stand in `output` in their order; `...` is anything."""
    pieces = [re.escape(" ".join(piece.split())) for piece in line.split("...")]
    return re.search(".*".join(pieces), " ".join(output.split())) is not None


def _run(words: list[str], folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    if words[0] == "zoo":
        return run_forked(words[1:], folder, env)
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", TOGETHER)
def test_the_commands_of_the_pages_run(name: str, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    binaries = Path(sys.executable).parent
    env = environment(tmp_path / "cache") | {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{packages}",
        "COLUMNS": "160",
        # `pip install` of a page goes into a folder of its own, and looks nothing up.
        "PIP_TARGET": str(packages),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    folder = tmp_path / "folder"
    folder.mkdir()
    IMAGES.get(name, lambda _: None)(folder)
    for where in TOGETHER[name]:
        for step in steps(DOCS / where, CHEAPER.get(where, {})):
            if isinstance(step, File):
                (folder / step.name).parent.mkdir(parents=True, exist_ok=True)
                (folder / step.name).write_text(step.text, encoding="utf-8")
            elif step.line not in SET_UP:
                done = _run(shlex.split(step.line), folder, env)
                assert done.returncode == 0, f"{where}: $ {step.line}\n{done.stdout}\n{done.stderr}"
                for line in step.shown:
                    assert _holds(done.stdout, line), f"{where}: $ {step.line}\nshown: {line}\nsaid: {done.stdout}"


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("myst_parser", reason="the docs extra is not installed")
    pytest.importorskip("furo", reason="the docs extra is not installed")
    words = [sys.executable, "-m", "sphinx", *shlex.split(BUILD)[1:-1], str(tmp_path / "site")]
    env = {**os.environ, "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [*words, "-d", str(tmp_path / "doctrees")], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    built = [*(tmp_path / "site").rglob("*.html")]
    assert {path.relative_to(DOCS).with_suffix(".html") for path in PAGES} <= {
        path.relative_to(tmp_path / "site") for path in built
    }
    for path in built:
        loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=\"([^\"]+)\"", path.read_text("utf-8"))
        assert not [source for source in loaded if re.match(r"(?:https?:)?//", source)], path.name

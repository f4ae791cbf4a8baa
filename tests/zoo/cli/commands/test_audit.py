"""`zoo audit`: what it prints, its document, its exit codes, and what it does not load."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from reports.audit.audit import Audit, audit
from reports.claims.model import claims_names, load_claims
from reports.render.audit import audit_markdown, audit_tables
from tests.support.claims import contents, figure, row, write_claims
from tests.support.records import cards
from zoo.cli.app import main

ROOT = Path(__file__).resolve().parents[4]
STUDY = contents(row("one", figure("accuracy", 0.8125), figure("recall", 0.9991)))


@pytest.fixture(scope="module")
def report() -> Audit:
    return audit(load_claims("pneumonia_report", cards()))


def zoo(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["zoo", "audit", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def shown(done: Audit, width: int) -> str:
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    console.print(audit_tables(done))
    return console.export_text()


@pytest.mark.parametrize("width", [80, 120, 160])
def test_every_finding_and_every_row_is_shown_in_full_at_every_width(report: Audit, width: int) -> None:
    said = shown(report, width)
    assert max(map(len, said.splitlines())) <= width
    flat = "".join(said.split())
    for found in report.findings:
        for part in (found.statement, found.derivation, *(cited.where for cited in found.rests_on)):
            assert "".join(part.split()) in flat
    table = said[said.index("confusion matrices") :]
    for each in report.rows:
        assert each.name in table
    for part in ("TP 131, FP 6, TN 228, FN 103", "accuracy 0.767 [0.727, 0.803]", "AUC 0.961 [0.943, 0.979]"):
        assert part in table


def test_a_title_and_a_place_are_text_and_not_markup(tmp_path: Path) -> None:
    data = {
        **STUDY,
        "title": "[red]A[/red] study",
        "rows": [row("one", {**figure("recall", 0.9991), "where": "[/oops]"})],
    }
    said = shown(audit(load_claims(str(write_claims(tmp_path, data)), {})), 120)
    assert "[red]A[/red] study" in said
    assert "[/oops]" in said


def test_markdown_has_a_row_for_every_finding_and_every_row(report: Audit) -> None:
    lines = audit_markdown(report)
    severities = [line for line in lines if line.startswith(("| impossible", "| contradiction", "| note"))]
    assert len(severities) == len(report.findings)
    assert [line for name in (each.name for each in report.rows) for line in lines if line.startswith(f"| `{name}`")]
    assert "4 impossible, 6 contradiction" in lines[0]
    assert all(line.count("|") - line.count("\\|") in (0, 4, 5) for line in lines)


def test_nothing_found_is_said_and_makes_no_empty_table(tmp_path: Path) -> None:
    path = write_claims(tmp_path, contents(row("one", figure("accuracy", 0.8125))))
    lines = audit_markdown(audit(load_claims(str(path), {})))
    assert lines[0] == "1 row; findings: none"
    assert not any("severity" in line for line in lines)


def test_without_a_name_every_built_in_file_is_audited(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zoo(monkeypatch, "--json") == 0
    said = capsys.readouterr()
    assert (said.err, [each["name"] for each in json.loads(said.out)]) == ("", list(claims_names()))


def test_a_file_is_audited_whatever_it_finds_with_exit_code_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_claims(tmp_path, STUDY)
    assert zoo(monkeypatch, path) == 0
    assert "recall 0.9991 is no whole number out of 60 positives" in capsys.readouterr().out
    assert zoo(monkeypatch, path, "--json") == 0
    (document,) = json.loads(capsys.readouterr().out)
    (found,) = document["findings"]
    assert (found["kind"], found["severity"]) == ("off-grid", "impossible")
    assert found["rests_on"][0]["figure"]["value"] == 0.9991
    assert document["rows"][0]["matrices"] == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rows": [row("one", figure("acuracy", 0.5))]}, "study.yaml: rows.0.figures.0.metric: unknown metric"),
        ({"row": []}, "study.yaml: row: unknown key"),
    ],
)
def test_a_wrong_file_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    change: dict[str, object],
    says: str,
) -> None:
    assert zoo(monkeypatch, write_claims(tmp_path, {**STUDY, **change})) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("zoo: ")
    assert says in line


@pytest.mark.parametrize(
    ("name", "says"), [("pneumonia", "Did you mean"), ("none.yaml", "CLAIMS none.yaml: no such file")]
)
def test_claims_that_are_not_there_are_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, says: str
) -> None:
    assert zoo(monkeypatch, name) == 2
    assert says in capsys.readouterr().err


def test_the_audit_loads_no_network_library() -> None:
    code = (
        "import sys; sys.argv = ['zoo', 'audit', '--json']\n"
        "from zoo.cli.app import app\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "print('HEAVY', sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr.strip().endswith("HEAVY []")

"""`zoo audit`: its document, its exit codes, and what it does not load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reports.claims.model import claims_names
from tests.support.claims import contents, figure, row, write_claims
from zoo.cli.app import main

ROOT = Path(__file__).resolve().parents[4]
STUDY = contents(row("one", figure("accuracy", 0.8125), figure("recall", 0.9991)))


def zoo(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["zoo", "audit", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


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
    assert "recall 0.9991 is not a whole number out of 60 positives" in capsys.readouterr().out
    assert zoo(monkeypatch, path, "--json") == 0
    (document,) = json.loads(capsys.readouterr().out)
    found, explained = document["findings"]
    assert (found["kind"], found["severity"]) == ("off-grid", "impossible")
    assert (explained["kind"], explained["severity"]) == ("misprint", "note")
    assert "test recall 0.9991 would be" in explained["statement"]
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


def test_strict_exits_with_1_on_impossible_figures_and_unknown_rows_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    impossible = write_claims(tmp_path, STUDY)
    assert zoo(monkeypatch, impossible, "--strict") == 1
    assert zoo(monkeypatch, impossible, "--strict", "--json") == 1
    contradictory = contents(row("one", figure("accuracy", 0.8125), figure("accuracy", 0.83, decimals=2)))
    assert zoo(monkeypatch, write_claims(tmp_path, contradictory, "other"), "--strict") == 0
    range_ = figure("accuracy", 0.6, "val", upper=0.9, epoch="last", decimals=1)
    pair = [figure("accuracy", 0.6, "val", epoch="last"), figure("precision", 0.9, "val", epoch="last")]
    reading = {"row": "one", "meaning": "a pair", "figures": pair}
    study = contents(row("one", range_, figure("recall", 1.0, "val", epoch="every")), interpretations=[reading])
    assert zoo(monkeypatch, write_claims(tmp_path, study, "read"), "--strict") == 0
    assertion = {"at_least": {"card": "resnett", "metric": "accuracy", "value": 0.8}}
    sentence = {"id": "said", "location": "Abstract", "text": "It is so.", "assertion": assertion}
    misspelt = contents(row("resnet", figure("accuracy", 0.8125)), statements=[sentence])
    assert zoo(monkeypatch, write_claims(tmp_path, misspelt, "misspelt"), "--strict") == 1

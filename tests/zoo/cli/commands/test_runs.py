"""`zoo runs` and its commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.runs.storage.store import Store
from tests.support.stored import keep
from zoo.cli.app import main


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(tmp_path_factory.mktemp("listed") / "runs")
    keep(store, "attempt-1")
    return store.root


def zoo(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["zoo", "runs", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_runs_are_listed_merged_pruned_and_verified(
    stored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / "all"
    assert zoo(monkeypatch, "--store", stored) == 0
    listing = capsys.readouterr().out
    assert "attempt-1" in listing
    assert zoo(monkeypatch, "merge", stored, "--store", target) == 0
    assert capsys.readouterr().out == f"copied 1 run into {target}\n"
    assert zoo(monkeypatch, "merge", stored, "--store", target, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["present"]) == 1
    assert zoo(monkeypatch, "--store", target) == 0
    assert capsys.readouterr().out == listing
    assert zoo(monkeypatch, "prune", "--store", target) == 0
    assert capsys.readouterr().out == f"nothing to remove in {target}\n"
    assert zoo(monkeypatch, "verify", target, "--json") == 1
    assert "contains no registration" in capsys.readouterr().out


def test_options_before_the_command_are_refused(
    stored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zoo(monkeypatch, "--store", stored, "prune") == 2
    assert capsys.readouterr().err == "zoo: zoo runs prune: give its options after its name\n"

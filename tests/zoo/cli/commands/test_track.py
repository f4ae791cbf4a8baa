"""`zoo track` refuses what it cannot do in one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmark.runs.storage.store import Store
from tests.support.records import make_run
from zoo.cli.app import main


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The line that the command is refused with."""
    monkeypatch.setattr("sys.argv", ["zoo", "track", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    (line,) = err.splitlines()
    return line


def test_a_wrong_request_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for tracker in ("tensorboard", "mlflow"):
        assert "none: no such store; `zoo bench" in refused(monkeypatch, capsys, tracker, "--store", tmp_path / "none")
    assert "zoo track --help" in refused(monkeypatch, capsys)
    assert "wandb" in refused(monkeypatch, capsys, "wandb")


@pytest.mark.parametrize(("tracker", "library"), [("tensorboard", "tensorboardX"), ("mlflow", "mlflow")])
def test_a_tracker_that_is_not_installed_is_named_with_its_extra(
    tracker: str, library: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Store(tmp_path).save(make_run(error="boom"))
    monkeypatch.setitem(sys.modules, library, None)
    assert f"zoo-bench[{tracker}]" in refused(monkeypatch, capsys, tracker, "--store", tmp_path)

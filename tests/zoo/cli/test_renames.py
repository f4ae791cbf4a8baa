"""Old names of commands and options work for one version and name the new ones."""

from __future__ import annotations

import pytest

from zoo.cli.renames import renamed
from zoo.config.errors import ConfigError


@pytest.mark.parametrize(
    ("old", "current"),
    [
        (["search", "attempt-1", "--seeds", "2"], ["search", "attempt-1", "--executions", "2"]),
        (["search", "attempt-1", "--seeds=2"], ["search", "attempt-1", "--executions=2"]),
        (["report", "--threshold", "cost=5"], ["report", "--threshold-rule", "cost=5"]),
        (["log", "mlflow"], ["track", "mlflow"]),
    ],
)
def test_an_old_name_is_replaced_and_a_line_names_the_new_one(
    capsys: pytest.CaptureFixture[str], old: list[str], current: list[str]
) -> None:
    assert renamed(old) == current
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.splitlines()
    assert line.startswith("zoo: ")
    assert "is now" in line


@pytest.mark.parametrize(
    "current",
    [
        [],
        ["--version"],
        ["bench", "attempt-1", "--seeds", "2"],
        ["search", "attempt-1", "--executions", "2"],
        ["report", "--threshold-rule", "cost=5"],
        ["track", "mlflow", "--experiment", "log"],
    ],
)
def test_current_names_stay_without_a_line(capsys: pytest.CaptureFixture[str], current: list[str]) -> None:
    assert renamed(current) == current
    assert capsys.readouterr() == ("", "")


def test_an_old_option_beside_the_new_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="--threshold is the old name of --threshold-rule; keep --threshold-rule"):
        renamed(["report", "--threshold", "f1", "--threshold-rule=youden"])

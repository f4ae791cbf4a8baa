"""Every function of `import zoo` refuses arguments of a wrong type with one line that names the argument."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import zoo
from tests.support.tiny import card

WRONG: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    *(("plan_bench", ("attempt-1",), {"jobs": jobs}, "jobs: is") for jobs in (0, -1, 1.5, "2", None, True)),
    *(("plan_search", ("attempt-1",), {"jobs": jobs}, "jobs: is") for jobs in (0, "2", None)),
    *(
        ("plan_bench", ("attempt-1",), {"seeds": seeds}, "seeds: .* names no seed")
        for seeds in ("3", ["0"], 1.5, [1.5], 2**70, [2**70], [True], True, [None])
    ),
    *(("plan_bench", (cards,), {}, "cards: is") for cards in (3, [None], [3])),
    *(("plan_bench", ("attempt-1",), {"run_timeout": time}, "run_timeout: is") for time in (5, None)),
    *(("plan_bench", ("attempt-1",), {"run_memory": size}, "run.memory") for size in ("4", float("inf"), True)),
    ("plan_bench", ("attempt-1",), {"store": None}, "store: is None"),
    ("plan_bench", ("attempt-1",), {"protocol": 3}, "protocol: is 3"),
    ("plan_bench", ("attempt-1",), {"data": None}, "data: is None"),
    ("plan_bench", ("attempt-1",), {"patients": 3}, "patients: is 3"),
    ("plan_bench", ("attempt-1",), {"positive": 3}, "positive: is 3"),
    ("plan_bench", ("attempt-1",), {"data_is": 3}, "data_is: is 3"),
    ("plan_bench", ("attempt-1",), {"card_folders": None}, "card_folders: is None"),
    ("plan_bench", ("attempt-1",), {"keep_models": "no"}, "keep_models: is 'no'"),
    ("plan_search", (None,), {}, "card: is None"),
    ("plan_search", (["attempt-1"],), {}, "card: is"),
    ("plan_search", ("attempt-1",), {"out": None}, "out: is None"),
    ("plan_search", ("attempt-1",), {"trials": 0}, "trials: is 0"),
    ("plan_search", ("attempt-1",), {"executions": "1"}, "executions: is '1'"),
    ("plan_search", ("attempt-1",), {"space": 3}, "space: is 3"),
    ("plan_search", ("attempt-1",), {"tuner": 3}, "tuner: is 3"),
    ("plan_search", ("attempt-1",), {"name": 3}, "name: is 3"),
    ("report", (None,), {}, "store: is None"),
    ("report", (), {"out": None}, "out: is None"),
    ("report", (), {"formats": None}, "formats: is None"),
    ("report", (), {"formats": []}, "formats: is empty"),
    ("report", (), {"claims": 3}, "claims: is 3"),
    ("report", (), {"threshold_rule": 5}, "threshold_rule: is 5"),
    ("report", (), {"gallery": "no"}, "gallery: is 'no'"),
    ("report", (), {"gallery": True, "data": 3}, "data: is 3"),
    ("report", (), {"card_folders": None}, "card_folders: is None"),
    ("audit", (3,), {}, "claims: is 3"),
    ("audit", ([],), {}, "claims: is empty"),
    ("audit", (), {"card_folders": None}, "card_folders: is None"),
    ("compare", ("attempt-1", None), {}, "names: is None"),
    ("compare", (), {"metric": 3}, "metric: is 3"),
    ("compare", (), {"store": None}, "store: is None"),
    ("predict", (None, "images"), {}, "run: is None"),
    ("predict", (card("mine"), "images"), {}, "run: is ModelCard"),
    ("predict", ("attempt-1", None), {}, "images: is None"),
    ("predict", ("attempt-1", []), {}, "images: is empty"),
    ("evaluate_all", (None, "images"), {}, "runs: is None"),
    ("evaluate_all", ("attempt-1", 3), {}, "data: is 3"),
    ("export", (None,), {}, "run: is None"),
    ("load_cards", (3,), {}, "directories: is 3"),
]


@pytest.mark.parametrize(("function", "positional", "named", "says"), WRONG)
def test_an_argument_of_a_wrong_type_is_refused_and_nothing_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    positional: tuple[Any, ...],
    named: dict[str, Any],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(zoo.ConfigError, match=says) as refused:
        getattr(zoo, function)(*positional, **named)
    assert len(refused.value.lines) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("function", ["report", "plan_search"])
def test_a_file_is_no_folder_for_results(tmp_path: Path, function: str) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(zoo.ConfigError, match=r"--out .*file: is a file; give a folder"):
        getattr(zoo, function)("attempt-1", out=path)


def test_one_folder_of_cards_is_as_good_as_a_list(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: attempt-1\n", encoding="utf-8")
    assert zoo.load_cards(str(tmp_path)) == zoo.load_cards([str(tmp_path)]) == zoo.load_cards([tmp_path])
    assert "mine" in zoo.load_cards(tmp_path)

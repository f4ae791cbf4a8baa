"""Trained weights put aside: taken up by a run of the same training alone, and never needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.runs.protocol import ThresholdRule
from benchmark.runs.run import RunSpec
from benchmark.runs.trained import Trained, clear, put_aside, take_up, training_id
from tests.support.tiny import card, protocol, spec

MADE_BY = {"keras": "3", "precision": "float32", "threads": 2}


def trained() -> Trained:
    weights = (np.arange(6, dtype=np.float32).reshape(2, 3), np.array([0.1], dtype=np.float32))
    return Trained(weights, ({"phase": "train", "epoch": 1, "loss": 0.1 + 0.2},), 12.5, 300.0, MADE_BY)


def test_what_was_put_aside_is_taken_up_as_it_was(tmp_path: Path) -> None:
    put_aside(tmp_path, spec(), trained())
    found = take_up(tmp_path, spec(), MADE_BY)
    assert found is not None
    assert all(np.array_equal(a, b) for a, b in zip(found.weights, trained().weights, strict=True))
    assert (found.history, found.seconds, found.peak_memory_mib) == (trained().history, 12.5, 300.0)


@pytest.mark.parametrize(
    "alike",
    [
        {"stage": "search"},
        {"card": card("another-name")},
        {"protocol": protocol(max_epochs=2)},
        {"protocol": protocol(threshold=ThresholdRule(rule="mcc"), keep_models=True, seeds=(0, 1))},
    ],
)
def test_runs_that_train_the_same_are_alike(alike: dict[str, Any]) -> None:
    assert training_id(RunSpec(**(dict(spec()) | alike))) == training_id(spec())


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"fold": (2, 0)},
        {"card": card(epochs=3)},
        {"card": card(model={"dense_units": 9})},
        {"protocol": protocol(max_epochs=1)},
        {"protocol": protocol(view_seed=1)},
        {"protocol": protocol(image_size=33)},
        {"dataset": spec().dataset.model_copy(update={"fingerprint": "e" * 64})},
    ],
)
def test_another_training_takes_nothing_up(other: dict[str, Any], tmp_path: Path) -> None:
    put_aside(tmp_path, spec(), trained())
    assert take_up(tmp_path, RunSpec(**(dict(spec()) | other)), MADE_BY) is None


def test_other_versions_and_damaged_files_are_not_taken_up(tmp_path: Path) -> None:
    put_aside(tmp_path, spec(), trained())
    assert take_up(tmp_path, spec(), MADE_BY | {"keras": "4"}) is None
    [file] = (tmp_path / ".trained").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert take_up(tmp_path, spec(), MADE_BY) is None


def test_clearing_leaves_the_best_or_nothing(tmp_path: Path) -> None:
    for seed in range(3):
        put_aside(tmp_path, spec(seed), trained())
    clear(tmp_path, [spec(1)])
    assert [take_up(tmp_path, spec(seed), MADE_BY) is not None for seed in range(3)] == [False, True, False]
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []
    clear(tmp_path)


def test_a_place_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / ".trained").write_text("a file is in the way", encoding="utf-8")
    put_aside(tmp_path, spec(), trained())
    assert take_up(tmp_path, spec(), MADE_BY) is None

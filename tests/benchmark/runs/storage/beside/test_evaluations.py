"""Evaluations beside the runs: complete or absent, of one model, and never taken for a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.runs.run import Run
from benchmark.runs.storage.beside.evaluations import (
    PREDICTIONS,
    RECORD,
    Evaluation,
    evaluated_images,
    evaluation_folder,
    evaluations_of,
    stored_evaluation,
)
from benchmark.runs.storage.store import MODEL, Store
from tests.support.evaluated import keep_evaluation
from tests.support.records import on_test, planted
from tests.support.stored import keep
from zoo.config.errors import ConfigError

SCORES = on_test(*planted(30, 20, seed=4))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def run(store: Store) -> Run:
    run = store.get(keep(store, "attempt-1"))
    assert run is not None
    return run


@pytest.fixture
def evaluation(store: Store, run: Run) -> Evaluation:
    return keep_evaluation(store, run, SCORES, unlike=3)


def test_what_was_saved_is_read_again(store: Store, run: Run, evaluation: Evaluation) -> None:
    assert evaluations_of(store, [run]) == {run.run_id: (evaluation,)}
    scores, names, unlike = evaluated_images(store, evaluation, run)
    assert type(scores) is type(SCORES)
    assert np.array_equal(scores.y_score, SCORES.y_score)
    assert names[:2] == ("other/0", "other/1")
    assert [bool(text) for text in unlike] == [True] * 3 + [False] * 47


def test_the_store_lists_no_evaluation_among_its_runs(store: Store, run: Run, evaluation: Evaluation) -> None:
    assert store.runs() == ([run], [])


@pytest.mark.parametrize("file", [RECORD, PREDICTIONS])
def test_a_damaged_evaluation_counts_as_missing(store: Store, run: Run, evaluation: Evaluation, file: str) -> None:
    (evaluation_folder(store, evaluation.evaluation_id) / file).write_bytes(b"damaged")
    assert stored_evaluation(store, evaluation.evaluation_id) is None
    assert evaluations_of(store, [run]) == {}
    if file == PREDICTIONS:
        with pytest.raises(ConfigError, match="not the file that was saved; run zoo evaluate again"):
            evaluated_images(store, evaluation, run)


def test_an_evaluation_of_another_model_is_left_out(store: Store, run: Run, evaluation: Evaluation) -> None:
    trained_again = run.model_copy(update={"files": {**run.files, MODEL: "a" * 64}})
    assert evaluations_of(store, [trained_again]) == {}


def test_the_id_covers_what_decides_the_result_and_not_the_title(evaluation: Evaluation) -> None:
    spec = evaluation.spec
    renamed = spec.data.model_copy(update={"title": "elsewhere", "source": "moved"})
    assert spec.model_copy(update={"data": renamed}).evaluation_id == spec.evaluation_id
    others = [
        spec.model_copy(update={"data": spec.data.model_copy(update={"fingerprint": "f" * 64})}),
        spec.model_copy(update={"model": "b" * 64}),
        spec.model_copy(update={"part": "test"}),
        spec.model_copy(update={"split_seed": 1}),
        spec.model_copy(update={"recalibrated_on": 0.3}),
        spec.model_copy(update={"mapping": {"A": "NORMAL", "B": "PNEUMONIA"}}),
    ]
    assert len({each.evaluation_id for each in (spec, *others)}) == 7

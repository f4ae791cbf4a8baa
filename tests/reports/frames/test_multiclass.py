"""Frames of stores with runs on three or more classes, alone and beside runs on two."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from benchmark.evidence.decisions.decide import decide
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.protocol import load_protocol
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.frames.load import load_figures, load_history, load_runs, load_scores, load_settings
from tests.support.multiclass_stores import (
    DIGITS,
    RADIOGRAPHS,
    keep_multiclass,
    on_test,
    on_val,
    simulated,
    three_classes_in,
)
from tests.support.stored import keep


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return three_classes_in(tmp_path_factory.mktemp("three"))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A run on two classes, one on ten."""
    both = Store(tmp_path_factory.mktemp("mixed"))
    keep(both, "attempt-1")
    labels = [place % 10 for place in range(60)]
    scores = simulated(labels, 10)
    keep_multiclass(both, "attempt-7", on_val(DIGITS, labels, scores), on_test(DIGITS, labels, scores), DIGITS)
    return both


def finished(store: Store) -> list[Run]:
    return [run for run in store.runs()[0] if run.status == "ok"]


def one(frame: Any, **where: object) -> Any:
    """The one row of a pandas frame with these values; None is a missing one."""
    for name, value in where.items():
        frame = frame[frame[name].isna() if value is None else frame[name] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_runs_have_the_figures_of_all_classes_as_columns(store: Store) -> None:
    frame = load_runs(store.root)
    for run in finished(store):
        row, figures = one(frame, run_id=run.run_id), run.figures()
        recall = figures["recall:macro"]
        columns = ("test_recall_macro", "test_recall_macro_low", "test_recall_macro_high")
        assert tuple(row[name] for name in columns) == (recall.value, recall.low, recall.high)
        assert row["test_accuracy"] == figures["accuracy"].value
        assert row["test_chosen_kappa"] == run.figures(chosen=True)["kappa"].value
        assert (row["classes"], row["decision_rule"]) == ("NORMAL, BACTERIA, VIRUS", "argmax")
    assert frame[["positive_class", "negative_class", "threshold", "threshold_rule"]].isna().all(axis=None)
    assert not [name for name in frame.columns if ":" in name or "VIRUS" in name]


def test_figures_are_long_with_average_and_class(store: Store) -> None:
    frame = load_figures(store.root)
    for run in finished(store):
        for key, figure in run.figures().items():
            parsed = MeasureKey.parse(key)
            where = {"metric": parsed.metric, "average": parsed.average, "class": parsed.of_class}
            row = one(frame, run_id=run.run_id, split="test", at="half", **where)
            assert row["value"] == figure.value or (figure.value is None and math.isnan(row["value"]))
    assert list(frame.columns[6:10]) == ["metric", "average", "class", "value"]
    assert frame["threshold"].isna().all()


def test_scores_have_a_column_per_class(store: Store) -> None:
    (run, *_) = finished(store)
    frame, scores = load_scores(store.root, [run.run_id], split="test"), store.scores(run, "test")
    assert frame[[f"score:{name}" for name in RADIOGRAPHS.classes]].to_numpy().tolist() == scores.y_score.tolist()
    assert frame["y_true"].tolist() == scores.y_true.tolist()
    assert frame["true_class"].tolist() == [RADIOGRAPHS.classes[label] for label in scores.y_true]
    called = scores.y_score.argmax(axis=1)
    assert frame["called_class"].tolist() == [RADIOGRAPHS.classes[label] for label in called]
    assert frame["y_score"].isna().all()
    assert frame["patient"].tolist() == list(scores.patient or ())


def test_an_abstention_is_a_missing_class_and_its_confidence_a_threshold(tmp_path: Path) -> None:
    protocol = load_protocol("quick").model_copy(update={"decision": DecisionRule.parse("abstain=0.6")})
    store, labels = Store(tmp_path), [place % 3 for place in range(60)]
    scores = simulated(labels, 3, shift=1.0)
    run = keep_multiclass(
        store, "attempt-7", on_val(RADIOGRAPHS, labels, scores), on_test(RADIOGRAPHS, labels, scores), protocol=protocol
    )
    frame = load_scores(tmp_path, split="test")
    assert run.decision is not None
    open_ = decide(run.decision, scores) < 0
    assert 0 < open_.sum() < 60
    assert frame["called_class"].isna().tolist() == open_.tolist()
    assert set(frame["threshold"]) == {0.6}
    assert one(load_runs(tmp_path))["threshold"] == 0.6
    assert one(load_runs(tmp_path))["decision_rule"] == "abstain"
    assert set(load_figures(tmp_path).query("at == 'chosen'")["threshold"]) == {0.6}


def test_runs_on_two_classes_keep_their_columns_beside_runs_on_ten(mixed: Store) -> None:
    runs, figures, scores = (load(mixed.root) for load in (load_runs, load_figures, load_scores))
    two, ten = (one(runs, card=card) for card in ("attempt-1", "attempt-7"))
    assert (two["positive_class"], two["classes"]) == ("PNEUMONIA", "NORMAL, PNEUMONIA")
    assert not math.isnan(two["test_auc"])
    assert math.isnan(two["test_auc_macro"])
    assert math.isnan(ten["test_auc"])
    assert not math.isnan(ten["test_auc_macro"])
    of_two = figures[figures["card"] == "attempt-1"]
    assert of_two["class"].isna().all()
    assert set(of_two[of_two["at"] == "half"]["threshold"]) == {0.5}
    assert scores[scores["card"] == "attempt-1"]["score:0"].isna().all()
    assert scores[scores["card"] == "attempt-7"]["y_score"].isna().all()


def test_columns_without_runs_on_several_classes_are_those_of_two(tmp_path: Path, mixed: Store) -> None:
    keep(Store(tmp_path), "attempt-1")
    assert not {"average", "class"} & set(load_figures(tmp_path).columns)
    assert not {"classes", "decision_rule"} & set(load_runs(tmp_path).columns)
    (two,) = (run for run in finished(mixed) if len(run.spec.dataset.classes) == 2)
    assert load_scores(mixed.root, [two.run_id]).columns.tolist() == load_scores(tmp_path).columns.tolist()


@pytest.mark.parametrize("load", [load_runs, load_figures, load_scores, load_history, load_settings])
def test_arrow_has_what_pandas_has(load: Any, mixed: Store) -> None:
    assert load(mixed.root).equals(load(mixed.root, frame="arrow").to_pandas())


def test_further_columns_are_documented(mixed: Store) -> None:
    for load, columns in (
        (load_runs, ("classes", "decision_rule", "test_recall_macro")),
        (load_figures, ("average", "class")),
        (load_scores, ("true_class", "called_class")),
    ):
        assert set(columns) <= set(load(mixed.root).columns)
        assert all(f"`{column}`" in str(load.__doc__) for column in columns)

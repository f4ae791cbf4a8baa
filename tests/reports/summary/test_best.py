"""At which threshold the best card decides, and whether 0.5 is better."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.scores import TestScores
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.protocol import Protocol, load_protocol
from benchmark.runs.storage.store import Store
from reports.report import summary_of
from reports.results.folds import pool_folds
from reports.summary.model import Summary
from reports.summary.text import parts
from tests.support.records import make_spec, on_test, on_val, planted
from tests.support.stored import keep

CARD = "attempt-1"
NEGATIVE = list(np.linspace(0.05, 0.4, 100))


def sentences(summary: Summary) -> list[str]:
    return [sentence for part in parts(summary) if part.name == "threshold" for sentence in part.sentences]


def chosen(cut: float, test: TestScores, **ends: float) -> dict[str, Any]:
    """What the record of a run with this threshold contains."""
    val = on_val(*planted(60, 60, seed=1))
    sizes = load_protocol("quick").class_sizes
    at = {"val": figures(val, cut, sizes), "test": figures(test, cut, sizes)}
    return {"val": val, "at_chosen": at, "threshold": Threshold(cut, "youden", **ends)}


def decided_at(folder: Path, test: TestScores, cut: float, **ends: float) -> Summary:
    """The summary of one card with this threshold."""
    store = Store(folder / "runs")
    keep(store, CARD, test, **chosen(cut, test, **ends))
    return summary_of(store.runs()[0], store)


def with_positives(scores: Sequence[float]) -> TestScores:
    return on_test([0] * len(NEGATIVE) + [1] * len(scores), [*NEGATIVE, *scores])


def test_one_model_has_one_threshold_with_its_interval(tmp_path: Path) -> None:
    summary = decided_at(tmp_path, on_test(*planted(100, 100, seed=2)), 0.62, low=0.4, high=0.7)
    assert sentences(summary)[0] == (
        "At a score of 0.620 or more, the model predicts PNEUMONIA. Other validation images might have given another "
        "threshold: 95% interval [0.400, 0.700]."
    )


def test_each_fold_has_its_own_threshold_and_one_model_needs_another(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    protocol = Protocol(name="folded", title="Three folds", image_size=64, test_folds=3)
    for index, cut in enumerate((0.29, 0.742, 0.331)):
        spec = make_spec(CARD, protocol=protocol).model_copy(update={"fold": (3, index)})
        test = on_test(*planted(20, 20, seed=index))
        keep(store, CARD, test, spec=spec, images=f"of-{index}", **chosen(cut, test))
    summary = summary_of(pool_folds(store.runs()[0], store), store)
    assert summary.threshold is not None
    assert (summary.threshold.folds, summary.threshold.bounds) == (3, None)
    assert sentences(summary)[0] == (
        "Each fold chose a threshold for its own model, from 0.290 to 0.742. One model needs one threshold of its own: "
        "train it on one split, under a protocol file without test_folds: zoo bench CARD --data SOURCE --protocol FILE "
        "--keep-models."
    )


@pytest.mark.parametrize(
    ("between", "decided"),
    [(50, "so 0.5 decides better here"), (1, "but the interval does not show which is better")],
)
def test_half_is_better_where_no_figure_is_lower(tmp_path: Path, between: int, decided: str) -> None:
    """So many positives lie between 0.5 and the threshold, and no negative."""
    test = with_positives([0.6] * between + [0.9] * (100 - between))
    summary = decided_at(tmp_path, test, 0.7)
    assert summary.threshold is not None
    better = summary.threshold.better_at_half
    assert better is not None
    at = {cut: accuracy_score(test.y_true, test.y_score >= cut) for cut in (0.5, 0.7)}
    assert better.value == pytest.approx(at[0.5] - at[0.7])
    assert better.low is not None
    assert (better.low > 0) == (between == 50)
    (sentence,) = sentences(summary)[1:]
    assert sentence.startswith("At 0.5, none of the figures is lower; accuracy is higher by ")
    assert sentence.endswith(f", {decided}.")


def test_a_figure_that_is_lower_at_half_makes_it_no_better(tmp_path: Path) -> None:
    labels, scores = [0] * 100 + [1] * 100, [*([0.3] * 90 + [0.6] * 10), *([0.6] * 50 + [0.9] * 50)]
    summary = decided_at(tmp_path, on_test(labels, scores), 0.7)  # at 0.5 recall is higher, specificity lower
    assert summary.threshold is not None
    assert summary.threshold.better_at_half is None


def test_a_stated_threshold_was_chosen_by_nobody(tmp_path: Path) -> None:
    protocol = load_protocol("quick")
    stated = protocol.threshold.model_copy(update={"rule": "fixed", "value": 0.5})
    store = Store(tmp_path / "runs")
    keep(store, CARD, protocol=protocol.model_copy(update={"threshold": stated}))
    assert summary_of(store.runs()[0], store).threshold is None

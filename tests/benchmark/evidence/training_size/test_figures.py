"""The figure of one size: draws are to training images what seeds are to initial weights."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmark.evidence import TestScores
from benchmark.evidence.intervals.seeds import PairedScores, seed_figure
from benchmark.evidence.training_size.figures import DrawnScores

Y = np.repeat([0, 1], 40)
RNG = np.random.default_rng(5)
SCORES = [np.clip(0.5 + 0.15 * (2 * Y - 1) + RNG.normal(0, 0.2, 80), 0, 1) for _ in range(4)]
PATIENTS = tuple(f"p{row // 2}" for row in range(80))


def size_scores(scores: list[np.ndarray], draws: tuple[int, ...]) -> DrawnScores:
    runs = tuple(TestScores("test", Y, each, PATIENTS) for each in scores)
    return DrawnScores(PairedScores(runs, (0.5,) * len(runs)), draws)


def test_one_training_per_draw_is_the_figure_over_seeds() -> None:
    of = size_scores(SCORES, (0, 1, 2, 3))
    assert of.figure("auc") == seed_figure("auc", of.paired)
    assert of.values("auc") == {k: pytest.approx(roc_auc_score(Y, each)) for k, each in enumerate(SCORES)}


def test_equal_trainings_of_a_draw_add_nothing() -> None:
    once = size_scores(SCORES, (0, 1, 2, 3)).figure("auc")
    twice = size_scores([each for each in SCORES for _ in range(2)], (0, 0, 1, 1, 2, 2, 3, 3)).figure("auc")
    assert (twice.value, twice.low, twice.high) == pytest.approx((once.value, once.low, once.high))
    assert twice.seeds == 4
    assert twice.spread == pytest.approx(once.spread)


def test_deviations_of_the_mean_have_the_variance_of_the_test_patients() -> None:
    of = size_scores(SCORES[:1], (0,))
    deviations = of.deviations("auc", "drawn", [0])
    assert deviations is not None
    influences = of.paired.influence_values("auc", "drawn")
    assert deviations @ deviations == pytest.approx(of.clusters.covariance(influences)[0, 0])


def test_a_figure_that_a_run_lacks_is_missing() -> None:
    blind = np.zeros(80)
    figure = size_scores([SCORES[0], blind, SCORES[1], SCORES[2]], (0, 0, 1, 1)).figure("precision")
    assert (figure.value, figure.bounds) == (None, None)
    assert "1 of 4" in (figure.reason or "") or "undefined" in (figure.reason or "")

"""Simulated test sets have the true figure that they were asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from benchmark.evidence.planning.classes import ClassWorld
from benchmark.evidence.planning.noise import Noise, not_plannable
from benchmark.evidence.planning.worlds import BinaryWorld

SIZES = (("a", 90), ("b", 70), ("c", 40))


@pytest.mark.parametrize(
    ("metric", "truth"), [("accuracy", 0.85), ("recall", 0.7), ("precision", 0.8), ("f1", 0.8), ("mcc", 0.6)]
)
def test_decisions_of_two_classes_have_the_true_figure(metric: str, truth: float) -> None:
    """The mean over many test sets is within five of its standard errors and the bias of a ratio, of order 1/n."""
    world, generator = BinaryWorld(metric, 120, 200, "drawn", recall=0.9, specificity=0.7), np.random.default_rng(1)
    values = np.array([world.measure(truth, Noise(), generator).value for _ in range(300)])
    assert values.mean() == pytest.approx(truth, abs=5 * values.std() / np.sqrt(300) + 1 / 320)


def test_scores_have_the_true_auc() -> None:
    runs = BinaryWorld("auc", 4000, 4000).draw(0.83, Noise(2), np.random.default_rng(2)).runs
    for run in runs:
        assert roc_auc_score(run.y_true, run.y_score) == pytest.approx(0.83, abs=0.02)
    assert 0.5 < np.corrcoef(runs[0].y_score[:4000], runs[1].y_score[:4000])[0, 1] < 0.8


def test_recall_is_binomial() -> None:
    world, generator = BinaryWorld("recall", 60, 40), np.random.default_rng(3)
    missed = np.array([round(40 * (1 - (world.measure(0.9, Noise(), generator).value or 0))) for _ in range(600)])
    for count in (0, 3, 6):
        assert (missed <= count).mean() == pytest.approx(binom.cdf(count, 40, 0.1), abs=0.07)


@pytest.mark.parametrize(("key", "truth"), [("accuracy", 0.7), ("recall:macro", 0.6), ("recall:class:c", 0.8)])
def test_decisions_of_three_classes_have_the_true_figure(key: str, truth: float) -> None:
    world, generator = ClassWorld(key, SIZES), np.random.default_rng(4)
    values = np.array([world.measure(truth, Noise(), generator).value for _ in range(100)])
    assert values.mean() == pytest.approx(truth, abs=5 * values.std() / 10)


def test_trainings_vary_by_the_stated_spread() -> None:
    world, generator = BinaryWorld("accuracy", 5000, 5000), np.random.default_rng(5)
    runs = world.draw(0.8, Noise(seeds=60, spread=0.03), generator).runs
    accuracies = [float(((run.y_score >= 0.5) == run.y_true).mean()) for run in runs]
    assert np.std(accuracies) == pytest.approx(0.03, rel=0.35)


def test_two_cards_have_their_own_figures_on_the_same_images() -> None:
    world = BinaryWorld("auc", 3000, 3000)
    first, second = world.draw_pair((0.9, 0.7), 0.5, Noise(), np.random.default_rng(6))
    assert np.array_equal(first.runs[0].y_true, second.runs[0].y_true)
    for card, truth in ((first, 0.9), (second, 0.7)):
        assert roc_auc_score(card.runs[0].y_true, card.runs[0].y_score) == pytest.approx(truth, abs=0.025)


def test_more_images_keep_the_prevalence() -> None:
    world = BinaryWorld("auc", 180, 20).with_images(1000)
    assert world.counts == (900, 100)
    assert ClassWorld("accuracy", SIZES).with_images(20).counts == (9, 7, 4)


@pytest.mark.parametrize(
    ("key", "reason"),
    [("auc", None), ("recall:macro", None), ("true_positives", "a count"), ("log_loss", "distribution of the scores")],
)
def test_figures_that_depend_on_unknown_scores_are_refused(key: str, reason: str | None) -> None:
    got = not_plannable(key)
    assert (got is None) if reason is None else (got is not None and reason in got)

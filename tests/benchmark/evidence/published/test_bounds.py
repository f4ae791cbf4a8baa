"""No scores break a bound, and some scores reach it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from benchmark.evidence.metrics.registry import Confusion, confusion
from benchmark.evidence.published.bounds import (
    LossFunction,
    auc_of_decisions,
    best_constant,
    cross_entropy,
    focal,
    loss_of_accuracy,
    loss_of_decisions,
    loss_of_scores,
    squared_error,
)
from benchmark.evidence.scores import CLIP, Scores

QUICK = settings(deadline=None, max_examples=100)
SHARP = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.5, 1e-9, 1 - 1e-9]))
SAMPLES = st.lists(st.tuples(st.integers(0, 1), SHARP), min_size=2, max_size=40).filter(
    lambda sample: len({label for label, _ in sample}) == 2
)
LOSSES = {"cross-entropy": cross_entropy(), "squared": squared_error(), "focal": focal(0.25, 2.0)}


def arrays(sample: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([label for label, _ in sample]), np.array([score for _, score in sample])


def mean_loss(name: str, y: np.ndarray, p: np.ndarray) -> float:
    """The loss by scikit-learn, and the focal loss by its paper's formula."""
    clipped = np.clip(p, CLIP, 1 - CLIP)
    if name == "cross-entropy":
        return float(log_loss(y, clipped, labels=[0, 1]))
    if name == "squared":
        return float(brier_score_loss(y, p))
    right = np.where(y == 1, clipped, 1 - clipped)
    weight = np.where(y == 1, 0.25, 0.75)
    return float(np.mean(weight * (1 - right) ** 2 * -np.log(right)))


@pytest.mark.parametrize("name", LOSSES)
@QUICK
@given(sample=SAMPLES, threshold=st.sampled_from([0.3, 0.5, 0.8]))
def test_no_scores_break_the_bounds_of_their_decisions(
    name: str, sample: list[tuple[int, float]], threshold: float
) -> None:
    y, p = arrays(sample)
    decided = confusion(Scores("test", y, p), threshold)
    low, high = loss_of_decisions(LOSSES[name], decided, threshold)
    assert low - 1e-5 <= mean_loss(name, y, p) <= high + 1e-5  # Keras clips the scores in the focal factor too


@pytest.mark.parametrize("name", LOSSES)
@QUICK
@given(sample=SAMPLES)
def test_no_scores_break_the_bounds_of_their_accuracy(name: str, sample: list[tuple[int, float]]) -> None:
    y, p = arrays(sample)
    accuracy = float(np.mean((p >= 0.5) == y))
    low, high = loss_of_accuracy(LOSSES[name], (accuracy, accuracy))
    assert low - 1e-5 <= mean_loss(name, y, p) <= high + 1e-5  # Keras clips the scores in the focal factor too


@pytest.mark.parametrize("name", LOSSES)
@QUICK
@given(sample=SAMPLES)
def test_no_scores_break_the_bounds_of_their_range(name: str, sample: list[tuple[int, float]]) -> None:
    y, p = arrays(sample)
    low, high = loss_of_scores(LOSSES[name], (p.min(), p.max()), float(np.mean(y)))
    assert low - 1e-5 <= mean_loss(name, y, p) <= high + 1e-5  # Keras clips the scores in the focal factor too


@QUICK
@given(sample=SAMPLES, threshold=st.floats(0.01, 0.99))
def test_no_scores_have_an_auc_out_of_reach_of_their_decisions(
    sample: list[tuple[int, float]], threshold: float
) -> None:
    y, p = arrays(sample)
    low, high = auc_of_decisions(confusion(Scores("test", y, p), threshold))
    assert low - 1e-12 <= roc_auc_score(y, p) <= high + 1e-12


@pytest.mark.parametrize("name", LOSSES)
def test_scores_at_the_ends_reach_the_bounds_of_decisions(name: str) -> None:
    decided = Confusion(tp=3, fp=2, tn=4, fn=1)
    y = np.array([1] * 3 + [0] * 2 + [0] * 4 + [1])
    cheapest = np.array([1.0] * 3 + [0.5] * 2 + [0.0] * 4 + [0.5])
    dearest = np.array([0.5] * 3 + [1.0] * 2 + [0.5] * 4 + [0.0])
    low, high = loss_of_decisions(LOSSES[name], decided)
    assert mean_loss(name, y, cheapest) == pytest.approx(low, abs=1e-6)
    assert mean_loss(name, y, dearest) == pytest.approx(high, abs=1e-6)


def test_orders_at_the_ends_reach_the_bounds_of_the_auc() -> None:
    decided = Confusion(tp=2, fp=1, tn=3, fn=2)
    y = np.array([1, 1, 0, 0, 0, 0, 1, 1])
    best = np.array([0.9, 0.8, 0.7, 0.1, 0.1, 0.1, 0.3, 0.2])
    worst = np.array([0.7, 0.7, 0.9, 0.3, 0.3, 0.3, 0.1, 0.1])
    low, high = auc_of_decisions(decided)
    assert roc_auc_score(y, worst) == pytest.approx(low)
    assert roc_auc_score(y, best) == pytest.approx(high)


def test_a_wrong_answer_costs_at_least_ln_2_and_at_most_that_of_the_clip() -> None:
    wrong = Confusion(tp=0, fp=5, tn=0, fn=5)
    low, high = loss_of_decisions(cross_entropy(), wrong)
    assert low == pytest.approx(math.log(2))
    assert high == pytest.approx(-math.log(1e-7))


def test_attempt_3_s_loss_is_below_cross_entropy_and_squared_error_and_not_below_focal_loss() -> None:
    accuracy = (0.4979, 0.4979)
    assert loss_of_accuracy(cross_entropy(), accuracy)[0] == pytest.approx(0.348, abs=5e-4)
    assert loss_of_accuracy(squared_error(), accuracy)[0] == pytest.approx(0.1255, abs=5e-5)
    assert loss_of_accuracy(focal(0.25, 2.0), accuracy)[0] < 0.0943


def test_attempt_2_s_validation_loss_exceeds_clipped_cross_entropy_at_its_accuracy() -> None:
    one_class = 0.4948 * -math.log(1e-7)
    high = loss_of_accuracy(cross_entropy(), (0.5052, 0.5052))[1]
    assert one_class < high < 24.3714


@pytest.mark.parametrize("share", [0.1, 0.5, 0.625])
def test_the_best_constant_of_proper_losses_is_the_share_of_positives(share: float) -> None:
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert best_constant(cross_entropy(), share) == pytest.approx((share, entropy), abs=1e-5)
    assert best_constant(squared_error(), share) == pytest.approx((share, share * (1 - share)), abs=1e-5)


@pytest.mark.parametrize(("alpha", "gamma", "share"), [(0.25, 2.0, 0.5), (0.25, 2.0, 0.625), (0.7, 1.0, 0.2)])
def test_the_best_constant_of_focal_loss_is_that_of_a_fine_grid(alpha: float, gamma: float, share: float) -> None:
    p = np.linspace(1e-4, 1 - 1e-4, 200_001)
    cost = -share * alpha * (1 - p) ** gamma * np.log(p) - (1 - share) * (1 - alpha) * p**gamma * np.log(1 - p)
    expected = p[cost.argmin()], cost.min()
    assert best_constant(focal(alpha, gamma), share) == pytest.approx(expected, abs=2e-5)


def test_the_best_constant_of_balanced_focal_loss_on_balanced_classes_is_what_attempt_3_prints() -> None:
    best, cost = best_constant(focal(0.25, 2.0), 0.5)
    assert best == pytest.approx(0.399, abs=5e-4)
    assert cost == pytest.approx(0.0719, abs=5e-5)
    low, high = loss_of_scores(focal(0.25, 2.0), (0.3, 0.4), 0.5)
    assert low < 0.0943 < high
    assert loss_of_scores(cross_entropy(), (0.25, 0.45), 0.5)[0] > 0.0943


def test_an_auc_without_a_class_has_no_bounds() -> None:
    with pytest.raises(ValueError, match="both classes"):
        auc_of_decisions(Confusion(tp=3, fp=0, tn=0, fn=1))


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.05, 0.399, 0.8])
def test_losses_are_those_of_keras(p: float) -> None:
    keras = pytest.importorskip("keras")
    scores, losses = np.array([[p]], dtype="float32"), keras.losses
    pairs: list[tuple[LossFunction, object]] = [
        (cross_entropy(), losses.BinaryCrossentropy()),
        (squared_error(), losses.MeanSquaredError()),
        (focal(0.25, 2.0), losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.25, gamma=2.0)),
    ]
    for own, theirs in pairs:
        assert own.positive(p) == pytest.approx(float(theirs(np.ones((1, 1)), scores)), rel=1e-4)  # type: ignore[operator]
        assert own.negative(p) == pytest.approx(float(theirs(np.zeros((1, 1)), scores)), rel=1e-4)  # type: ignore[operator]

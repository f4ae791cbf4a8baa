"""What a loss or an AUC can be, given decisions, scores or class shares alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scipy.optimize import minimize_scalar

from benchmark.evidence.metrics.definitions import Confusion
from benchmark.evidence.published.feasible import Range
from benchmark.evidence.scores import CLIP


@dataclass(frozen=True)
class LossFunction:
    """A loss as the mean cost of an image: `positive(p)` that of a positive scored p in [0, 1], falling in p, and
    `negative(p)` that of a negative, rising."""

    name: str
    positive: Callable[[float], float]
    negative: Callable[[float], float]


def cross_entropy() -> LossFunction:
    """Binary cross-entropy in nats, probabilities clipped as Keras does."""
    return LossFunction("binary cross-entropy", _surprise, lambda p: _surprise(1 - p))


def squared_error() -> LossFunction:
    """Mean squared error of the scores, the Brier score."""
    return LossFunction("squared error", lambda p: (1 - p) ** 2, lambda p: p**2)


def focal(alpha: float, gamma: float) -> LossFunction:
    """Focal loss balanced by class (Lin et al. 2017): positives weigh `alpha`, negatives 1 - `alpha`."""
    return LossFunction(
        f"balanced focal loss (alpha {alpha:g}, gamma {gamma:g})",
        lambda p: alpha * (1 - p) ** gamma * _surprise(p),
        lambda p: (1 - alpha) * p**gamma * _surprise(1 - p),
    )


def loss_of_decisions(loss: LossFunction, matrix: Confusion, threshold: float = 0.5) -> Range:
    """The least and the largest mean loss of scores that make these decisions at `threshold`, within (0, 1).

    A positive below the threshold costs at least what one at the threshold costs, one above it at most that.
    """
    return loss_of_any(loss, [matrix], threshold)


def loss_of_any(loss: LossFunction, matrices: Sequence[Confusion], threshold: float = 0.5) -> Range:
    """The least and the largest mean loss as `loss_of_decisions` has them, over one or more matrices."""
    at = loss.positive(threshold), loss.negative(threshold)
    worst, best = (loss.positive(0), loss.negative(1)), (loss.positive(1), loss.negative(0))
    low, high = math.inf, -math.inf
    for matrix in matrices:
        tp, fp, tn, fn = matrix.tp, matrix.fp, matrix.tn, matrix.fn
        n = tp + fp + tn + fn
        low = min(low, (tp * best[0] + fn * at[0] + tn * best[1] + fp * at[1]) / n)
        high = max(high, (tp * at[0] + fn * worst[0] + tn * at[1] + fp * worst[1]) / n)
    return low, high


def loss_of_accuracy(loss: LossFunction, accuracy: Range, threshold: float = 0.5) -> Range:
    """The least and the largest mean loss at an accuracy within `accuracy`, whatever the class shares."""
    least = max(0.0, 1 - accuracy[1])
    most = min(1.0, 1 - accuracy[0])
    at = loss.positive(threshold), loss.negative(threshold)
    worst = max(loss.positive(0), loss.negative(1))
    return least * min(at), most * worst + (1 - most) * max(at)


def loss_of_scores(loss: LossFunction, scores: Range, positive_share: float) -> Range:
    """The least and the largest mean loss when every score lies within `scores`."""
    low, high = max(0.0, scores[0]), min(1.0, scores[1])
    share = positive_share
    return (
        share * loss.positive(high) + (1 - share) * loss.negative(low),
        share * loss.positive(low) + (1 - share) * loss.negative(high),
    )


def best_constant(loss: LossFunction, positive_share: float) -> tuple[float, float]:
    """The score that costs least when it is given to every image, and that cost."""

    def cost(p: float) -> float:
        return positive_share * loss.positive(p) + (1 - positive_share) * loss.negative(p)

    found = minimize_scalar(cost, bounds=(0, 1), method="bounded", options={"xatol": 1e-9})
    return float(found.x), float(found.fun)


def auc_of_decisions(matrix: Confusion) -> Range:
    """The least and the largest AUC of scores that make these decisions at one threshold: pairs with one image on each
    side of it are settled, all others are open. Raises ValueError unless both classes are there."""
    positives, negatives = matrix.tp + matrix.fn, matrix.tn + matrix.fp
    if not positives or not negatives:
        raise ValueError("an AUC needs both classes")
    pairs = positives * negatives
    return matrix.tp * matrix.tn / pairs, 1 - matrix.fn * matrix.fp / pairs


def _surprise(p: float) -> float:
    return -math.log(max(p, CLIP))

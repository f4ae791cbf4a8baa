"""Bounds of a loss or an AUC, given only decisions, a range of scores, or the prevalence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import scipy

from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.feasible import Range
from benchmark.evidence.scores import CLIP

AUC_SLACK = 0.01
"""How far an AUC may be beyond its bounds: Keras integrates the curve over 200 thresholds."""


@dataclass(frozen=True)
class LossFunction:
    """A loss that is the mean cost over images.

    Attributes:
        name: The name in messages.
        positive: Cost of a positive with score p in [0, 1]; decreasing in p.
        negative: Cost of a negative with score p; increasing in p.
    """

    name: str
    positive: Callable[[float], float]
    negative: Callable[[float], float]


def cross_entropy() -> LossFunction:
    """Return binary cross-entropy in nats, with probabilities clipped as in Keras."""
    return LossFunction("binary cross-entropy", _surprise, lambda p: _surprise(1 - p))


def squared_error() -> LossFunction:
    """Return the squared error, whose mean is the Brier score."""
    return LossFunction("squared error", lambda p: (1 - p) ** 2, lambda p: p**2)


def focal(alpha: float, gamma: float) -> LossFunction:
    """Return the balanced focal loss (Lin et al. 2017).

    Args:
        alpha: Weight of positives in [0, 1]; negatives have 1 - `alpha`.
        gamma: Focusing parameter, 0 or more.

    Returns:
        The loss function.
    """
    return LossFunction(
        f"balanced focal loss (alpha {alpha:g}, gamma {gamma:g})",
        lambda p: alpha * (1 - p) ** gamma * _surprise(p),
        lambda p: (1 - alpha) * p**gamma * _surprise(1 - p),
    )


def loss_of_decisions(loss: LossFunction, matrix: Confusion, threshold: float = 0.5) -> Range:
    """Bound the mean loss of scores that give a confusion matrix.

    A positive with a score below the threshold costs at least as much as one at the threshold; above it, at most.

    Args:
        loss: The loss function.
        matrix: The confusion matrix.
        threshold: The decision threshold, in (0, 1).

    Returns:
        The smallest and the largest mean loss.
    """
    return loss_of_matrices(loss, [matrix], threshold)


def loss_of_matrices(loss: LossFunction, matrices: Sequence[Confusion], threshold: float = 0.5) -> Range:
    """Bound the mean loss of scores that give any of several confusion matrices.

    Args:
        loss: The loss function.
        matrices: At least one confusion matrix.
        threshold: The decision threshold, in (0, 1).

    Returns:
        The smallest and the largest mean loss over all matrices.
    """
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
    """Bound the mean loss at an accuracy, for any prevalence.

    Args:
        loss: The loss function.
        accuracy: The lowest and the highest accuracy.
        threshold: The decision threshold, in (0, 1).

    Returns:
        The smallest and the largest mean loss.
    """
    least = max(0.0, 1 - accuracy[1])
    most = min(1.0, 1 - accuracy[0])
    at = loss.positive(threshold), loss.negative(threshold)
    worst = max(loss.positive(0), loss.negative(1))
    return least * min(at), most * worst + (1 - most) * max(at)


def loss_of_scores(loss: LossFunction, scores: Range, positive_share: float) -> Range:
    """Bound the mean loss if every score is in a range.

    Args:
        loss: The loss function.
        scores: The lowest and the highest score.
        positive_share: The share of positives, in [0, 1].

    Returns:
        The smallest and the largest mean loss.
    """
    low, high = max(0.0, scores[0]), min(1.0, scores[1])
    share = positive_share
    return (
        share * loss.positive(high) + (1 - share) * loss.negative(low),
        share * loss.positive(low) + (1 - share) * loss.negative(high),
    )


def best_constant(loss: LossFunction, positive_share: float) -> tuple[float, float]:
    """Find the constant score with the lowest mean loss.

    Args:
        loss: The loss function.
        positive_share: The share of positives, in [0, 1].

    Returns:
        The score in [0, 1] and its mean loss.
    """

    def cost(p: float) -> float:
        return positive_share * loss.positive(p) + (1 - positive_share) * loss.negative(p)

    minimum = scipy.optimize.minimize_scalar(cost, bounds=(0, 1), method="bounded", options={"xatol": 1e-9})
    return float(minimum.x), float(minimum.fun)


def auc_of_decisions(matrix: Confusion) -> Range:
    """Bound the AUC of scores that give a confusion matrix at one threshold.

    The matrix determines the order of pairs with one image on each side of the threshold; all other pairs are free.

    Args:
        matrix: The confusion matrix.

    Returns:
        The smallest and the largest AUC.

    Raises:
        ValueError: A class is missing.
    """
    positives, negatives = matrix.tp + matrix.fn, matrix.tn + matrix.fp
    if not positives or not negatives:
        raise ValueError("an AUC needs both classes")
    pairs = positives * negatives
    return matrix.tp * matrix.tn / pairs, 1 - matrix.fn * matrix.fp / pairs


def _surprise(p: float) -> float:
    return -math.log(max(p, CLIP))


def reaches(matrix: Confusion, area: Range) -> bool:
    """Check whether scores with these decisions can have a printed AUC.

    Args:
        matrix: The confusion matrix.
        area: The values that print as the AUC.

    Returns:
        Whether they can, within AUC_SLACK; True if a class is missing, since then there is no AUC.
    """
    if not (matrix.tp + matrix.fn and matrix.tn + matrix.fp):
        return True
    low, high = auc_of_decisions(matrix)
    return area[1] >= low - AUC_SLACK and area[0] <= high + AUC_SLACK

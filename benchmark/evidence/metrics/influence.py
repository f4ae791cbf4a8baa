"""How much each image moves a metric: the linearisation behind every standard error, of a figure or a difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
ClassSizes = Literal["drawn", "fixed"]
"""Whether the number of images of each class came with the sample, or was fixed beforehand, as in a balanced draw."""

CLIP = 1e-7
"""Scores are clipped to [CLIP, 1 - CLIP] before a logarithm or a logit is taken, as Keras does."""

RATIOS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = MappingProxyType(
    {
        "accuracy": ((1, 0, 1, 0), (1, 1, 1, 1)),
        "precision": ((1, 0, 0, 0), (1, 1, 0, 0)),
        "recall": ((1, 0, 0, 0), (1, 0, 0, 1)),
        "specificity": ((0, 0, 1, 0), (0, 1, 1, 0)),
        "f1": ((2, 0, 0, 0), (2, 1, 0, 1)),
    }
)
"""Metrics that are a ratio of sums of counts: the weights of TP, FP, TN and FN above and below the line."""


def influence(metric: str, y_true: Labels, y_score: Floats, threshold: float) -> Floats | None:
    """Derivative of `metric` by the weight of each image, at equal weights (n,); it sums to 0.

    The infinitesimal jackknife (Jaeckel 1972, Efron 1982): the sum of its squares over what was drawn independently
    estimates the variance of the metric. For the AUC these are DeLong's placement values. None where the metric is
    undefined. Raises KeyError for a metric that has none, such as a count.
    """
    if metric in _OF_SCORES:
        return _OF_SCORES[metric](y_true, y_score)
    cell = cells(y_true, y_score, threshold)
    gradient = _gradient(metric, np.bincount(cell, minlength=4).astype(np.float64))
    return None if gradient is None else gradient[cell]


def cells(y_true: Labels, y_score: Floats, threshold: float) -> Labels:
    """The cell of each image's decision (n,): 0 true positive, 1 false positive, 2 true negative, 3 false negative."""
    return np.where(y_score >= threshold, 1 - y_true, 2 + y_true)


def placements(y_true: Labels, y_score: Floats) -> Floats:
    """Share of the other class that each image is on the right side of (n,), ties one half (DeLong et al. 1988); both
    classes must be there."""
    step = np.unique(y_score, return_inverse=True)[1]
    positive = np.bincount(step, y_true)
    negative = np.bincount(step) - positive
    below = (np.cumsum(negative) - negative / 2) / negative.sum()
    above = 1 - (np.cumsum(positive) - positive / 2) / positive.sum()
    placed: Floats = np.where(y_true == 1, below[step], above[step])
    return placed


def losses(metric: str, y_true: Labels, y_score: Floats) -> Floats:
    """Each image's share in log loss (nats) or Brier score, of the same shape as `y_score`."""
    if metric == "brier":
        return np.asarray((y_score - y_true) ** 2, dtype=np.float64)
    p = np.clip(y_score, CLIP, 1 - CLIP)
    return np.where(y_true == 1, -np.log(p), -np.log1p(-p))


class Units:
    """What was drawn independently: patients, or single images where `patients` is None.

    `y_true` (n,) of 0 and 1, `patients` (n,) names. `count` is the number of units, `counts` those that hold an image
    of class 0 and of class 1. `repeated` says whether any unit has several images. Raises ValueError when the
    lengths differ.
    """

    def __init__(self, y_true: Labels, patients: Sequence[str] | npt.NDArray[np.int64] | None = None) -> None:
        if patients is not None and len(patients) != len(y_true):
            raise ValueError(f"{len(patients)} patients for {len(y_true)} images")
        if patients is None:
            self.index = np.arange(len(y_true))
        else:
            self.index = np.unique(np.asarray(patients), return_inverse=True)[1]
        self.y_true = y_true
        self.count = int(self.index.max()) + 1
        self.repeated = self.count < len(y_true)
        self.counts = tuple(int(np.count_nonzero(np.bincount(self.index[y_true == label]))) for label in (0, 1))

    def sums(self, values: Floats) -> Floats:
        """Sum of `values` (k, n) over the images of each unit: (k, count)."""
        if not self.repeated:
            return values[:, np.argsort(self.index)]
        return np.stack([np.bincount(self.index, row, self.count) for row in values])

    def covariance(self, influences: Floats) -> Floats:
        """Covariance (k, k) of k metrics from their influences (k, n), summed by patient: Obuchowski 1997, which is
        DeLong et al. 1988 for the AUC when every patient has one image."""
        positive = self.sums(influences * self.y_true)
        negative = self.sums(influences * (1 - self.y_true))
        between = positive @ negative.T
        return (
            _small_sample(self.counts[1]) * positive @ positive.T
            + _small_sample(self.counts[0]) * negative @ negative.T
            + _small_sample(self.count) * (between + between.T)
        )

    def variance(self, influences: Floats) -> float:
        """Variance of the metric with these influences (n,), never below 0."""
        return max(0.0, float(self.covariance(influences[None])[0, 0]))

    def correlation(self, first: Floats, second: Floats) -> float:
        """Correlation of the estimates of two metrics with these influences (n,); 0 where one of them cannot vary."""
        one, other = self.sums(np.stack([first, second]))
        scale = float(one @ one) * float(other @ other)
        return float(np.clip(one @ other / np.sqrt(scale), -1, 1)) if scale > 0 else 0.0

    def degrees_of_freedom(self, influences: Floats) -> float:
        """Degrees of freedom of the variance of a metric with these influences (n,), from how much the estimate of that
        variance itself varies (Pan and Wall 2002); from 1 to `count` - 1. Few when a few units carry the variance."""
        squares = self.sums(influences[None])[0] ** 2
        if self.count < 2 or not squares.any():
            return float(max(1, self.count - 1))
        excess = float((squares**2).sum() / squares.sum() ** 2) - 1 / self.count
        return min(self.count - 1.0, max(1.0, 2 / excess)) if excess > 0 else self.count - 1.0


def centred(influences: Floats, y_true: Labels, class_sizes: ClassSizes) -> Floats:
    """`influences` (..., n) under `class_sizes`: where they were fixed, what the images of a class have in common does
    not vary."""
    if class_sizes == "drawn":
        return influences
    within = influences.copy()
    for label in np.unique(y_true):
        of_class = y_true == label
        within[..., of_class] -= within[..., of_class].mean(axis=-1, keepdims=True)
    return within


def _small_sample(units: int) -> float:
    return units / (units - 1) if units > 1 else 1.0


def _gradient(metric: str, counts: Floats) -> Floats | None:
    """Derivative of a metric of decisions by the four counts."""
    if metric in RATIOS:
        above, below = (np.array(weights, dtype=np.float64) for weights in RATIOS[metric])
        total = counts @ below
        if not total:
            return None
        gradient: Floats = (above - counts @ above / total * below) / total
        return gradient
    if metric == "balanced_accuracy":
        recall, specificity = _gradient("recall", counts), _gradient("specificity", counts)
        return None if recall is None or specificity is None else (recall + specificity) / 2
    if metric == "mcc":
        return _mcc_gradient(*counts)
    raise KeyError(metric)


def _mcc_gradient(tp: float, fp: float, tn: float, fn: float) -> Floats | None:
    called, positive, negative, passed = tp + fp, tp + fn, tn + fp, tn + fn
    scale = np.sqrt(called * positive * negative * passed)
    if not scale:
        return None
    half = (tp * tn - fp * fn) / scale / 2
    return np.array(
        [
            tn / scale - half * (1 / called + 1 / positive),
            -fn / scale - half * (1 / called + 1 / negative),
            tp / scale - half * (1 / negative + 1 / passed),
            -fp / scale - half * (1 / positive + 1 / passed),
        ]
    )


def _of_auc(y_true: Labels, y_score: Floats) -> Floats | None:
    positives = int(y_true.sum())
    if positives in (0, len(y_true)):
        return None
    found = placements(y_true, y_score)
    area = found[y_true == 1].mean()
    moved: Floats = (found - area) / np.where(y_true == 1, positives, len(y_true) - positives)
    return moved


def _of_average_precision(y_true: Labels, y_score: Floats) -> Floats | None:
    positives = int(y_true.sum())
    if positives in (0, len(y_true)):
        return None
    step = np.unique(-y_score, return_inverse=True)[1]  # equal scores are one step of the curve, the highest is first
    here = np.bincount(step, y_true)
    tp, called = np.cumsum(here), np.cumsum(np.bincount(step))
    precision = tp / called
    value = here @ precision / positives

    def after(values: Floats) -> Floats:
        """Sum of a step's and all later steps' values."""
        return np.cumsum(values[::-1])[::-1]

    gain = (precision - value + after(here * (called - tp) / called**2)) / positives
    loss = -after(here * tp / called**2) / positives
    return np.where(y_true == 1, gain[step], loss[step])


def _of_mean(metric: str) -> Callable[[Labels, Floats], Floats]:
    def of_loss(y_true: Labels, y_score: Floats) -> Floats:
        values = losses(metric, y_true, y_score)
        moved: Floats = (values - values.mean()) / len(values)
        return moved

    return of_loss


_OF_SCORES: dict[str, Callable[[Labels, Floats], Floats | None]] = {
    "auc": _of_auc,
    "average_precision": _of_average_precision,
    "log_loss": _of_mean("log_loss"),
    "brier": _of_mean("brier"),
}
METRICS: tuple[str, ...] = (*_OF_SCORES, *RATIOS, "balanced_accuracy", "mcc")
"""The metrics that have an influence, and so a standard error."""

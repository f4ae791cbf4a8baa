"""Variances from how much each image moves a metric: the linearisation behind every standard error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
ClassSizes = Literal["drawn", "fixed"]
"""Whether the number of images of each class came with the sample, or was fixed beforehand, as in a balanced draw."""

CLIP = 1e-7
"""Scores are clipped to [CLIP, 1 - CLIP] before a logarithm or a logit is taken, as Keras does."""


def cells(y_true: Labels, y_score: Floats, threshold: float) -> Labels:
    """The cell of each image's decision (n,): 0 true positive, 1 false positive, 2 true negative, 3 false negative."""
    return np.where(y_score >= threshold, 1 - y_true, 2 + y_true)


class Clusters:
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

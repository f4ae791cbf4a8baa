"""Whether an image is unlike those a model was trained on: a distance fitted on training images, with a limit that
validation images set."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.covariance import LedoitWolf

Floats = npt.NDArray[np.float64]

LEVEL = 0.01
"""The share of images like those of validation that each limit is meant to flag."""


@dataclass(frozen=True, eq=False)
class OODReference:
    """What training images look like in one description of d numbers.

    `means` (classes, d) and the shared `precision` (d, d) are of training images. `limit` is the largest distance that
    counts as alike; `share` of images like those of validation are expected beyond it, `images` of which set it.
    """

    means: Floats
    precision: Floats
    limit: float
    share: float
    images: int

    def distances(self, described: npt.NDArray[np.floating]) -> Floats:
        """Mahalanobis distance of each row of `described` (n, d) to the nearest class mean: (n,), 0 or more."""
        away = np.asarray(described, dtype=np.float64)[:, None, :] - self.means
        squared = np.einsum("nci,ij,ncj->nc", away, self.precision, away)
        return np.asarray(np.sqrt(np.maximum(squared, 0.0)).min(axis=1))


def fit_reference(
    train: npt.NDArray[np.floating],
    labels: npt.NDArray[np.int64],
    val: npt.NDArray[np.floating],
    level: float = LEVEL,
) -> OODReference:
    """The reference of descriptions `train` (n, d) with class `labels` (n,), its limit from those of `val` (m, d).

    One mean a class and one covariance for all (Lee et al., NeurIPS 2018), the covariance shrunk (Ledoit and Wolf
    2004), since d may exceed n. The limit is the split-conformal one (Bates et al., Annals of Statistics 2023): the
    ceil((m + 1) (1 - level))-th smallest distance of `val`, so that an image exchangeable with those is beyond it with
    a probability of `level` at most. Where `val` has too few images for that, it is the largest distance, and `share`
    says what that can hold: 1 / (m + 1).

    Raises ValueError without images, or where numbers are not finite.
    """
    train, val = np.asarray(train, dtype=np.float64), np.asarray(val, dtype=np.float64)
    if not len(train) or not len(val):
        raise ValueError("a reference needs training and validation images")
    if not (np.isfinite(train).all() and np.isfinite(val).all()):
        raise ValueError("a description is not finite")
    classes = np.unique(labels)
    means = np.stack([train[labels == label].mean(axis=0) for label in classes])
    centred = train - means[np.searchsorted(classes, labels)]
    estimate = LedoitWolf(assume_centered=True).fit(centred)
    scale = float(np.trace(estimate.covariance_)) / train.shape[1]
    # Where all training images are the same, a shrunk covariance is still 0: any other image is infinitely far.
    ridge = max(scale, 1.0) * 1e-9
    precision = np.linalg.inv(estimate.covariance_ + ridge * np.eye(train.shape[1]))
    count = len(val)
    rank = min(count, math.ceil((count + 1) * (1 - level)))
    share = max(level, 1 / (count + 1))
    unset = OODReference(means, precision, math.inf, share, count)
    return OODReference(means, precision, float(np.sort(unset.distances(val))[rank - 1]), share, count)

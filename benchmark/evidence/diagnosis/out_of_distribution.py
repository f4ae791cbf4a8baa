"""Fit the reference of out-of-distribution detection: distances from training images, limits from validation images."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from benchmark.evidence.diagnosis.reference import OODReference

LEVEL = 0.01
"""The nominal share of in-distribution images beyond each limit."""


def fit_reference(
    train: npt.NDArray[np.floating],
    labels: npt.NDArray[np.int64],
    val: npt.NDArray[np.floating],
    level: float = LEVEL,
) -> OODReference:
    """Fit a reference on training images and set its limit on validation images.

    It has one mean per class and one covariance (Lee et al., NeurIPS 2018), which is shrunk (Ledoit and Wolf 2004),
    since d may exceed n. The limit is split-conformal (Bates et al., Annals of Statistics 2023): the
    ceil((m + 1) (1 - level))-th smallest validation distance. An image that is exchangeable with the validation images
    is beyond it with a probability of at most `level`. If m is too small for that, the limit is the largest distance
    and the probability at most 1 / (m + 1).

    Args:
        train: Descriptions of training images, (n, d).
        labels: Their classes, (n,).
        val: Descriptions of validation images, (m, d).
        level: The nominal share of in-distribution images beyond the limit, in (0, 1).

    Returns:
        The reference.

    Raises:
        ValueError: There are no images, or a number is not finite.
    """
    train, val = np.asarray(train, dtype=np.float64), np.asarray(val, dtype=np.float64)
    if not len(train) or not len(val):
        raise ValueError("a reference needs training and validation images")
    if not (np.isfinite(train).all() and np.isfinite(val).all()):
        raise ValueError("a description is not finite")
    classes = np.unique(labels)
    means = np.stack([train[labels == label].mean(axis=0) for label in classes])
    centred = train - means[np.searchsorted(classes, labels)]
    from sklearn.covariance import LedoitWolf  # here, because it loads slowly

    # Without its pseudo-inverse, which takes most of the time and is not used.
    estimate = LedoitWolf(assume_centered=True, store_precision=False).fit(centred)
    scale = float(np.trace(estimate.covariance_)) / train.shape[1]
    # If all training images are equal, the shrunk covariance is 0 and has no inverse.
    ridge = max(scale, 1.0) * 1e-9
    precision = np.linalg.inv(estimate.covariance_ + ridge * np.eye(train.shape[1]))
    count = len(val)
    rank = min(count, math.ceil((count + 1) * (1 - level)))
    share = max(level, 1 / (count + 1))
    unset = OODReference(means, precision, math.inf, share, count)
    return OODReference(means, precision, float(np.sort(unset.distances(val))[rank - 1]), share, count)

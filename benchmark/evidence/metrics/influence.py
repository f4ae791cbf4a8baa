"""Variances of metrics from influence values: the linearisation behind every standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Cut = float | Floats
"""A decision threshold, or one per image (n,), as in a cross-validation whose folds have thresholds of their own."""
ClassSizes = Literal["drawn", "fixed"]
"""Whether the number of images per class is random, or was fixed beforehand, as in a balanced test set."""

TRAINING_SHARE = 0.4
"""The share of the correction of Nadeau and Bengio (2003) with which intervals of 5 folds cover the mean performance of
models trained on as many images in about 95% of simulated data sets."""

_ROUNDING = 1e-13
"""Variance that rounding alone leaves where values cancel, as a share of the variance without cancelling."""


def cells(y_true: Labels, y_score: Floats, threshold: Cut) -> Labels:
    """Return the cell of the confusion matrix that each image falls in.

    Args:
        y_true: Labels (n,), 0 or 1.
        y_score: Scores (n,) in [0, 1].
        threshold: Scores at or above it are called positive; one for all images, or one per image (n,).

    Returns:
        Cells (n,): 0 true positive, 1 false positive, 2 true negative, 3 false negative.
    """
    return np.where(y_score >= threshold, 1 - y_true, 2 + y_true)


@lru_cache(maxsize=16)  # all figures of all cards have the same patients, and sorting their names takes long
def _numbered(patients: tuple[str, ...]) -> Labels:
    """The number of each image's patient (n,), in the order of their names."""
    index: Labels = np.unique(np.asarray(patients), return_inverse=True)[1]
    index.flags.writeable = False
    return index


class Clusters:
    """The independent units of a sample: patients, or single images if patients are not known.

    Args:
        y_true: Labels (n,), from 0; 0 or 1 for two classes.
        patients: The patient of each image (n,), or None.

    Attributes:
        index: The cluster of each image (n,), from 0.
        count: The number of clusters.
        counts: The number of clusters with an image of each class, for two classes or more.
        repeated: Whether any cluster has several images.

    Raises:
        ValueError: If the lengths differ.
    """

    def __init__(self, y_true: Labels, patients: Sequence[str] | npt.NDArray[np.int64] | None = None) -> None:
        if patients is not None and len(patients) != len(y_true):
            raise ValueError(f"{len(patients)} patients for {len(y_true)} images")
        if patients is None:
            self.index = np.arange(len(y_true))
        else:
            self.index = _numbered(tuple(patients))
        self.y_true = y_true
        self.count = int(self.index.max()) + 1
        self.repeated = self.count < len(y_true)
        self._order = None if self.repeated else np.argsort(self.index)
        labels = range(max(2, int(y_true.max()) + 1))
        self.counts = tuple(int(np.count_nonzero(np.bincount(self.index[y_true == label]))) for label in labels)

    def sums(self, values: Floats) -> Floats:
        """Return the sums (k, count) of `values` (k, n) over the images of each cluster."""
        if self._order is not None:
            return values[:, self._order]
        return np.stack([np.bincount(self.index, row, self.count) for row in values])

    def _sums_by_class(self, values: Floats) -> Sequence[Floats] | Floats:
        """Return per class the sums (k, count) of `values` (k, n) over its images in each cluster."""
        classes = len(self.counts)
        if self._order is not None:
            return [self.sums(values * (self.y_true == label)) for label in range(classes)]
        cell, size = self.y_true * self.count + self.index, classes * self.count
        rows = [np.bincount(cell, row, size).reshape(classes, self.count) for row in values]
        return np.stack(rows, axis=1)

    def images(self, trial: Floats | None = None) -> Floats:
        """Return the number of images (classes, count) of each class in each cluster.

        Args:
            trial: Whether each image counts (n,), 0 or 1; None: every image does.

        Returns:
            Numbers of images, at least 0.
        """
        weights = np.ones(len(self.y_true)) if trial is None else trial
        return np.concatenate(self._sums_by_class(weights[None]))

    def deviations(self, influences: Floats) -> Floats:
        """Return by how much each cluster moves k metrics: the delete-one-cluster jackknife of the linearised metrics.

        The sum of their squares is the variance. Without repeats it is that of DeLong et al. 1988. A cluster with a
        large share of the images pulls the metric towards itself, so that its influence values understate how far it
        lies from the others. The jackknife makes up for this (Bell and McCaffrey 2002): it divides the deviation from
        the mean of a class by 1 - h, where h is the share of the cluster in the images of the class. What the number
        of images of each class contributes is divided by the share in all images.

        Args:
            influences: Influence values (k, n) of the metrics.

        Returns:
            Deviations (k, count).
        """
        sums = self._sums_by_class(influences)
        total: Floats = np.zeros_like(sums[0])
        if self._order is not None:
            for clusters, of_class in zip(self.counts, sums, strict=True):
                total = total + math.sqrt(_small_sample(clusters)) * of_class
            return total
        images = self.images()
        of_all = _leverage(images.sum(axis=0), self.count)
        for clusters, of_class, size in zip(self.counts, sums, images, strict=True):
            if clusters:
                expected = np.outer(of_class.sum(axis=1) / size.sum(), size)
                deviations = (of_class - expected) * _leverage(size, clusters) + expected * of_all
                total = total + math.sqrt(_small_sample(clusters)) * deviations
        return total

    def covariance(self, influences: Floats) -> Floats:
        """Return the covariance of k metrics by cluster: Obuchowski 1997, or DeLong et al. 1988 without repeats.

        Args:
            influences: Influence values (k, n) of the metrics.

        Returns:
            Covariance matrix (k, k) of the estimates.
        """
        deviations = self.deviations(influences)
        return deviations @ deviations.T

    def variance(self, influence: Floats) -> float:
        """Return the variance of the metric with these influence values (n,); 0 if no cluster differs from another."""
        variance = float(self.covariance(influence[None])[0, 0])
        if self._order is not None:  # no values cancel
            return max(0.0, variance)
        return variance if variance > self.rounding(influence[None]) else 0.0

    def rounding(self, influences: Floats) -> float:
        """Return the variance up to which rounding alone explains that of a sum or difference of k metrics.

        If all clusters have the same images and decisions, the influence values of each cancel, except for rounding in
        proportion to the values.

        Args:
            influences: Influence values (k, n) of the metrics.

        Returns:
            The variance, at least 0.
        """
        sizes = self.sums(np.abs(influences).sum(axis=0)[None])[0]
        return _ROUNDING * float(sizes @ sizes)

    def correlation(self, first: Floats, second: Floats) -> float:
        """Return the correlation of two estimates from their influence values (n,); 0 if either cannot vary."""
        a, b = self.sums(np.stack([first, second]))
        scale = float(a @ a) * float(b @ b)
        return float(np.clip(a @ b / np.sqrt(scale), -1, 1)) if scale > 0 else 0.0

    def correlations(self, influences: Floats) -> Floats:
        """Return the correlations (k, k) of k estimates from their influence values (k, n); 0 where one cannot vary."""
        products = (sums := self.sums(influences)) @ sums.T
        scale = np.sqrt(np.outer(np.diag(products), np.diag(products)))
        values: Floats = np.clip(np.divide(products, scale, out=np.zeros_like(products), where=scale > 0), -1, 1)
        np.fill_diagonal(values, 1.0)
        return values

    def effective_count(self, trial: Floats | None = None) -> float:
        """Return the effective number of clusters (Kish 1965): that of equally large ones which are worth as much.

        Args:
            trial: Whether each image counts (n,), 0 or 1; None: every image does.

        Returns:
            (sum of m) squared over the sum of m squared, where m are the images of a cluster; 0 without an image.
        """
        return _effective(self.images(trial).sum(axis=0))

    def effective_counts(self, trial: Floats | None = None) -> tuple[float, ...]:
        """Return `effective_count` among the images of each class."""
        return tuple(_effective(of_class) for of_class in self.images(trial))

    def design_freedom(self, influence: Floats, trial: Floats | None = None) -> float:
        """Return the degrees of freedom of a variance estimate that follow from the sizes of the clusters.

        Those of a class are the effective number of its clusters less one (Kish 1965). Here a cluster of m images
        counts as much as it is expected to contribute to the variance, m (1 + (m - 1) r), where r is the correlation
        of images in a cluster (Bell and McCaffrey 2002). The variances of both classes add up (Satterthwaite 1946).

        Args:
            influence: Influence values (n,) of the metric.
            trial: Whether each image counts (n,), 0 or 1, as in the denominator of a proportion, whose effective number
                of clusters less one is an upper limit; None: every image does.

        Returns:
            Degrees of freedom, at least 1.
        """
        limit = max(1.0, self.effective_count(trial) - 1)
        variances = np.array([float((of_class**2).sum()) for of_class in self._sums_by_class(influence[None])])
        alone = np.bincount(self.y_true, influence**2, len(self.counts))
        if not variances.any():
            return limit
        images = self.images()
        counts = [_effective(_contributions(*each)) for each in zip(images, variances, alone, strict=True)]
        variances *= [_small_sample(clusters) for clusters in self.counts]
        df = satterthwaite(variances, np.maximum(1, np.array(counts) - 1))
        return df if trial is None else min(df, limit)

    def degrees_of_freedom(self, influence: Floats) -> float:
        """Return the degrees of freedom of a variance estimate.

        They follow from the variance of the variance estimate (Pan and Wall 2002), and are few if a few clusters
        dominate it. They are at most those of `design_freedom`.

        Args:
            influence: Influence values (n,) of the metric.

        Returns:
            Degrees of freedom, from 1 to `count` - 1.
        """
        squares = self.sums(influence[None])[0] ** 2
        if self.count < 2 or not squares.any():
            return float(max(1, self.count - 1))
        excess = float((squares**2).sum() / squares.sum() ** 2) - 1 / self.count
        least = min(self.count - 1.0, self.design_freedom(influence))
        return min(least, max(1.0, 2 / excess)) if excess > 0 else least


def satterthwaite(variances: Floats, freedoms: Floats) -> float:
    """Return the degrees of freedom of a sum of variances (Satterthwaite 1946).

    Args:
        variances: The variances (k,) of independent terms, at least one above 0.
        freedoms: Their degrees of freedom (k,).

    Returns:
        The degrees of freedom, at least 1.
    """
    return max(1.0, float(variances.sum() ** 2 / (variances**2 / freedoms).sum()))


def centred(influences: Floats, y_true: Labels, class_sizes: ClassSizes) -> Floats:
    """Return influence values that respect how the class sizes came about.

    Args:
        influences: Influence values (..., n).
        y_true: Labels (n,), from 0.
        class_sizes: With `fixed`, the mean of a class does not contribute to the variance and is subtracted.

    Returns:
        Influence values (..., n).
    """
    if class_sizes == "drawn":
        return influences
    within = influences.copy()
    for label in np.unique(y_true):
        of_class = y_true == label
        within[..., of_class] -= within[..., of_class].mean(axis=-1, keepdims=True)
    return within


def fold_inflation(fold: Labels | None) -> float:
    """Return the factor on the variance of a figure of a cross-validation that accounts for its training images.

    The models of the folds share training images, and the test images of a fold train the models of the others. Nadeau
    and Bengio (2003) add n_test / n_train to 1 / k in the variance of a mean over k test sets, which multiplies a
    variance that takes folds as independent by 1 + k n_test / n_train. With k folds, n_test / n_train is 1 / (k - 1).
    Their whole term makes intervals of folds too wide, and none makes them too narrow, so `TRAINING_SHARE` of it is
    added.

    Args:
        fold: The fold of each image (n,), from 0; None for the scores of one model.

    Returns:
        The factor, at least 1; 1 without folds.
    """
    folds = 1 if fold is None else int(fold.max()) + 1
    return 1 + TRAINING_SHARE * folds / (folds - 1) if folds > 1 else 1.0


def fold_corrections(y_true: Labels, fold: Labels, units: Sequence[str] | Labels | None = None) -> Floats:
    """Return factors that give the sum of squares of a fold's influence values its own small-sample correction.

    `Clusters.covariance` multiplies the sum of squares of a class by c / (c - 1), with c clusters of the class in all
    folds. Values that are centred within a fold need the c of the fold, which is smaller.

    Args:
        y_true: Labels (n,), from 0.
        fold: The fold of each image (n,).
        units: The patient of each image (n,); None: every image is a unit of its own.

    Returns:
        Factors (n,), at least 1; 1 for a class with a single unit in its fold, which shows no variation.
    """
    unit = np.arange(len(y_true)) if units is None else np.unique(np.asarray(units), return_inverse=True)[1]
    factors = np.ones(len(y_true))
    for label in np.unique(y_true):
        overall = len(np.unique(unit[y_true == label]))
        for index in np.unique(fold):
            here = (fold == index) & (y_true == label)
            count = len(np.unique(unit[here]))
            if count > 1:
                factors[here] = np.sqrt(_small_sample(count) / _small_sample(overall))
    return factors


def _small_sample(clusters: int) -> float:
    return clusters / (clusters - 1) if clusters > 1 else 1.0


def _leverage(images: Floats, clusters: int) -> Floats:
    """Return by how much the jackknife enlarges the deviation of each cluster (count,): 1 if all are equally large."""
    if clusters < 2:
        return np.ones_like(images)
    factors: Floats = (1 - 1 / clusters) / (1 - images / images.sum())
    return factors


def _contributions(images: Floats, variance: float, alone: float) -> Floats:
    """Return the contributions (count,) of clusters to a variance, up to a factor, from that of independent images."""
    total = float(images.sum())
    excess = float(images @ images) / total - 1 if total else 0.0
    correlation = min(1.0, max(0.0, (variance / alone - 1) / excess)) if excess > 0 and alone > 0 else 0.0
    contributions: Floats = images * (1 + (images - 1) * correlation)
    return contributions


def _effective(images: Floats) -> float:
    """Return the effective number of clusters that count as much as `images` (count,)."""
    squares = float(images @ images)
    return float(images.sum()) ** 2 / squares if squares else 0.0

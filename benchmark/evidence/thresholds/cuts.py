"""Every way to cut scores in two by a threshold, and the search for the best one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmark.evidence.scores import Scores

Array = npt.NDArray[np.float64]

_TIE = 1e-12


@dataclass(frozen=True, eq=False)
class Cuts:
    """Every way to cut samples of scores in two, from "all positive" to "all negative".

    All arrays are (samples, cuts): the threshold, halfway between the neighbouring scores of its sample (or between the
    last one and the end of the scale, 0 or 1), and the images counted at it. Each sample holds both classes.
    """

    threshold: Array
    tp: Array
    fp: Array
    tn: Array
    fn: Array

    @property
    def sensitivity(self) -> Array:
        """Share of positives called positive."""
        return self.tp / (self.tp + self.fn)

    @property
    def specificity(self) -> Array:
        """Share of negatives called negative."""
        return self.tn / (self.tn + self.fp)


Goodness = Callable[[Cuts, float], Array]
"""`(cuts, value) -> goodness` of every cut: the largest is the best, -inf is out of the question. `value` is the rule's
own parameter."""


def best_cuts(scores: Scores, goodness: Goodness, value: float, weights: Array, *, one_class: bool) -> Array:
    """The best threshold of every resample; among equally good ones the nearest to 0.5.

    Args:
        scores: The images that are resampled.
        goodness: What the best cut has most of.
        value: The parameter of `goodness`.
        weights: (samples, n), how often each image of `scores` occurs in each sample.
        one_class: Whether a cut may call all images positive, or all negative.

    Returns:
        Thresholds in [0, 1], (samples,); NaN where a sample lacks a class, has one score only or no admissible cut.
    """
    thresholds = np.full(len(weights), np.nan)
    order = np.argsort(scores.y_score, kind="stable")
    distinct, first = np.unique(scores.y_score[order], return_index=True)
    positive = np.add.reduceat((weights * scores.y_true)[:, order], first, axis=1)
    negative = np.add.reduceat((weights * (1 - scores.y_true))[:, order], first, axis=1)
    usable = positive.any(axis=1) & negative.any(axis=1) & (np.count_nonzero(positive + negative, axis=1) > 1)
    if not usable.any():
        return thresholds
    cuts = _cuts(distinct, positive[usable], negative[usable])
    called = cuts.tp + cuts.fp
    rank = goodness(cuts, value)
    if not one_class:
        rank = np.where((called == 0) | (called == called[:, :1]), -np.inf, rank)
    # A score of 1 is positive at every threshold up to 1: such a sample has no cut that calls all negative.
    full = (positive + negative)[usable] > 0
    topmost = np.where(full, distinct, 0).max(axis=1, keepdims=True)
    rank = np.where((called == 0) & (topmost == 1), -np.inf, rank)
    best = rank.max(axis=1, keepdims=True)
    equal = rank >= best - _TIE * np.maximum(1, np.abs(best))
    nearest = np.where(equal, np.abs(cuts.threshold - 0.5), np.inf).argmin(axis=1)
    picked = cuts.threshold[np.arange(len(nearest)), nearest]
    thresholds[usable] = np.where(np.isfinite(best[:, 0]), picked, np.nan)
    return thresholds


def _cuts(distinct: Array, positive: Array, negative: Array) -> Cuts:
    # positive and negative (samples, scores): images of each class at each distinct score, ascending. A score that
    # occurs in no image of a sample is no neighbour there: its cuts repeat those beside it.
    start, end = np.zeros((len(positive), 1)), np.ones((len(positive), 1))
    occurs = positive + negative > 0
    fn = np.hstack([start, np.cumsum(positive, axis=1)])
    tn = np.hstack([start, np.cumsum(negative, axis=1)])
    below = np.hstack([start, np.maximum.accumulate(np.where(occurs, distinct, 0), axis=1)])
    above = np.hstack([np.minimum.accumulate(np.where(occurs, distinct, 1)[:, ::-1], axis=1)[:, ::-1], end])
    middle = (below + above) / 2
    threshold = np.where(middle <= below, above, middle)  # neighbours may leave no room between them
    return Cuts(threshold, tp=fn[:, -1:] - fn, fp=tn[:, -1:] - tn, tn=tn, fn=fn)

"""The cuts of scores into negative and positive, and the search for the best cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmark.evidence.metrics.registry import get_metric
from benchmark.evidence.scores import Scores

Array = npt.NDArray[np.float64]

_TIE = 1e-12


@dataclass(frozen=True, eq=False)
class Cuts:
    """All cuts of samples of scores, from "all positive" to "all negative".

    All arrays are (samples, cuts). Each sample contains both classes.

    Attributes:
        threshold: Halfway between two neighbouring scores, or between an outermost score and 0 or 1.
        tp: True positives at the threshold.
        fp: False positives.
        tn: True negatives.
        fn: False negatives.
    """

    threshold: Array
    tp: Array
    fp: Array
    tn: Array
    fn: Array

    def figure(self, metric: str) -> Array:
        """Compute a metric of decisions at every cut: (samples, cuts), NaN where undefined."""
        counts = np.stack([self.tp, self.fp, self.tn, self.fn])
        with np.errstate(divide="ignore", invalid="ignore"):
            figures = get_metric(metric).of_weighted_counts(counts.reshape(4, -1))
        return figures.reshape(self.tp.shape)

    @property
    def sensitivity(self) -> Array:
        """Share of positives predicted positive."""
        return self.tp / (self.tp + self.fn)

    @property
    def specificity(self) -> Array:
        """Share of negatives predicted negative."""
        return self.tn / (self.tn + self.fp)


Objective = Callable[[Cuts, float], Array]
"""`(cuts, value) -> objective` of every cut, (samples, cuts); `value` is the parameter of the rule. The best cut
maximises it; -inf excludes a cut."""


def best_cuts(scores: Scores, objective: Objective, value: float, weights: Array, *, one_class: bool) -> Array:
    """Search the best threshold of every resample; of several equally good ones, take the nearest to 0.5.

    Args:
        scores: The n images that are resampled.
        objective: The best cut maximises it.
        value: The parameter of `objective`.
        weights: How often each image occurs in each sample, (samples, n).
        one_class: Whether all images may be predicted positive, or all negative.

    Returns:
        Thresholds in [0, 1], (samples,); NaN where a sample lacks a class, has a single distinct score, or has no
        admissible cut.
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
    predicted = cuts.tp + cuts.fp  # positive
    rank = objective(cuts, value)
    if not one_class:
        rank = np.where((predicted == 0) | (predicted == predicted[:, :1]), -np.inf, rank)
    # A score of 1 is positive at every threshold in [0, 1]: no cut of such a sample is all negative.
    occurs = (positive + negative)[usable] > 0
    topmost = np.where(occurs, distinct, 0).max(axis=1, keepdims=True)
    rank = np.where((predicted == 0) & (topmost == 1), -np.inf, rank)
    best = rank.max(axis=1, keepdims=True)
    equal = rank >= best - _TIE * np.maximum(1, np.abs(best))
    nearest = np.where(equal, np.abs(cuts.threshold - 0.5), np.inf).argmin(axis=1)
    picked = cuts.threshold[np.arange(len(nearest)), nearest]
    thresholds[usable] = np.where(np.isfinite(best[:, 0]), picked, np.nan)
    return thresholds


def _cuts(distinct: Array, positive: Array, negative: Array) -> Cuts:
    # positive, negative (samples, scores): images of each class at each distinct score, ascending. A score that does
    # not occur in a sample adds no cut there: its cuts repeat their neighbours.
    start, end = np.zeros((len(positive), 1)), np.ones((len(positive), 1))
    occurs = positive + negative > 0
    fn = np.hstack([start, np.cumsum(positive, axis=1)])
    tn = np.hstack([start, np.cumsum(negative, axis=1)])
    below = np.hstack([start, np.maximum.accumulate(np.where(occurs, distinct, 0), axis=1)])
    above = np.hstack([np.minimum.accumulate(np.where(occurs, distinct, 1)[:, ::-1], axis=1)[:, ::-1], end])
    middle = (below + above) / 2
    threshold = np.where(middle <= below, above, middle)  # no float may exist between two neighbours
    return Cuts(threshold, tp=fn[:, -1:] - fn, fp=tn[:, -1:] - tn, tn=tn, fn=fn)

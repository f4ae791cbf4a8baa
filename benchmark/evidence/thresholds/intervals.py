"""95% intervals of chosen thresholds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.special import betainc

from benchmark.evidence.intervals.bootstrap import draws, percentile
from benchmark.evidence.intervals.formulas import Bounds, t_quantile
from benchmark.evidence.intervals.uncertainty import interval
from benchmark.evidence.metrics.influence import Clusters, Floats
from benchmark.evidence.metrics.registry import value_of
from benchmark.evidence.scores import ValidationScores

LEVEL = 0.95
CANDIDATES = 400
"""Maximum number of cuts that are tested; an interval extends to the next tested cut that is excluded."""

FEW = 20
"""With fewer images of a class, or effective patients, bootstrap intervals of Youden's threshold cover 76 to 90%."""
_WINDOW_LEVEL = 0.05
_ONE_PATIENT = "no interval: all validation images come from one patient"


@dataclass(frozen=True, eq=False)
class Choice:
    """A threshold that a rule chose, with the inputs of interval functions.

    Attributes:
        scores: Validation scores of both classes, not all equal.
        value: The parameter of the rule.
        threshold: The chosen threshold.
        choose_again: Applies the rule to resamples: (scores, weights (samples, n)) -> thresholds (samples,), NaN for
            none.
        replicates: Number of bootstrap resamples.
        seed: Seed of the resamples.
    """

    scores: ValidationScores
    value: float
    threshold: float
    choose_again: Callable[[ValidationScores, Floats], Floats]
    replicates: int
    seed: int


IntervalFunction = Callable[[Choice], Bounds | str]
"""Computes the 95% interval in [0, 1] for the threshold that the rule would choose on unlimited images, or returns the
reason why there is none. The sampling unit is the patient where patients are known, else the image."""


def no_interval(choice: Choice) -> Bounds | str:
    """Return no interval, since the threshold is fixed."""
    return "a fixed threshold has no interval"


def bootstrap(choice: Choice) -> Bounds | str:
    """Return the percentile bootstrap interval (Efron 1981)."""
    if _one_patient(choice.scores):
        return _ONE_PATIENT
    scores = choice.scores
    order = np.lexsort((scores.y_true, scores.y_score))  # so that resamples do not depend on the order of images
    patients = None if scores.patient is None else tuple(scores.patient[image] for image in order)
    ordered = ValidationScores("val", scores.y_true[order], scores.y_score[order], patients)
    blocks = draws(ordered.y_true, ordered.patient, count=choice.replicates, seed=choice.seed)
    thresholds = np.concatenate([choice.choose_again(ordered, weights.T) for weights in blocks])
    missing = int(np.isnan(thresholds).sum())
    return percentile(thresholds, LEVEL) or (
        f"no interval: {missing} of {choice.replicates} resamples lack a class or have no threshold"
    )


def best_sum(choice: Choice) -> Bounds | str:
    """Return the interval of Youden's threshold: by bootstrap, or by windows if a class has few images.

    The largest recall + specificity - 1 is the lowest cost at which a missed positive costs as many false positives as
    there are negatives per positive. So `cost_windows` applies, which is cautious, but resamples no few images.

    Args:
        choice: A choice by Youden's rule.

    Returns:
        The lowest and the highest threshold, or why there is no interval.
    """
    negatives, positives = np.bincount(choice.scores.y_true, minlength=2).tolist()
    if min(Clusters(choice.scores.y_true, choice.scores.patient).effective_counts()) >= FEW:
        return bootstrap(choice)
    return cost_windows(replace(choice, value=negatives / positives))


def share_target(metric: str, choice: Choice) -> Bounds | str:
    """Accept the thresholds at which the 95% interval of a metric contains the target (Woodruff 1952).

    Args:
        metric: `recall` or `specificity`.
        choice: A choice whose value is the target.

    Returns:
        The lowest and the highest accepted threshold, or why there is no interval.
    """
    return _inverted(choice, partial(_around_target, metric))


def share_reached(metric: str, choice: Choice) -> Bounds | str:
    """Accept the thresholds up to the first one at which the 95% interval of a metric lies above the target.

    The lower end is the lowest threshold whose interval does not lie below the target. This suits the lowest threshold
    that reaches the target with a metric that rises with the threshold, on average, up to a few last images.

    Args:
        metric: `precision`, the share of positives among the images above the threshold.
        choice: A choice whose value is the target.

    Returns:
        The lowest and the highest accepted threshold, or why there is no interval.
    """
    return _inverted(choice, partial(_up_to_target, metric))


def balanced_errors(choice: Choice) -> Bounds | str:
    """Accept the thresholds at which the numbers of false positives and negatives do not differ (McNemar 1947)."""
    return _inverted(choice, _balanced)


def cost_windows(choice: Choice) -> Bounds | str:
    """Accept the thresholds that no adjacent window of images excludes.

    A threshold is excluded if some window of images directly above it contains significantly too few positives, or
    some window directly below it significantly too many.

    Args:
        choice: A choice whose value is the cost of a false negative, in false positives.

    Returns:
        The lowest and the highest accepted threshold, or why there is no interval.
    """
    return _inverted(choice, _within_cost)


def _inverted(choice: Choice, accept: Callable[[ValidationScores, _Cuts, float], np.ndarray]) -> Bounds | str:
    # The chosen cut is always accepted.
    if _one_patient(choice.scores):
        return _ONE_PATIENT
    cuts = _cuts_of(choice.scores, choice.threshold)
    accepted = accept(choice.scores, cuts, choice.value) | (cuts.first == cuts.of(choice.threshold))
    indices = np.flatnonzero(accepted)
    return cuts.lowest(int(indices[0])), cuts.highest(int(indices[-1]))


def _one_patient(scores: ValidationScores) -> bool:
    return scores.patient is not None and len(set(scores.patient)) == 1


@dataclass(frozen=True, eq=False)
class _Cuts:
    """Candidate cuts.

    Attributes:
        distinct: The distinct scores (m,), ascending.
        first: The index in `distinct` of the lowest score that each cut (c,) predicts positive: 0 for all, m for none.
    """

    distinct: Floats
    first: np.ndarray

    @property
    def thresholds(self) -> Floats:
        """A threshold for each cut (c,); the next float above all scores if none is predicted positive."""
        values: Floats = np.append(self.distinct, math.nextafter(self.distinct[-1], math.inf))[self.first]
        return values

    def of(self, threshold: float) -> int:
        """Return the index of the lowest distinct score that `threshold` predicts positive."""
        return int(np.searchsorted(self.distinct, threshold))

    def lowest(self, cut: int) -> float:
        """Return the upper limit of the thresholds that the next lower candidate represents."""
        return 0.0 if cut == 0 else float(self.distinct[self.first[cut - 1]])

    def highest(self, cut: int) -> float:
        """Return the lower limit of the thresholds that the next higher candidate represents."""
        return 1.0 if cut + 1 == len(self.first) else float(self.distinct[self.first[cut + 1] - 1])


def _cuts_of(scores: ValidationScores, chosen: float) -> _Cuts:
    distinct = np.unique(scores.y_score)
    last = len(distinct) - int(distinct[-1] == 1)  # a score of 1 is positive at every threshold in [0, 1]
    first = np.linspace(0, last, min(CANDIDATES, last + 1)).round().astype(int)
    cuts = _Cuts(distinct, first)
    return _Cuts(distinct, np.union1d(first, cuts.of(chosen)))


def _around_target(metric: str, scores: ValidationScores, cuts: _Cuts, target: float) -> np.ndarray:
    label = int(metric == "recall")
    clusters = Clusters(scores.y_true, scores.patient)
    sides = np.array([_side(metric, scores, threshold, clusters, target) for threshold in cuts.thresholds])
    around: np.ndarray = sides == 0
    # Where several images of the class have one score, the metric may jump over the target. The rule then chooses the
    # threshold before the jump, however far above the target.
    index = np.searchsorted(cuts.distinct, scores.y_score[scores.y_true == label])
    several = np.bincount(np.searchsorted(cuts.first, index, side="right") - 1, minlength=len(sides))[:-1] > 1
    before, after = (sides[:-1], sides[1:]) if label else (sides[1:], sides[:-1])
    jump = several & (before > 0) & (after <= 0)
    around[:-1] |= jump & bool(label)
    around[1:] |= jump & (not label)
    return around


def _up_to_target(metric: str, scores: ValidationScores, cuts: _Cuts, target: float) -> np.ndarray:
    clusters = Clusters(scores.y_true, scores.patient)
    some = cuts.first < len(cuts.distinct)  # the metric is undefined without an image above the threshold
    sides = np.array([_side(metric, scores, at, clusters, target) for at in cuts.thresholds[some]])
    above = np.flatnonzero(sides > 0)
    accepted = np.zeros(len(cuts.first), dtype=bool)
    accepted[: above[0] + 1 if len(above) else len(accepted)] = True
    accepted[: len(sides)] &= sides >= 0
    return accepted


def _side(metric: str, scores: ValidationScores, threshold: float, clusters: Clusters, target: float) -> int:
    """Compare the interval of the metric with the target: -1 below, 0 containing it, 1 above."""
    value = value_of(metric, scores, threshold)
    assert value is not None  # both classes exist
    estimate = interval(metric, value, scores.y_score, threshold, clusters, level=LEVEL)
    assert estimate.low is not None
    assert estimate.high is not None
    return int(estimate.low > target) - int(estimate.high < target)


def _balanced(scores: ValidationScores, cuts: _Cuts, value: float) -> np.ndarray:
    clusters = Clusters(scores.y_true, scores.patient)
    positive = scores.y_score >= cuts.thresholds[:, None]
    excess = clusters.sums(positive.astype(np.float64) - scores.y_true)  # false positives minus false negatives
    discordant = np.count_nonzero(excess, axis=1).tolist()
    freedom = [max(1, count - 1) if clusters.repeated else math.inf for count in discordant]
    errors = np.sqrt((excess**2).sum(axis=1))
    total = excess.sum(axis=1)
    accepted: np.ndarray = abs(total) <= errors * [t_quantile(LEVEL, each) for each in freedom]
    if not accepted.any():  # many images have one score, and the numbers differ at both cuts beside it
        last = int(np.flatnonzero(total > 0)[-1])
        accepted[last : last + 2] = True
    return accepted


def _within_cost(scores: ValidationScores, cuts: _Cuts, ratio: float) -> np.ndarray:
    """Test the images between every two cuts, a window, against the share 1 / (1 + `ratio`).

    Images belong above the threshold if at least this share is positive. Each test is one-sided at 5% (mid-p,
    Lancaster 1961), with the effective sample size of the window's patients (Kish 1965). The many tests are not
    corrected for multiplicity: since the share rises with the score, few windows are as close to the limit as the test
    assumes. docs/simulation.md reports the coverage.
    """
    step = np.searchsorted(cuts.first, np.searchsorted(cuts.distinct, scores.y_score), side="right") - 1
    positive = _before(np.bincount(step, scores.y_true, len(cuts.first)))
    images = _before(np.bincount(step, minlength=len(cuts.first)))
    low, high = np.triu_indices(len(cuts.first), 1)
    positives, sizes = positive[high] - positive[low], images[high] - images[low]
    if scores.patient is not None:
        patient = np.unique(scores.patient, return_inverse=True)[1]
        counts = np.zeros((patient.max() + 1, len(cuts.first)))
        np.add.at(counts, (patient, step), 1)
        before = _before(counts)
        products = before.T @ before
        squares = np.diag(products)
        weight = sizes / (squares[high] + squares[low] - 2 * products[low, high])
        positives, sizes = positives * weight, sizes * weight
    few, many = _mid_tails(positives, sizes, 1 / (1 + ratio))
    accepted = np.ones(len(cuts.first), dtype=bool)
    accepted[low[few < _WINDOW_LEVEL]] = False  # the window above the cut belongs below it
    accepted[high[many < _WINDOW_LEVEL]] = False  # the window below the cut belongs above it
    return accepted


def _before(counts: npt.ArrayLike) -> Floats:
    """Exclusive cumulative sum of `counts` (..., c) along the last axis."""
    numbers = np.asarray(counts, dtype=np.float64)
    sums: Floats = np.cumsum(numbers, axis=-1) - numbers
    return sums


def _mid_tails(successes: Floats, n: Floats, share: float) -> tuple[Floats, Floats]:
    """Binomial mid-p probabilities of at most and of at least `successes` in `n`, which may be fractional."""
    up_to = np.where(successes < n, betainc(np.maximum(n - successes, 1e-12), successes + 1, 1 - share), 1.0)
    fewer = np.where(successes > 0, betainc(n - successes + 1, np.maximum(successes, 1e-12), 1 - share), 0.0)
    few: Floats = (up_to + fewer) / 2
    return few, 1 - few

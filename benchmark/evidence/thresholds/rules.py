"""Rules that say which cut of the scores is best. What may be chosen, and on which scores, is threshold.py's matter."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmark.evidence.scores import Scores

Array = npt.NDArray[np.float64]

UNUSED = 0.5
"""What a rule that takes no value carries in its place, in protocols and in their stored identities."""

_TIE = 1e-12


@dataclass(frozen=True)
class Range:
    """The values a rule takes: finite numbers from `low`, or above it where `open_low`, to `high`.

    `default` stands where no value is given; None: one must be given, since it is a judgement.
    """

    low: float
    high: float = math.inf
    open_low: bool = False
    default: float | None = None

    def __contains__(self, value: float) -> bool:
        return math.isfinite(value) and self.low <= value <= self.high and not (self.open_low and value == self.low)

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"above {self.low:g}" if self.open_low else f"from {self.low:g}"
        return f"above {self.low:g}, {self.high:g} at most" if self.open_low else f"from {self.low:g} to {self.high:g}"


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


@dataclass(frozen=True)
class _Rule:
    goodness: Goodness | None  # None: nothing is searched, the value is the threshold
    value: Range | None
    one_class: bool


_RULES: dict[str, _Rule] = {"fixed": _Rule(None, Range(0, 1, default=0.5), one_class=True)}


def threshold_rule(name: str, *, value: Range | None = None, one_class: bool = False) -> Callable[[Goodness], Goodness]:
    """Register a rule. `value` is the range of its parameter, None when it takes none; `one_class` says that calling
    all images positive, or all negative, may be the answer. Raises ValueError for a name that is taken."""

    def register(function: Goodness) -> Goodness:
        if name in _RULES:
            raise ValueError(f"threshold rule '{name}' is registered twice")
        _RULES[name] = _Rule(function, value, one_class)
        return function

    return register


def rule_names() -> tuple[str, ...]:
    """The rules there are."""
    return tuple(sorted(_RULES))


def value_range(rule: str) -> Range | None:
    """The values that `rule` takes; None when it takes none. Raises ValueError for an unknown rule."""
    return _rule(rule).value


def rule_value(rule: str, value: float | None = None) -> float:
    """The value that `rule` works with: `value`, or its default when that is None.

    A rule that takes no value gives UNUSED and accepts it. Raises ValueError for an unknown rule and for a value that
    is missing, out of range, or of no use.
    """
    allowed = value_range(rule)
    if allowed is None:
        if value not in (None, UNUSED):
            raise ValueError(f"rule {rule} takes no value")
        return UNUSED
    if value is None:
        if allowed.default is None:
            raise ValueError(f"rule {rule} needs a value {allowed}")
        return allowed.default
    if value not in allowed:
        raise ValueError(f"rule {rule} takes a value {allowed}")
    return value


def best_cut(scores: Scores, rule: str, value: float) -> tuple[float | None, str | None]:
    """The threshold in [0, 1] that `rule` finds best on `scores`, or None and the reason. Among equals it is the one
    nearest to 0.5.

    A plain number, for choices and for yardsticks: a Threshold comes from `threshold.choose` alone.
    """
    split = "validation" if scores.split == "val" else scores.split
    if _rule(rule).goodness is not None:
        if len(np.unique(scores.y_true)) < 2:
            return None, f"the {split} split lacks a class"
        if np.ptp(scores.y_score) == 0:
            return None, f"all {split} scores are the same"
    found = float(best_cuts(scores, rule, value, np.ones((1, len(scores))))[0])
    if math.isnan(found):
        return None, f"no threshold up to 1 gives the {split} split a {rule} of {value:g}"
    return found, None


def best_cuts(scores: Scores, rule: str, value: float, weights: Array) -> Array:
    """The best threshold of every sample, (samples,), as `best_cut` would find it; NaN where it would find none.

    `weights` (samples, n) says how often each image of `scores` is in each sample.
    """
    declared = _rule(rule)
    if declared.goodness is None:
        return np.full(len(weights), value)
    found = np.full(len(weights), np.nan)
    order = np.argsort(scores.y_score, kind="stable")
    distinct, first = np.unique(scores.y_score[order], return_index=True)
    positive = np.add.reduceat((weights * scores.y_true)[:, order], first, axis=1)
    negative = np.add.reduceat((weights * (1 - scores.y_true))[:, order], first, axis=1)
    usable = positive.any(axis=1) & negative.any(axis=1) & (np.count_nonzero(positive + negative, axis=1) > 1)
    if not usable.any():
        return found
    cuts = _cuts(distinct, positive[usable], negative[usable])
    called = cuts.tp + cuts.fp
    goodness = declared.goodness(cuts, value)
    if not declared.one_class:
        goodness = np.where((called == 0) | (called == called[:, :1]), -np.inf, goodness)
    # A score of 1 is positive at every threshold up to 1: such a sample has no cut that calls all negative.
    full = (positive + negative)[usable] > 0
    topmost = np.where(full, distinct, 0).max(axis=1, keepdims=True)
    goodness = np.where((called == 0) & (topmost == 1), -np.inf, goodness)
    best = goodness.max(axis=1, keepdims=True)
    equal = goodness >= best - _TIE * np.maximum(1, np.abs(best))
    nearest = np.where(equal, np.abs(cuts.threshold - 0.5), np.inf).argmin(axis=1)
    picked = cuts.threshold[np.arange(len(nearest)), nearest]
    found[usable] = np.where(np.isfinite(best[:, 0]), picked, np.nan)
    return found


def _cuts(distinct: Array, positive: Array, negative: Array) -> Cuts:
    # positive and negative (samples, scores): the images of each class at each distinct score, ascending. A score that
    # no image of a sample has is no neighbour there: its cuts repeat those beside it.
    start, end = np.zeros((len(positive), 1)), np.ones((len(positive), 1))
    held = positive + negative > 0
    fn = np.hstack([start, np.cumsum(positive, axis=1)])
    tn = np.hstack([start, np.cumsum(negative, axis=1)])
    below = np.hstack([start, np.maximum.accumulate(np.where(held, distinct, 0), axis=1)])
    above = np.hstack([np.minimum.accumulate(np.where(held, distinct, 1)[:, ::-1], axis=1)[:, ::-1], end])
    middle = (below + above) / 2
    threshold = np.where(middle <= below, above, middle)  # neighbours may leave no room between them
    return Cuts(threshold, tp=fn[:, -1:] - fn, fp=tn[:, -1:] - tn, tn=tn, fn=fn)


def _rule(name: str) -> _Rule:
    if name not in _RULES:
        raise ValueError(f"unknown threshold rule '{name}'; known: {', '.join(rule_names())}")
    return _RULES[name]


@threshold_rule("youden")
def youden(cuts: Cuts, value: float) -> Array:
    """The largest sensitivity + specificity - 1 (Youden 1950)."""
    return cuts.sensitivity + cuts.specificity


@threshold_rule("f1", one_class=True)
def f1(cuts: Cuts, value: float) -> Array:
    """The largest harmonic mean of precision and recall (van Rijsbergen 1979). Calling all images positive is the best
    answer when the scores say little (Lipton et al. 2014)."""
    return 2 * cuts.tp / (2 * cuts.tp + cuts.fp + cuts.fn)


@threshold_rule("mcc")
def mcc(cuts: Cuts, value: float) -> Array:
    """The largest correlation of decision and label (Matthews 1975), undefined when one class is called."""
    called, left = cuts.tp + cuts.fp, cuts.tn + cuts.fn
    margins = called * left * (cuts.tp + cuts.fn) * (cuts.tn + cuts.fp)
    return (cuts.tp * cuts.tn - cuts.fp * cuts.fn) / np.sqrt(np.maximum(margins, 1))  # 0 only where one class is called


@threshold_rule("cost", value=Range(0, 1e9, open_low=True), one_class=True)
def cost(cuts: Cuts, value: float) -> Array:
    """The least cost on the scores at hand, a false negative costing `value` times a false positive."""
    return -(value * cuts.fn + cuts.fp) / min(value, 1)  # in units of the cheaper error: a tiny `value` makes no ties


@threshold_rule("sensitivity", value=Range(0, 1, open_low=True), one_class=True)
def sensitivity(cuts: Cuts, value: float) -> Array:
    """A sensitivity of at least `value`; among those the highest specificity, then the highest sensitivity."""
    return np.where(cuts.sensitivity >= value, _first_then(cuts.tn, cuts.tp), -np.inf)


@threshold_rule("specificity", value=Range(0, 1, open_low=True), one_class=True)
def specificity(cuts: Cuts, value: float) -> Array:
    """A specificity of at least `value`; among those the highest sensitivity, then the highest specificity. None when
    too many negatives have a score of 1."""
    return np.where(cuts.specificity >= value, _first_then(cuts.tp, cuts.tn), -np.inf)


@threshold_rule("prevalence")
def prevalence(cuts: Cuts, value: float) -> Array:
    """As many images called positive as there are positives, or as near to it as a cut gets: the share of positive
    calls matches the class share of the same scores, and false positives balance false negatives.

    It takes no value: matching another prevalence is a matter of weighing errors, which `cost` does openly.
    """
    return -np.abs(cuts.fp - cuts.fn)


def _first_then(first: Array, second: Array) -> Array:
    # One whole step of `first` outweighs all of `second`; both are whole numbers.
    step: Array = second.max(axis=1, keepdims=True) + 1
    return first * step + second

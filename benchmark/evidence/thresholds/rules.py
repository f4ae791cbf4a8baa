"""Threshold rules: what each one optimises, the values it takes, how it chooses, and how its interval is computed.

A rule is one registration. Which scores a rule may see is decided in `choice.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmark.evidence.scores import Scores
from benchmark.evidence.thresholds.cuts import Array, Cuts, Goodness, best_cuts
from benchmark.evidence.thresholds.intervals import (
    IntervalFunction,
    balanced_errors,
    bootstrap,
    declared,
    share_target,
    worthwhile_windows,
)

UNUSED = 0.5
"""The value of a rule that takes none, in protocols and in their stored identities."""


@dataclass(frozen=True)
class Range:
    """The values that a rule takes: finite numbers from `low`, or above it where `open_low`, to `high`.

    `default` applies where no value is given; None: a value must be given, since it is a judgement.
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


@dataclass(frozen=True)
class Rule:
    """A registered threshold rule.

    Attributes:
        name: As protocols and the command line write it.
        optimises: What the chosen threshold is best at, in words.
        interval: The 95% interval of a choice of this rule.
        goodness: What the best cut has most of. None: nothing is searched, the value is the threshold.
        value: The values of the rule's parameter. None: it takes none.
        one_class: Whether calling all images positive, or all negative, may be the answer.
    """

    name: str
    optimises: str
    interval: IntervalFunction
    goodness: Goodness | None
    value: Range | None = None
    one_class: bool = False

    def parameter(self, value: float | None = None) -> float:
        """The parameter that the rule works with.

        Args:
            value: As it was given; None for the default.

        Returns:
            `value`, or its default; UNUSED for a rule that takes no value.

        Raises:
            ValueError: The value is missing, out of range, or of no use.
        """
        if self.value is None:
            if value not in (None, UNUSED):
                raise ValueError(f"rule {self.name} takes no value")
            return UNUSED
        if value is None:
            if self.value.default is None:
                raise ValueError(f"rule {self.name} needs a value {self.value}")
            return self.value.default
        if value not in self.value:
            raise ValueError(f"rule {self.name} takes a value {self.value}")
        return value

    def in_words(self, value: float) -> str:
        """How a threshold was chosen with the parameter `value`, for prose."""
        if self.goodness is None:
            return f"{self.name} at {value:g}"
        parameter = "" if self.value is None else f" {value:g}"
        return f"{self.name}{parameter}, chosen on validation scores alone"

    def best_cuts(self, scores: Scores, value: float, weights: Array) -> Array:
        """The best threshold of every resample (samples,), NaN where there is none; `weights` (samples, n) says how
        often each image occurs."""
        if self.goodness is None:
            return np.full(len(weights), value)
        return best_cuts(scores, self.goodness, value, weights, one_class=self.one_class)

    def best_cut(self, scores: Scores, value: float) -> tuple[float | None, str | None]:
        """The best threshold in [0, 1] on `scores`, or None and the reason. Among equals it is the one nearest to 0.5.

        A plain number, for choices and for yardsticks: only `choice.choose` makes a Threshold.
        """
        split = "validation" if scores.split == "val" else scores.split
        if self.goodness is not None:
            if len(np.unique(scores.y_true)) < 2:
                return None, f"the {split} split lacks a class"
            if np.ptp(scores.y_score) == 0:
                return None, f"all {split} scores are the same"
        threshold = float(self.best_cuts(scores, value, np.ones((1, len(scores))))[0])
        if math.isnan(threshold):
            return None, f"no threshold up to 1 gives the {split} split a {self.name} of {value:g}"
        return threshold, None


_RULES: dict[str, Rule] = {}


def register_rule(rule: Rule) -> None:
    """Add `rule` to those that protocols may name.

    Raises:
        ValueError: The registration is incomplete, or its name is taken.
    """
    parts = {
        "name": rule.name,
        "text for what it optimises": rule.optimises,
        "interval function": rule.interval,
        "goodness or value": rule.goodness or rule.value,
    }
    for part, given in parts.items():
        if not given:
            raise ValueError(f"threshold rule '{rule.name}' has no {part}; register it with one")
    if rule.name in _RULES:
        raise ValueError(f"threshold rule '{rule.name}' is registered twice; rename one")
    _RULES[rule.name] = rule


def threshold_rule(
    name: str, *, optimises: str, interval: IntervalFunction, value: Range | None = None, one_class: bool = False
) -> Callable[[Goodness], Goodness]:
    """Register the decorated goodness as a rule; the arguments are the fields of `Rule`.

    Raises:
        ValueError: As `register_rule` does.
    """

    def register(goodness: Goodness) -> Goodness:
        register_rule(Rule(name, optimises, interval, goodness, value, one_class))
        return goodness

    return register


def rule_names() -> tuple[str, ...]:
    """The names of all rules, sorted."""
    return tuple(sorted(_RULES))


def get_rule(name: str) -> Rule:
    """The rule called `name`. Raises ValueError for an unknown one."""
    if name not in _RULES:
        raise ValueError(f"unknown threshold rule '{name}'; known: {', '.join(rule_names())}")
    return _RULES[name]


register_rule(Rule("fixed", "the value itself", declared, goodness=None, value=Range(0, 1, default=0.5)))


@threshold_rule("youden", optimises="the largest recall + specificity − 1", interval=bootstrap)
def youden(cuts: Cuts, value: float) -> Array:
    """Youden 1950."""
    return cuts.sensitivity + cuts.specificity


@threshold_rule("f1", optimises="the largest F1", interval=bootstrap, one_class=True)
def f1(cuts: Cuts, value: float) -> Array:
    """The harmonic mean of precision and recall (van Rijsbergen 1979). Calling all images positive is the best answer
    when the scores say little (Lipton et al. 2014)."""
    return 2 * cuts.tp / (2 * cuts.tp + cuts.fp + cuts.fn)


@threshold_rule("mcc", optimises="the largest Matthews correlation", interval=bootstrap)
def mcc(cuts: Cuts, value: float) -> Array:
    """The correlation of decision and label (Matthews 1975), undefined when one class is called."""
    called, left = cuts.tp + cuts.fp, cuts.tn + cuts.fn
    margins = called * left * (cuts.tp + cuts.fn) * (cuts.tn + cuts.fp)
    return (cuts.tp * cuts.tn - cuts.fp * cuts.fn) / np.sqrt(np.maximum(margins, 1))  # 0 only where one class is called


@threshold_rule(
    "cost",
    optimises="the least cost, a missed positive costing `value` false alarms",
    interval=worthwhile_windows,
    value=Range(0, 1e9, open_low=True),
    one_class=True,
)
def cost(cuts: Cuts, value: float) -> Array:
    """Minus the cost on these scores, a false negative costing `value` times a false positive."""
    return -(value * cuts.fn + cuts.fp) / min(value, 1)  # in units of the cheaper error: a tiny `value` makes no ties


@threshold_rule(
    "sensitivity",
    optimises="recall of at least `value`, then the highest specificity",
    interval=partial(share_target, "recall"),
    value=Range(0, 1, open_low=True),
    one_class=True,
)
def sensitivity(cuts: Cuts, value: float) -> Array:
    """A sensitivity of at least `value`; among those the highest specificity, then the highest sensitivity."""
    return np.where(cuts.sensitivity >= value, _first_then(cuts.tn, cuts.tp), -np.inf)


@threshold_rule(
    "specificity",
    optimises="specificity of at least `value`, then the highest recall",
    interval=partial(share_target, "specificity"),
    value=Range(0, 1, open_low=True),
    one_class=True,
)
def specificity(cuts: Cuts, value: float) -> Array:
    """A specificity of at least `value`; among those the highest sensitivity, then the highest specificity. None when
    too many negatives have a score of 1."""
    return np.where(cuts.specificity >= value, _first_then(cuts.tp, cuts.tn), -np.inf)


@threshold_rule(
    "prevalence", optimises="as many images called positive as there are positives", interval=balanced_errors
)
def prevalence(cuts: Cuts, value: float) -> Array:
    """The share of positive calls matches the class share of the same scores as nearly as a cut allows: false positives
    balance false negatives.

    It takes no value: to match another prevalence is to weigh errors, which `cost` does openly.
    """
    return -np.abs(cuts.fp - cuts.fn)


def _first_then(first: Array, second: Array) -> Array:
    # One whole step of `first` outweighs all of `second`; both are whole numbers.
    step: Array = second.max(axis=1, keepdims=True) + 1
    return first * step + second

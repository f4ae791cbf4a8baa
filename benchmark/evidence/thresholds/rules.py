"""Registry of threshold rules: objective, parameter and interval of each.

A rule is one registration. `choice.py` decides which scores a rule may use.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from benchmark.evidence.scores import Scores
from benchmark.evidence.thresholds.cuts import Array, Cuts, Objective, best_cuts
from benchmark.evidence.thresholds.intervals import (
    IntervalFunction,
    balanced_errors,
    best_sum,
    bootstrap,
    cost_windows,
    no_interval,
    share_target,
)

LEAST_CONFIDENCE = 0.5
"""With less, a threshold would be less sure to reach the target than to miss it."""
UNUSED = 0.5
"""The value that protocols and their stored identities contain for a rule without a parameter."""


@dataclass(frozen=True)
class Range:
    """The admissible values of a rule's parameter: finite numbers in [`low`, `high`].

    Attributes:
        low: The lower limit.
        high: The upper limit, included if finite.
        open_low: Whether `low` itself is excluded.
        default: Used if no value is given; None if the user must give one.
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
        return f"above {self.low:g}, at most {self.high:g}" if self.open_low else f"from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Rule:
    """A registered threshold rule.

    Attributes:
        name: The name in protocols and on the command line.
        optimises: The aim of the rule in words.
        interval: Computes the 95% interval of a threshold that this rule chose.
        objective: The best cut maximises it. None: the value is the threshold, without a search.
        value: The admissible values of the parameter. None: the rule has no parameter.
        one_class: Whether all images may be predicted positive, or all negative.
        label: For a rule that states the share of right decisions among the images of one class: the label of this
            class. None for the other rules.
    """

    name: str
    optimises: str
    interval: IntervalFunction
    objective: Objective | None
    value: Range | None = None
    one_class: bool = False
    label: Literal[0, 1] | None = None

    def parameter(self, value: float | None = None) -> float:
        """Validate the parameter.

        Args:
            value: The value from the user; None for the default.

        Returns:
            `value` or the default; UNUSED for a rule without a parameter.

        Raises:
            ValueError: The value is missing or out of range, or the rule has no parameter.
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

    def in_words(self, value: float, confidence: float | None = None) -> str:
        """Describe the rule with its parameters, for prose."""
        if self.objective is None:
            return f"{self.name} at {value:g}"
        parameter = "" if self.value is None else f" {value:g}"
        parameter += "" if confidence is None else f" with {100 * confidence:g}% confidence"
        return f"{self.name}{parameter}, chosen on validation scores alone"

    def confidence_problem(self, confidence: float | None) -> str | None:
        """Return why the rule does not take this confidence; None if it does, and for None."""
        if confidence is None:
            return None
        if self.label is None:
            named = " and ".join(name for name in rule_names() if get_rule(name).label is not None)
            return f"rule {self.name} takes no confidence; {named} do"
        if not LEAST_CONFIDENCE <= confidence < 1:
            return f"rule {self.name} takes a confidence from {LEAST_CONFIDENCE:g}, below 1"
        return None

    @property
    def class_stated(self) -> Literal[0, 1]:
        """The label of the class whose share the rule states. Raises ValueError for another rule."""
        if self.label is None:
            raise ValueError(f"rule {self.name} states no share of the images of one class")
        return self.label

    def aim(self, value: float, confidence: float | None = None) -> str:
        """Say what the rule aims at: "sensitivity at least 0.95 with 95% confidence"."""
        if self.objective is None:
            return f"{value:g} itself"
        if self.label is None:
            return self.optimises.replace("`value`", f"{value:g}")
        sure = "" if confidence is None else f" with {100 * confidence:g}% confidence"
        return f"{self.name} at least {value:g}{sure}"

    def best_cuts(self, scores: Scores, value: float, weights: Array) -> Array:
        """Choose the best threshold of every resample.

        Args:
            scores: The n images that are resampled.
            value: The parameter of the rule.
            weights: How often each image occurs in each sample, (samples, n).

        Returns:
            Thresholds in [0, 1], (samples,); NaN where a sample has none.
        """
        if self.objective is None:
            return np.full(len(weights), value)
        return best_cuts(scores, self.objective, value, weights, one_class=self.one_class)

    def best_cut(self, scores: Scores, value: float) -> tuple[float | None, str | None]:
        """Choose the best threshold on `scores`; of several equally good ones, the nearest to 0.5.

        Args:
            scores: Scores of any split.
            value: The parameter of the rule.

        Returns:
            The threshold in [0, 1] and None, or None and the reason. It is a plain number, also for the oracle
            threshold: only `choice.choose` returns a Threshold.
        """
        split = "validation" if scores.split == "val" else scores.split
        if self.objective is not None:
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
    """Register `rule`, so that protocols can name it.

    Args:
        rule: A complete rule.

    Raises:
        ValueError: The rule is incomplete, or its name is taken.
    """
    parts = {
        "name": rule.name,
        "text for what it optimises": rule.optimises,
        "interval function": rule.interval,
        "objective or value": rule.objective or rule.value,
    }
    for part, content in parts.items():
        if not content:
            raise ValueError(f"threshold rule '{rule.name}' has no {part}; register it with one")
    if rule.name in _RULES:
        raise ValueError(f"threshold rule '{rule.name}' is registered twice; rename one")
    _RULES[rule.name] = rule


def threshold_rule(
    name: str,
    *,
    optimises: str,
    interval: IntervalFunction,
    value: Range | None = None,
    one_class: bool = False,
    label: Literal[0, 1] | None = None,
) -> Callable[[Objective], Objective]:
    """Register the decorated objective as a rule.

    Args:
        name: The name of the rule.
        optimises: The aim of the rule in words.
        interval: Computes the interval of a chosen threshold.
        value: The admissible values of the parameter. None: the rule has no parameter.
        one_class: Whether all images may be predicted positive, or all negative.
        label: The class of a rule that states the share of right decisions among the images of one class.

    Returns:
        A decorator that returns the objective unchanged.

    Raises:
        ValueError: The name is taken, or a part is empty.
    """

    def register(objective: Objective) -> Objective:
        register_rule(Rule(name, optimises, interval, objective, value, one_class, label))
        return objective

    return register


def rule_names() -> tuple[str, ...]:
    """Return the names of all rules, sorted."""
    return tuple(sorted(_RULES))


def get_rule(name: str) -> Rule:
    """Look up a rule.

    Args:
        name: The name of a registered rule.

    Returns:
        The rule.

    Raises:
        ValueError: No rule has this name.
    """
    if name not in _RULES:
        raise ValueError(f"unknown threshold rule '{name}'; known: {', '.join(rule_names())}")
    return _RULES[name]


register_rule(Rule("fixed", "the value itself", no_interval, objective=None, value=Range(0, 1, default=0.5)))


@threshold_rule("youden", optimises="the largest recall + specificity − 1", interval=best_sum)
def youden(cuts: Cuts, value: float) -> Array:
    """Maximise recall + specificity (Youden 1950)."""
    return cuts.sensitivity + cuts.specificity


@threshold_rule("f1", optimises="the largest F1", interval=bootstrap, one_class=True)
def f1(cuts: Cuts, value: float) -> Array:
    """Maximise F1 (van Rijsbergen 1979)."""
    # Poorly separated classes have the best F1 with all images predicted positive (Lipton et al. 2014).
    return cuts.figure("f1")


@threshold_rule("mcc", optimises="the largest Matthews correlation", interval=bootstrap)
def mcc(cuts: Cuts, value: float) -> Array:
    """Maximise the Matthews correlation (Matthews 1975), 0 for a single predicted class."""
    return np.nan_to_num(cuts.figure("mcc"))


@threshold_rule(
    "cost",
    optimises="the lowest cost, where a missed positive costs `value` false alarms",
    interval=cost_windows,
    value=Range(0, 1e9, open_low=True),
    one_class=True,
)
def cost(cuts: Cuts, value: float) -> Array:
    """Minimise the cost, where a false negative costs `value` times as much as a false positive."""
    return -(value * cuts.fn + cuts.fp) / min(
        value, 1
    )  # in units of the cheaper error, so that a tiny `value` causes no ties


@threshold_rule(
    "sensitivity",
    optimises="recall of at least `value`, then the highest specificity",
    interval=partial(share_target, "recall"),
    value=Range(0, 1, open_low=True),
    one_class=True,
    label=1,
)
def sensitivity(cuts: Cuts, value: float) -> Array:
    """Require a sensitivity of at least `value`; then maximise specificity, then sensitivity."""
    return np.where(cuts.sensitivity >= value, _first_then(cuts.tn, cuts.tp), -np.inf)


@threshold_rule(
    "specificity",
    optimises="specificity of at least `value`, then the highest recall",
    interval=partial(share_target, "specificity"),
    value=Range(0, 1, open_low=True),
    one_class=True,
    label=0,
)
def specificity(cuts: Cuts, value: float) -> Array:
    """Require a specificity of at least `value`; then maximise sensitivity, then specificity."""
    return np.where(cuts.specificity >= value, _first_then(cuts.tp, cuts.tn), -np.inf)


@threshold_rule("prevalence", optimises="as many positive predictions as positives", interval=balanced_errors)
def prevalence(cuts: Cuts, value: float) -> Array:
    """Match the share of positive predictions to the prevalence: false positives balance false negatives."""
    # There is no parameter: matching another prevalence would weight the errors, which `cost` does openly.
    return -np.abs(cuts.fp - cuts.fn)


def _first_then(first: Array, second: Array) -> Array:
    # Both are whole numbers: a step of 1 in `first` outweighs any difference in `second`.
    step: Array = second.max(axis=1, keepdims=True) + 1
    return first * step + second

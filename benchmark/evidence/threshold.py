"""Decision thresholds, chosen on validation scores and on nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmark.evidence.scores import ValidationScores


@dataclass(frozen=True)
class Threshold:
    """A threshold, the rule that chose it, and the reason when none could be chosen."""

    value: float | None
    rule: str
    reason: str | None = None


_RULES: dict[str, Callable[[ValidationScores, float], float]] = {}


def threshold_rule(
    name: str,
) -> Callable[[Callable[[ValidationScores, float], float]], Callable[[ValidationScores, float], float]]:
    """Register a rule `(scores, value) -> threshold`; `value` is the rule's own parameter."""

    def register(
        function: Callable[[ValidationScores, float], float],
    ) -> Callable[[ValidationScores, float], float]:
        _RULES[name] = function
        return function

    return register


def rule_names() -> tuple[str, ...]:
    """The rules there are."""
    return tuple(sorted(_RULES))


def choose(scores: ValidationScores, rule: str = "youden", value: float = 0.5) -> Threshold:
    """The threshold that `rule` chooses on `scores`; none, with the reason, for constant scores or a missing class.

    Raises TypeError for scores of any other split, ValueError for an unknown rule.
    """
    if type(scores) is not ValidationScores:
        raise TypeError(f"a threshold is chosen on ValidationScores, not on {type(scores).__name__}")
    if rule not in _RULES:
        raise ValueError(f"unknown threshold rule '{rule}'; known: {', '.join(rule_names())}")
    if rule != "fixed":
        if len(np.unique(scores.y_true)) < 2:
            return Threshold(None, rule, "the validation split lacks a class")
        if np.ptp(scores.y_score) == 0:
            return Threshold(None, rule, "all validation scores are the same")
    return Threshold(_RULES[rule](scores, value), rule)


@threshold_rule("fixed")
def fixed(scores: ValidationScores, value: float) -> float:
    """The declared value."""
    return value


@threshold_rule("youden")
def youden(scores: ValidationScores, value: float) -> float:
    """The largest sensitivity + specificity - 1 (Youden 1950), over the midpoints of neighbouring scores; among equals
    the one nearest to 0.5."""
    distinct = np.unique(scores.y_score)
    middle = (distinct[1:] + distinct[:-1]) / 2
    candidates = np.where(middle <= distinct[:-1], distinct[1:], middle)  # neighbours may leave no room between them
    positive = np.sort(scores.y_score[scores.y_true == 1])
    negative = np.sort(scores.y_score[scores.y_true == 0])
    sensitivity = 1 - np.searchsorted(positive, candidates, side="left") / len(positive)
    specificity = np.searchsorted(negative, candidates, side="left") / len(negative)
    index = sensitivity + specificity
    best = candidates[index >= index.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - 0.5))])

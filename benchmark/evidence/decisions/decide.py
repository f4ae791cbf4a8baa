"""Decisions among classes, and their application to scores of any split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmark.evidence.decisions.rules import RuleName, Target, in_words
from benchmark.evidence.metrics.influence import Labels
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.thresholds.choice import Threshold

ABSTAINED = -1

TIE = 1e-12
"""Expected costs that differ by less, relative to the lowest, count as equal."""


@dataclass(frozen=True)
class Decision:
    """A chosen way to turn scores of k classes into decisions, as plain data.

    Attributes:
        rule: The rule.
        classes: The names of the k classes, in the order of the columns of scores.
        of_class: The class that `class_at` is about.
        target: What `value` states, for `class_at` and `abstain`.
        value: The stated share.
        costs: Costs (k, k) of `cost`, by true class (rows) and called class (columns).
        threshold: The threshold of `class_at`, or the confidence of `abstain`, with its 95% interval.
        validation: Validation figures of the decisions by key, such as `coverage`; those after a choice are too
            favourable, because the choice used the same images.
        reason: Why nothing was chosen. `decide` then returns the class with the highest score.
    """

    rule: RuleName = "argmax"
    classes: tuple[str, ...] = ()
    of_class: str | None = None
    target: Target | None = None
    value: float | None = None
    costs: tuple[tuple[float, ...], ...] | None = None
    threshold: Threshold | None = None
    validation: Mapping[str, Figure] = field(default_factory=dict)
    reason: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))  # JSON has lists only
        if self.costs is not None:
            object.__setattr__(self, "costs", tuple(tuple(row) for row in self.costs))
        if self.rule == "cost" and self.costs is None:
            raise ValueError("a decision by cost needs its costs")
        needs_threshold = self.rule in ("class_at", "abstain")
        if needs_threshold and (self.threshold is None or (self.threshold.value is None) != bool(self.reason)):
            raise ValueError(f"a decision by {self.rule} has a threshold, or a reason why there is none")
        if self.rule == "class_at" and self.of_class not in self.classes:
            raise ValueError(f"the class '{self.of_class}' is not one of {', '.join(self.classes)}")

    @property
    def is_chosen(self) -> bool:
        """Whether the rule chose something; else decisions are those of the highest score."""
        return self.reason is None

    @property
    def abstains(self) -> bool:
        """Whether images may stay without a decision."""
        return self.rule == "abstain"

    @property
    def caution(self) -> str | None:
        """That validation leaves open whether the stated share is reached on other images; None if it does not.

        The figure on validation is at least the stated share by construction. Its interval says how far it may be below
        on other images, and is itself too favourable, because the threshold was chosen on the same images.
        """
        key = {
            "sensitivity": f"recall:class:{self.of_class}",
            "specificity": f"specificity:class:{self.of_class}",
            "accuracy": "selective_accuracy",
        }.get(str(self.target))
        figure = self.validation.get(str(key))
        if figure is None or figure.value is None or self.value is None:
            return None
        if figure.low is None:
            return f"validation {self.target} {figure.value:.3f} has no interval: whether {self.value:g} holds is open"
        if figure.low >= self.value:
            return None
        return (
            f"validation {self.target} {figure.value:.3f} has a 95% interval from {figure.low:.3f}: "
            f"less than {self.value:g} is not excluded"
        )

    def in_words(self) -> str:
        """Describe the rule with its parameters, for prose."""
        return in_words(self.rule, self.of_class, self.target, self.value)


def decide(decision: Decision, y_score: npt.NDArray[np.float64]) -> Labels:
    """Decide on a class for each image.

    - `argmax`: the class with the highest score.
    - `cost`: the class with the lowest expected cost, if scores are probabilities (Elkan 2001).
    - `class_at`: the class if its score is at least the threshold, else the one of the others with the highest score.
    - `abstain`: the class with the highest score, or none if that score is below the threshold.

    Of equally good classes, the one with the lowest index is taken.

    Args:
        decision: The decision. If nothing was chosen, the class with the highest score is taken.
        y_score: Scores (n, k) of the classes of the decision.

    Returns:
        Class indices (n,); -1 for images without a decision.

    Raises:
        ValueError: The scores have another number of classes.
    """
    if y_score.ndim != 2 or (decision.classes and y_score.shape[1] != len(decision.classes)):
        raise ValueError(f"scores {y_score.shape} must be (n, {len(decision.classes)}), as the decision has classes")
    highest: Labels = np.argmax(y_score, axis=1).astype(np.int64)
    if not decision.is_chosen:
        return highest
    if decision.costs is not None:
        return _cheapest(y_score, np.array(decision.costs, dtype=np.float64))
    if decision.threshold is None or decision.threshold.value is None:
        return highest
    if decision.of_class is None:
        return np.where(y_score.max(axis=1) >= decision.threshold.value, highest, ABSTAINED)
    label = decision.classes.index(decision.of_class)
    others = y_score.astype(np.float64)  # a copy
    others[:, label] = -np.inf
    return np.where(y_score[:, label] >= decision.threshold.value, label, np.argmax(others, axis=1)).astype(np.int64)


def _cheapest(y_score: npt.NDArray[np.float64], costs: npt.NDArray[np.float64]) -> Labels:
    expected = y_score @ costs  # (n, k), by called class
    lowest = expected.min(axis=1, keepdims=True)
    # Sums in another order differ in the last digits: without tolerance, a tie would not go to the lowest index.
    # All terms are at least 0, so the error of a sum is relative to the sum.
    cheapest: Labels = np.argmax(expected <= lowest * (1 + TIE), axis=1).astype(np.int64)
    return cheapest

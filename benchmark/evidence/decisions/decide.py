"""Decisions among classes, and their application to scores of any split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmark.evidence.calibration.scaling import MulticlassCalibrator
from benchmark.evidence.decisions.rules import RuleName, Target, in_words
from benchmark.evidence.metrics.influence import Labels
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import MulticlassScores, rows_of_folds
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
        costs: Costs (k, k) of `cost`, by true class (rows) and predicted class (columns).
        threshold: The threshold of `class_at`, or the confidence of `abstain`, with its 95% interval.
        calibrator: The map from scores to probabilities that `cost` decides on, fitted on validation; None for the
            other rules. If it is not accepted, the raw scores count as probabilities.
        validation: Validation figures of the decisions by key, such as `coverage`; those after a choice are too
            favourable, because the choice used the same images. That of `cost` is cross-fitted, so it is not.
        argmax_cost: The validation expected cost of the highest raw score, for `cost`.
        gain: By how much the cross-fitted validation expected cost of `cost` is lower than `argmax_cost`, paired by
            image; below 0 if it is higher.
        confidence: The confidence of `class_at` with which the rate of the class is at least `value`; None if nothing
            is guaranteed.
        reason: Why nothing was chosen. `decide` then returns the class with the highest score.
    """

    rule: RuleName = "argmax"
    classes: tuple[str, ...] = ()
    of_class: str | None = None
    target: Target | None = None
    value: float | None = None
    costs: tuple[tuple[float, ...], ...] | None = None
    threshold: Threshold | None = None
    calibrator: MulticlassCalibrator | None = None
    validation: Mapping[str, Figure] = field(default_factory=dict)
    argmax_cost: Figure | None = None
    gain: Figure | None = None
    reason: str | None = None
    confidence: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))  # JSON has lists only
        if self.costs is not None:
            object.__setattr__(self, "costs", tuple(tuple(row) for row in self.costs))
        if self.rule == "cost" and self.costs is None:
            raise ValueError("a decision by cost needs its costs")
        if self.calibrator is not None and (self.rule != "cost" or self.calibrator.classes != self.classes):
            raise ValueError("a calibrator is for a decision by cost among the same classes")
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
        """That validation leaves open whether the rule does on other images what it is for; None if it does not.

        For `cost`, that is a lower expected cost than that of the highest score. For the others, it is the stated
        share, unless it is guaranteed with a confidence. The figure on validation is at least the stated share by
        construction. Its interval says how far it may be below on other images, and is itself too favourable, because
        the threshold was chosen on the same images.
        """
        if self.rule == "cost":
            return self._caution_of_cost()
        if self.confidence is not None:  # the threshold was chosen so that this is not open
            return None
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

    def _caution_of_cost(self) -> str | None:
        cost, highest, gain = self.validation.get("expected_cost"), self.argmax_cost, self.gain
        if cost is None or highest is None or gain is None or None in (cost.value, highest.value, gain.value):
            return None
        if gain.value <= 0:  # type: ignore[operator]
            return (
                f"validation expected cost {cost.value:.3f} is not below the {highest.value:.3f} of the highest score: "
                "the rule gains nothing there"
            )
        lower = f"validation expected cost {cost.value:.3f} is below the {highest.value:.3f} of the highest score"
        if gain.low is None:
            return f"{lower}, but the gain has no interval: whether the rule gains on other images is open"
        if gain.low > 0:
            return None
        return f"{lower}, but the 95% interval of the gain, {gain.low:.3f} to {gain.high:.3f}, includes 0"

    @property
    def probabilities_in_words(self) -> str | None:
        """What `cost` takes for probabilities, for prose; None for the other rules."""
        if self.rule != "cost":
            return None
        if self.calibrator is None:
            return "costs are weighted by raw scores"
        if not self.calibrator.accepted:
            return f"costs are weighted by raw scores, because calibration was rolled back ({self.calibrator.reason})"
        return f"costs are weighted by scores calibrated by {self.calibrator.method} scaling"

    def in_words(self) -> str:
        """Describe the rule with its parameters, for prose."""
        return in_words(self.rule, self.of_class, self.target, self.value, self.confidence)


@dataclass(frozen=True)
class FoldedDecision(Decision):
    """The decisions of the folds of a cross-validation, each of which chose on validation images of its own.

    There is no common threshold, calibrator or validation figure.

    Attributes:
        folds: The decision of each fold, all by the same rule among the same classes.
    """

    folds: tuple[Decision, ...] = ()

    @classmethod
    def of(cls, folds: Sequence[Decision]) -> FoldedDecision:
        """Return the decisions of `folds`, at least one, together; nothing is chosen if one of them chose nothing."""
        first, reasons = folds[0], [each.reason for each in folds]
        number, reason = next(((n, text) for n, text in enumerate(reasons, 1) if text is not None), (0, None))
        return cls(
            rule=first.rule,
            classes=first.classes,
            of_class=first.of_class,
            target=first.target,
            value=first.value,
            costs=first.costs,
            confidence=first.confidence,
            reason=None if reason is None else f"fold {number} of {len(folds)} chose none: {reason}",
            folds=tuple(folds),
        )

    def __post_init__(self) -> None:
        rules = {(each.rule, each.classes, each.of_class, each.target, each.value, each.costs) for each in self.folds}
        if rules != {(self.rule, self.classes, self.of_class, self.target, self.value, self.costs)}:
            raise ValueError("the folds decide by different rules")

    @property
    def probabilities_in_words(self) -> str | None:
        """What the folds take for probabilities with `cost`, for prose; None for the other rules."""
        texts = dict.fromkeys(text for each in self.folds if (text := each.probabilities_in_words) is not None)
        return "; in other folds, ".join(texts) or None

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The threshold of each fold, in order; empty where the rule has none or a fold chose none."""
        values = [each.threshold.value for each in self.folds if each.threshold is not None]
        known = tuple(value for value in values if value is not None)
        return known if len(known) == len(self.folds) else ()


def decide_all(decision: Decision, scores: MulticlassScores) -> Labels:
    """Decide on a class for each image as `decide` does, in a cross-validation by the decision of its fold.

    Args:
        decision: The decision, or those of the folds.
        scores: Scores of n images; with folds, if the decision has folds.

    Returns:
        Class indices (n,); -1 for images without a decision.

    Raises:
        ValueError: The scores have another number of classes, or no folds where the decision has some.
    """
    if not isinstance(decision, FoldedDecision):
        return decide(decision, scores.y_score)
    if not decision.is_chosen:
        return decide(Decision(classes=decision.classes), scores.y_score)
    if scores.fold is None:
        raise ValueError("each fold decides on its own images, and these scores have no folds")
    decided = np.empty(len(scores), dtype=np.int64)
    for rows, of_fold in zip(rows_of_folds(scores.fold), decision.folds, strict=True):
        decided[rows] = decide(of_fold, scores.y_score[rows])
    return decided


def decide(decision: Decision, y_score: npt.NDArray[np.float64]) -> Labels:
    """Decide on a class for each image.

    - `argmax`: the class with the highest score.
    - `cost`: the class with the lowest expected cost of the calibrated scores. Elkan 2001 needs probabilities.
    - `class_at`: the class if its score is at least the threshold, else the one of the others with the highest score.
    - `abstain`: the class with the highest score, or none if that score is below the threshold.

    The other rules compare raw scores. `class_at` needs only the order of images by the score of one class, and the
    confidence of `abstain` is chosen or stated on raw scores.

    Of equally good classes, the one with the lowest index is taken.

    Args:
        decision: The decision. If nothing was chosen, the class with the highest score is taken.
        y_score: Raw scores (n, k) of the classes of the decision.

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
        probabilities = y_score if decision.calibrator is None else decision.calibrator.probabilities(y_score)
        return _cheapest(probabilities, np.array(decision.costs, dtype=np.float64))
    if decision.threshold is None or decision.threshold.value is None:
        return highest
    if decision.of_class is None:
        return np.where(y_score.max(axis=1) >= decision.threshold.value, highest, ABSTAINED)
    label = decision.classes.index(decision.of_class)
    others = y_score.astype(np.float64)  # a copy
    others[:, label] = -np.inf
    return np.where(y_score[:, label] >= decision.threshold.value, label, np.argmax(others, axis=1)).astype(np.int64)


def _cheapest(probabilities: npt.NDArray[np.float64], costs: npt.NDArray[np.float64]) -> Labels:
    expected = probabilities @ costs  # (n, k), by predicted class
    lowest = expected.min(axis=1, keepdims=True)
    # Sums in another order differ in the last digits: without tolerance, a tie would not go to the lowest index.
    # All terms are at least 0, so the error of a sum is relative to the sum.
    cheapest: Labels = np.argmax(expected <= lowest * (1 + TIE), axis=1).astype(np.int64)
    return cheapest

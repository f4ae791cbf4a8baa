"""Choice of a decision among classes on validation scores only."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from benchmark.evidence.calibration.scaling import best_multiclass_calibrator, cross_fitted_scores
from benchmark.evidence.comparison.multiclass import multiclass_differences
from benchmark.evidence.decisions.decide import Decision, decide
from benchmark.evidence.decisions.rules import FACTS, Costs, RuleName, Target, cost_matrix, parameter_problem
from benchmark.evidence.intervals.multiclass import multiclass_interval
from benchmark.evidence.intervals.seeds import MulticlassPairedScores
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Labels
from benchmark.evidence.metrics.multiclass import MulticlassMetric, argmax, multiclass_metrics
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import MulticlassValidationScores, ValidationScores
from benchmark.evidence.thresholds.choice import Threshold, choose_by, choose_with_interval
from benchmark.evidence.thresholds.cuts import Array, Cuts
from benchmark.evidence.thresholds.intervals import share_reached
from benchmark.evidence.thresholds.rules import Range, Rule


def choose_decision(
    scores: MulticlassValidationScores,
    rule: RuleName = "argmax",
    *,
    of_class: str | None = None,
    target: Target | None = None,
    value: float | None = None,
    costs: Costs | None = None,
    confidence: float | None = None,
    class_sizes: ClassSizes = "drawn",
) -> Decision:
    """Choose a decision on validation scores.

    `cost` gets the calibrator with the lowest cross-fitted log loss, because it needs probabilities.

    Args:
        scores: Validation scores.
        rule: The rule.
        of_class: The class that `class_at` is about.
        target: What `value` states: `sensitivity` or `specificity` of the class, `confidence`, or `accuracy` of the
            answered images; None for the first that the rule has.
        value: The stated share, in (0, 1].
        costs: Costs by true and predicted class, for `cost`.
        confidence: For `class_at`: the confidence with which the rate of the class is at least `value` on further
            images. None: only the validation images reach it.
        class_sizes: `fixed` if the validation split was drawn with set class shares; for the intervals of figures.

    Returns:
        The decision with its validation figures; for `cost`, with that of the highest score beside them. Nothing is
        chosen, with the reason, if the validation split lacks the class or all others, if all scores are the same,
        if no threshold reaches the target, or if the class has too few images for the confidence.

    Raises:
        TypeError: The scores are from another split, or of two classes.
        ValueError: A parameter is missing or wrong, or the class or a class of the costs does not exist.
    """
    if type(scores) is not MulticlassValidationScores:
        raise TypeError(f"a decision is chosen on MulticlassValidationScores, not on {type(scores).__name__}")
    problem = parameter_problem(rule, of_class, target, value, costs, confidence)
    if problem is not None:
        raise ValueError(problem)
    if FACTS[rule].targets:
        target = target or FACTS[rule].targets[0]
    decision = Decision("argmax", scores.classes)
    if rule == "cost":
        return _by_cost(scores, costs or {}, class_sizes)
    if rule != "argmax":
        threshold = _threshold(scores, of_class, target, value, confidence)
        reason = threshold.reason if threshold.value is None else None
        decision = Decision(
            rule, scores.classes, of_class, target, value, threshold=threshold, reason=reason, confidence=confidence
        )
    if not decision.is_chosen:
        return decision
    return replace(decision, validation=_figures(decision, scores, decide(decision, scores.y_score), class_sizes))


def _by_cost(scores: MulticlassValidationScores, costs: Costs, class_sizes: ClassSizes) -> Decision:
    """Calibrate, and compare the cross-fitted expected cost with that of the highest raw score."""
    calibrator = best_multiclass_calibrator(scores)
    decision = Decision("cost", scores.classes, costs=cost_matrix(costs, scores.classes), calibrator=calibrator)
    cross_fitted = cross_fitted_scores(scores, calibrator)
    decided = decide(replace(decision, calibrator=None), cross_fitted.y_score)
    highest = argmax(scores)
    (gain,) = multiclass_differences(
        ["expected_cost"],
        {
            name: MulticlassPairedScores((scores,), (labels,), costs=decision.costs)
            for name, labels in (("argmax", highest), ("cost", decided))
        },
        class_sizes=class_sizes,
    ).values()
    return replace(
        decision,
        validation=_figures(decision, scores, decided, class_sizes),
        argmax_cost=_figures(decision, scores, highest, class_sizes)["expected_cost"],
        gain=Figure("expected_cost", gain.value, gain.low, gain.high, gain.method, gain.reason),
    )


def _threshold(
    scores: MulticlassValidationScores,
    of_class: str | None,
    target: Target | None,
    value: float | None,
    confidence: float | None,
) -> Threshold:
    if of_class is not None:
        return _of_class(scores, of_class, str(target), value, confidence)
    if target == "accuracy":
        return _for_accuracy(scores, value)
    return Threshold(value, "confidence", "a stated confidence has no interval")


def _of_class(
    scores: MulticlassValidationScores, of_class: str, target: str, value: float | None, confidence: float | None
) -> Threshold:
    if of_class not in scores.classes:
        raise ValueError(f"the class '{of_class}' does not exist; the classes are {', '.join(scores.classes)}")
    label = scores.classes.index(of_class)
    for absent, is_absent in ((of_class, scores.y_true != label), ("the other classes", scores.y_true == label)):
        if is_absent.all():
            return Threshold(None, target, f"the validation split has no image of {absent}")
    one = scores.one_vs_rest(label)
    assert isinstance(one, ValidationScores)
    threshold = choose_with_interval(one, target, value, confidence=confidence)
    return threshold if threshold.reason is None else replace(threshold, reason=f"{of_class}: {threshold.reason}")


def _for_accuracy(scores: MulticlassValidationScores, value: float | None) -> Threshold:
    """Choose the lowest confidence at which the accuracy of the images above it reaches `value`."""
    confidence = scores.y_score.max(axis=1).clip(0, 1)
    correct = (scores.y_score.argmax(axis=1) == scores.y_true).astype(np.int64)
    if correct.all():
        return Threshold(0.0, "accuracy", "no interval: all validation images are right, whatever the confidence")
    if not correct.any():
        return Threshold(None, "accuracy", "no validation image is right, whatever the confidence")
    threshold = choose_by(ValidationScores("val", correct, confidence, scores.patient), _ACCURACY, value)
    if threshold.value is None:
        reason = f"no confidence gives the answered validation images an accuracy of {value:g}"
        return replace(threshold, reason=reason)
    return threshold


def _most_answered(cuts: Cuts, value: float) -> Array:
    """Require a share of right images above the cut of at least `value`; then answer as many images as possible."""
    answered = cuts.tp + cuts.fp
    return np.where((answered > 0) & (cuts.tp >= value * answered), answered, -np.inf)


_ACCURACY = Rule(
    "accuracy",
    "accuracy of the answered images of at least `value`, then the highest coverage",
    partial(share_reached, "precision"),
    _most_answered,
    Range(0, 1, open_low=True),
    one_class=True,
)
"""A rule for the confidence of images that are right (1) or wrong (0); only `_for_accuracy` uses it."""


def _figures(
    decision: Decision, scores: MulticlassValidationScores, decided: Labels, class_sizes: ClassSizes
) -> dict[str, Figure]:
    keys = ["accuracy"]
    if decision.costs is not None:
        keys = ["expected_cost"]
    elif decision.abstains:
        keys = ["coverage", "selective_accuracy"]
    elif decision.of_class is not None:
        keys = [f"{metric}:class:{decision.of_class}" for metric in ("recall", "specificity", "precision")]
    clusters = Clusters(scores.y_true, scores.patient)
    metrics = multiclass_metrics(scores.classes, costs=decision.costs, abstains=decision.abstains)

    def figure(metric: MulticlassMetric) -> Figure:
        value, reason = metric.evaluate(scores, decided)
        if value is None:
            return Figure.missing(metric.key, str(reason))
        ends = multiclass_interval(metric, value, scores, decided, clusters, class_sizes=class_sizes)
        return Figure(metric.key, value, ends.low, ends.high, ends.method, ends.reason)

    return {key: figure(metrics[key]) for key in keys}

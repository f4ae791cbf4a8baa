"""Diagnosis of runs: named faults, each with figures as evidence and a change that would test it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.evidence.diagnosis.faults import (
    NEAR_CHANCE,
    ClassCounts,
    Finding,
    batch_effects,
    class_count_faults,
    gap,
    intensity_shifts,
    loss_faults,
    overfitting,
)
from benchmark.evidence.diagnosis.training_record import TrainingDiagnostics
from benchmark.evidence.intervals.formulas import wilson
from benchmark.evidence.metrics.probabilities import auc, log_loss
from benchmark.evidence.scores import Scores

__all__ = [
    "FINDINGS",
    "SPLIT_FAULTS",
    "ClassCounts",
    "Finding",
    "class_count_faults",
    "diagnose",
    "observable",
]

ONE_CLASS_SHARE = 0.99
ONE_CLASS_LOWER_BOUND = 0.9
GOOD_AUC = 0.75

FINDINGS: Mapping[str, str] = {
    "single-class-collapse": "one class is predicted and the ranking is poor: the scores do not separate the classes",
    "one-class-threshold": "one class is predicted although the ranking is good: the threshold is wrong",
    "train-inference-gap": "the network is accurate in training and not in evaluation, without overfitting",
    "overfitting": "validation loss rose while training loss fell",
    "not-learning": "training never clearly beat the constant prediction of the larger class",
    "intensity-shift": "the grey levels of a split differ from those of the training images",
    "batch-effect": "intensity alone distinguishes a split from the training images",
    "prior-shift": "validation and test have different shares of positives",
    "penalty-in-loss": "most of the loss is weight penalty, so it is not comparable with a cross-entropy",
    "impossible-loss": "the loss is below the cross-entropy of its own scores",
    "small-validation": "validation has too few images for reliable choices",
    "small-training": "training has too few images of a class to learn reliably",
    "partial-collapse": "several of many classes are never predicted, although they occur",
    "class-never-called": "one of several classes is never predicted, although it occurs",
    "swapped-classes": "two classes are confused with each other in one part only: their labels may be swapped there",
    "unranked-class": "the scores of a class do not rank its images above those of the other classes",
    "class-of-one-group": "all images of a class share a value that other classes rarely have, such as a site",
}
"""The meaning of each code."""

SPLIT_FAULTS = frozenset(
    {"intensity-shift", "batch-effect", "prior-shift", "small-validation", "small-training", "class-of-one-group"}
)
"""Codes of faults of the data or the protocol: every run on a split has them, whatever its card."""


def diagnose(
    val: Scores,
    test: Scores | None,
    history: Mapping[str, Sequence[float]],
    threshold: float = 0.5,
    classes: tuple[str, ...] = ("0", "1"),
    *,
    checks: TrainingDiagnostics | None = None,
    losses: Mapping[str, float] | None = None,
    counts: ClassCounts | None = None,
) -> tuple[Finding, ...]:
    """Diagnose a run from its stored records.

    Args:
        val: Validation scores.
        test: Test scores; None if test was not scored.
        history: loss, accuracy, val_loss and val_accuracy, one value per epoch each; empty for a probe.
        threshold: The decision threshold, in [0, 1].
        classes: The names of class 0 and class 1.
        checks: Records of training time; None if there are none.
        losses: Reported losses by split; only if the training loss is cross-entropy.
        counts: Numbers of training images of each class under "train"; None if not recorded.

    Returns:
        The faults, in the order of the checks.
    """
    share = max(float(np.mean(val.y_true)), 1 - float(np.mean(val.y_true)))
    modes = checks.modes if checks else None
    collapse = _one_class(val, test, threshold, classes)
    gain = None if test is None else _accuracy(test, threshold) - max(_shares(test))
    lagging = gap(history, share, modes, len(val), gain)
    findings = [collapse, lagging]
    if lagging is None:  # a gap explains a rising validation loss better than overfitting
        findings.append(overfitting(history))
    if collapse is None and lagging is None:
        findings.append(_not_learning(val, test, history, share))
    scored = [scores for scores in (val, test) if scores is not None]
    if checks is not None:
        findings += intensity_shifts(checks, {scores.split: len(scores) for scores in scored})
        findings += batch_effects(checks)
    all_counts: ClassCounts = {**(counts or {}), **{scores.split: _counts(scores) for scores in scored}}
    findings += class_count_faults(all_counts, classes)
    findings += [loss_faults(scores.split, log_loss(scores), (losses or {}).get(scores.split)) for scores in scored]
    return tuple(finding for finding in findings if finding is not None)


def observable(
    code: str, checks: TrainingDiagnostics | None, losses: Mapping[str, float] | None, counts: ClassCounts | None = None
) -> bool:
    """Check whether the records of a run suffice to detect a fault.

    Args:
        code: A key of `FINDINGS`.
        checks: As in `diagnose`.
        losses: As in `diagnose`.
        counts: As in `diagnose`.

    Returns:
        Whether `diagnose` would report the fault if the run had it.

    Raises:
        KeyError: The code is unknown.
    """
    match code:
        case "small-training":
            return bool(counts) and "train" in (counts or {})
        case "train-inference-gap":
            return checks is not None and checks.modes is not None
        case "intensity-shift":
            return checks is not None and len(checks.intensity) > 1
        case "batch-effect":
            return checks is not None and bool(checks.contrasts)
        case "penalty-in-loss" | "impossible-loss":
            return bool(losses)
    return bool(FINDINGS[code])


def _one_class(val: Scores, test: Scores | None, threshold: float, classes: tuple[str, ...]) -> Finding | None:
    """Check whether the network predicts a single class.

    The splits that show it must be large enough: a few validation images may be predicted as one class by chance. If
    only one split shows it, the title names that split.
    """
    labels = {scores.split: _single_class(scores, threshold) for scores in (test, val) if scores is not None}
    collapsed = {label for label in labels.values() if label is not None}
    if not collapsed or (all(label is not None for label in labels.values()) and len(collapsed) > 1):
        return None
    affected = [scores for scores in (test, val) if scores is not None and labels[scores.split] is not None]
    label = collapsed.pop()
    predictions = [int(np.sum((scores.y_score >= threshold) == bool(label))) for scores in affected]
    if wilson(sum(predictions), sum(map(len, affected)))[0] < ONE_CLASS_LOWER_BOUND:
        return None
    scores, name = affected[0], classes[label]
    where = "" if len(affected) == len(labels) else f" on {scores.split}"
    low, high = float(scores.y_score.min()), float(scores.y_score.max())
    area = auc(scores)
    evidence = (
        f"{predictions[0]} of {len(scores)} {scores.split} images predicted as {name} at {threshold:g}; "
        f"scores {low:.3f} to {high:.3f}"
    )
    if area is not None and area >= GOOD_AUC:
        return Finding(
            "one-class-threshold",
            f"one class at {threshold:g}{where} ({name}), ranking intact",
            f"{evidence}; {scores.split} AUC {area:.3f}: the ranking is good, the threshold is not",
            "the same scores at the threshold chosen on validation",
        )
    printed = "undefined" if area is None else f"{area:.3f}"
    return Finding(
        "single-class-collapse",
        f"single-class collapse{where}: {name}",
        f"{evidence}; {scores.split} AUC {printed}",
        "the card without its change to the card that it extends; the training images scored in inference mode",
    )


def _single_class(scores: Scores, threshold: float) -> int | None:
    """The class predicted for nearly all images; None if its share is not above that of the larger class."""
    positive = float(np.mean(scores.y_score >= threshold))
    share, prevalence = max(positive, 1 - positive), float(np.mean(scores.y_true))
    if share < ONE_CLASS_SHARE or (share < 1 and share <= max(prevalence, 1 - prevalence)):
        return None
    return int(positive >= 0.5)


def _counts(scores: Scores) -> tuple[int, int]:
    positive = int(scores.y_true.sum())
    return len(scores) - positive, positive


def _shares(scores: Scores) -> tuple[float, float]:
    positive = float(np.mean(scores.y_true))
    return 1 - positive, positive


def _accuracy(scores: Scores, threshold: float) -> float:
    return float(np.mean((scores.y_score >= threshold) == scores.y_true.astype(bool)))


def _not_learning(
    val: Scores, test: Scores | None, history: Mapping[str, Sequence[float]], share: float
) -> Finding | None:
    if not history["accuracy"]:  # a probe has no epochs, and no learning rate to change
        return None
    best, area = max(history["accuracy"]), auc(val)
    if best > share + NEAR_CHANCE or area is None or area >= GOOD_AUC:
        return None
    if test is not None and (auc(test) or 0.0) >= GOOD_AUC:
        return None
    return Finding(
        "not-learning",
        "no better than a constant prediction",
        f"best training accuracy {best:.2f}, and {share:.2f} from always predicting the larger class; "
        f"validation AUC {area:.3f}",
        "a learning rate ten times as high, or more epochs",
    )

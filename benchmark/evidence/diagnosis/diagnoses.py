"""Diagnosis of runs: named faults, each with figures as evidence and a change that would test it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.evidence.diagnosis.training_record import BatchNormProbe, TrainingDiagnostics
from benchmark.evidence.intervals.formulas import newcombe, wilson
from benchmark.evidence.metrics.probabilities import auc, log_loss
from benchmark.evidence.scores import Scores

ONE_CLASS_SHARE = 0.99
ONE_CLASS_LOWER_BOUND = 0.9
GOOD_AUC = 0.75
NEAR_CHANCE = 0.05
EXPLODED_LOSS = 4.0
MODE_GAP = 0.15
LARGE_SHIFT = 0.8
PRIOR_SHIFT = 0.1
LARGE_HALF_WIDTH = 0.1
FEW_TRAINING = 20
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Finding:
    """A fault of a run.

    Attributes:
        code: A key of `FINDINGS`.
        title: The fault in a few words, for a table row.
        evidence: The figures that show it, in a sentence.
        test: The change that would confirm or refute the explanation.
    """

    code: str
    title: str
    evidence: str
    test: str = ""


FINDINGS: Mapping[str, str] = {
    "single-class-collapse": "one class is predicted and the ranking is poor: the scores do not separate the classes",
    "one-class-threshold": "one class is predicted although the ranking is good: the threshold is wrong",
    "train-inference-gap": "the network is accurate in training and not in evaluation, without overfitting",
    "overfitting": "validation loss rose while training loss fell",
    "not-learning": "training never clearly beat the constant prediction of the larger class",
    "intensity-shift": "the grey levels of a split differ from those of the training images",
    "prior-shift": "validation and test have different shares of positives",
    "penalty-in-loss": "most of the loss is weight penalty, so it is not comparable with a cross-entropy",
    "impossible-loss": "the loss is below the cross-entropy of its own scores",
    "small-validation": "validation has too few images for reliable choices",
    "small-training": "training has too few images of a class to learn reliably",
}
"""The meaning of each code."""

SPLIT_FAULTS = frozenset({"intensity-shift", "prior-shift", "small-validation", "small-training"})
"""Codes of faults of the data or the protocol: every run on a split has them, whatever its card."""

ClassCounts = Mapping[str, tuple[int, int]]
"""Numbers of images of class 0 and class 1 by split."""


def diagnose(
    val: Scores,
    test: Scores | None,
    history: Mapping[str, Sequence[float]],
    threshold: float = 0.5,
    classes: tuple[str, str] = ("0", "1"),
    *,
    checks: TrainingDiagnostics | None = None,
    losses: Mapping[str, float] | None = None,
    counts: ClassCounts | None = None,
) -> tuple[Finding, ...]:
    """Diagnose a run from its stored records.

    Args:
        val: Validation scores.
        test: Test scores; None if test was not scored.
        history: loss, accuracy, val_loss and val_accuracy, one value per epoch each.
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
    collapse, gap = _one_class(val, test, threshold, classes), _gap(val, test, threshold, history, share, modes)
    findings = [collapse, gap]
    if gap is None:  # a gap explains a rising validation loss better than overfitting
        findings.append(_overfitting(history))
    if collapse is None and gap is None:
        findings.append(_not_learning(val, test, history, share))
    scored = [scores for scores in (val, test) if scores is not None]
    if checks is not None:
        findings += _intensity_shifts(checks, {scores.split: len(scores) for scores in scored})
    all_counts: ClassCounts = {**(counts or {}), **{scores.split: _counts(scores) for scores in scored}}
    findings += class_count_faults(all_counts, classes)
    findings += [_loss(scores, (losses or {}).get(scores.split)) for scores in scored]
    return tuple(finding for finding in findings if finding is not None)


def class_count_faults(counts: ClassCounts, classes: tuple[str, str]) -> list[Finding]:
    """Find the faults that class counts alone show, before any training.

    Args:
        counts: Numbers of images of each class by split; splits may be missing.
        classes: The names of class 0 and class 1.

    Returns:
        The faults.
    """
    findings = [_small_training(counts.get("train"), classes), _prior_shift(counts), _small_validation(counts, classes)]
    return [finding for finding in findings if finding is not None]


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
        case "penalty-in-loss" | "impossible-loss":
            return bool(losses)
    return bool(FINDINGS[code])


def _one_class(val: Scores, test: Scores | None, threshold: float, classes: tuple[str, str]) -> Finding | None:
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


def _gap(
    val: Scores,
    test: Scores | None,
    threshold: float,
    history: Mapping[str, Sequence[float]],
    share: float,
    modes: BatchNormProbe | None,
) -> Finding | None:
    title = "learns in training mode, not in inference mode"
    change = "the same card with batch-normalisation momentum 0.9, or without batch normalisation"
    if modes is not None and modes.batch_accuracy is not None and modes.batch_loss is not None:
        if modes.batch_accuracy - modes.inference_accuracy < MODE_GAP:
            return None
        return Finding(
            "train-inference-gap",
            title,
            f"the same {modes.images} training images: accuracy {modes.batch_accuracy:.2f} and loss "
            f"{modes.batch_loss:.2f} with batch statistics, {modes.inference_accuracy:.2f} and "
            f"{modes.inference_loss:.2f} with moving statistics, which lag behind in batch normalisation",
            change,
        )
    accuracy, val_accuracy, val_loss = history["accuracy"], history["val_accuracy"], history["val_loss"]
    learns = accuracy[-1] >= 0.7 and accuracy[-1] - val_accuracy[-1] >= MODE_GAP
    at_chance = min(abs(val_accuracy[-1] - share), abs(val_accuracy[-1] - (1 - share))) <= NEAR_CHANCE
    explodes = max(val_loss) >= EXPLODED_LOSS * min(history["loss"])
    if not (learns and at_chance and explodes):
        return None
    if wilson(round(val_accuracy[-1] * len(val)), len(val))[1] >= accuracy[-1]:
        return None  # with so few validation images, the difference may be chance
    if test is not None and _accuracy(test, threshold) - max(_shares(test)) >= MODE_GAP:
        return None  # the network is accurate on test
    evidence = (
        f"training accuracy {accuracy[-1]:.2f} while validation stays at {val_accuracy[-1]:.2f} and its loss reached "
        f"{max(val_loss):.2f} (training {history['loss'][-1]:.2f})"
    )
    if modes is None:
        cause = "batch-normalisation statistics that lag behind, or validation images that are prepared differently"
        return Finding("train-inference-gap", title, f"{evidence}: {cause}", change)
    if modes.inference_accuracy - val_accuracy[-1] < MODE_GAP:
        return None
    return Finding(
        "train-inference-gap",
        "accurate on training images, not on validation",
        f"{evidence}; accuracy on training images in inference mode {modes.inference_accuracy:.2f}: validation images "
        "differ from them or are prepared differently",
        "the training images scored through the validation pipeline",
    )


def _overfitting(history: Mapping[str, Sequence[float]]) -> Finding | None:
    loss, val_loss = history["loss"], history["val_loss"]
    best = int(np.argmin(val_loss))
    if not all(map(math.isfinite, val_loss)) or best == len(val_loss) - 1:
        return None
    if val_loss[-1] < 1.5 * val_loss[best] or loss[-1] >= loss[best]:
        return None
    return Finding(
        "overfitting",
        f"overfits after epoch {best + 1}",
        f"validation loss rose from {val_loss[best]:.3f} (epoch {best + 1}) to {val_loss[-1]:.3f} while training loss "
        f"fell from {loss[best]:.3f} to {loss[-1]:.3f}",
        "early stopping on val_loss that restores the best weights",
    )


def _not_learning(
    val: Scores, test: Scores | None, history: Mapping[str, Sequence[float]], share: float
) -> Finding | None:
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


def _intensity_shifts(checks: TrainingDiagnostics, images: Mapping[str, int]) -> list[Finding | None]:
    """Check the grey levels of each split against those of train.

    The mean differs by a large standardised difference (Cohen 1988: 0.8) and by more than chance explains for this
    number of `images`, or the contrast differs by more than a factor of 2.
    """
    train = checks.intensity.get("train")
    findings: list[Finding | None] = []
    for name, split in checks.intensity.items():
        if train is None or name == "train":
            continue
        shift = abs(split.mean - train.mean) / max(train.between, 1e-9)
        contrast = max(split.within, 1e-9) / max(train.within, 1e-9)
        by_chance = 1.96 / math.sqrt(images.get(name) or 1)
        if shift >= max(LARGE_SHIFT, by_chance) or not 0.5 <= contrast <= 2:
            findings.append(
                Finding(
                    "intensity-shift",
                    f"{name} images have different grey levels",
                    f"mean grey level {split.mean:.0f} in {name}, {train.mean:.0f} in train ({shift:.1f} standard "
                    f"deviations between training images); contrast within images {split.within:.0f} and "
                    f"{train.within:.0f}",
                    f"the {name} images scored after mapping their grey levels to those of train",
                )
            )
    return findings


def _prior_shift(counts: ClassCounts) -> Finding | None:
    if "test" not in counts or "val" not in counts or not sum(counts["test"]) or not sum(counts["val"]):
        return None
    test, val = counts["test"], counts["val"]
    low, high = newcombe(test[1], sum(test), val[1], sum(val))
    share, val_share = test[1] / sum(test), val[1] / sum(val)
    if low <= 0 <= high or abs(share - val_share) < PRIOR_SHIFT:
        return None
    return Finding(
        "prior-shift",
        "test has a different share of positives",
        f"{share:.2f} of test images are positive, {val_share:.2f} of validation images: a threshold and a calibration "
        "from validation assume the share in validation",
        "scores re-weighted to the share in test, or metrics that do not depend on it (recall, specificity, AUC)",
    )


def _small_validation(counts: ClassCounts, classes: tuple[str, str]) -> Finding | None:
    """Check whether the 95% interval (Wilson) of a sensitivity or specificity of 0.9 is wider than +/- 0.1."""
    if "val" not in counts:
        return None
    val = counts["val"]
    fewest = min(val)
    if fewest:
        low, high = wilson(round(0.9 * fewest), fewest)
        if (high - low) / 2 <= LARGE_HALF_WIDTH:
            return None
    return Finding(
        "small-validation",
        "validation is too small for reliable choices",
        f"validation has {val[0]} {classes[0]} and {val[1]} {classes[1]}: the 95% interval of a rate of 0.9 is "
        f"wider than ±{LARGE_HALF_WIDTH:g}",
        "a protocol with more validation images, or folds by patient",
    )


def _small_training(train: tuple[int, int] | None, classes: tuple[str, str]) -> Finding | None:
    if train is None or min(train) >= FEW_TRAINING:
        return None
    return Finding(
        "small-training",
        "training has too few images of a class",
        f"training has {train[0]} {classes[0]} and {train[1]} {classes[1]}, fewer than {FEW_TRAINING} of a class: the "
        "result depends on which images these are",
        "more images, or a protocol that asks for fewer in validation and test",
    )


def _loss(scores: Scores, reported: float | None) -> Finding | None:
    """Compare the reported loss with the cross-entropy of its scores: it cannot be below, and any excess is penalty."""
    entropy = log_loss(scores)
    if reported is None or entropy is None:
        return None
    if reported < entropy - _TOLERANCE - 0.01 * entropy:
        return Finding(
            "impossible-loss",
            f"{scores.split} loss below the cross-entropy of its scores",
            f"reported {scores.split} loss {reported:.4f}, cross-entropy of the scores {entropy:.4f}",
            "the loss recomputed from the stored scores",
        )
    if reported - entropy > 0.5 * reported:
        return Finding(
            "penalty-in-loss",
            f"{scores.split} loss is mostly weight penalty",
            f"reported {scores.split} loss {reported:.3f}, of which cross-entropy {entropy:.3f}",
            "the cross-entropy alone, from the stored scores",
        )
    return None

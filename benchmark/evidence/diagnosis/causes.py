"""What went wrong in a run, named, with the figures that show it and the change that would test it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.evidence.diagnosis.training_record import BatchNormProbe, TrainingDiagnostics
from benchmark.evidence.intervals.formulas import newcombe, wilson
from benchmark.evidence.metrics.definitions import auc, log_loss
from benchmark.evidence.scores import Scores

ONE_CLASS_SHARE = 0.99
ONE_CLASS_SURE = 0.9
RANKING_SURVIVES = 0.75
NEAR_CHANCE = 0.05
EXPLODED = 4.0
MODE_GAP = 0.15
LARGE_SHIFT = 0.8
PRIOR_SHIFT = 0.1
LOOSE = 0.1
FEW_TRAINING = 20
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Finding:
    """A named fault: `title` stands in a table row, `evidence` is a sentence with figures, `test` the one change that
    would show whether the explanation is right."""

    code: str
    title: str
    evidence: str
    test: str = ""


FINDINGS: Mapping[str, str] = {
    "single-class-collapse": "one class is called and the ranking is lost too: the network is blind",
    "one-class-threshold": "one class is called at the threshold, but the ranking is good: the threshold is wrong",
    "train-inference-gap": "the network that trains and the one that is evaluated are not the same",
    "overfitting": "validation loss rose while training loss fell",
    "not-learning": "training never beat the constant answer",
    "intensity-shift": "a split has other grey levels than the training images",
    "prior-shift": "validation and test do not hold the same share of positives",
    "penalty-in-loss": "most of the loss is weight penalty, so it is not comparable with a cross-entropy",
    "impossible-loss": "the loss is below what its own scores give",
    "small-validation": "validation is too small to choose on",
    "small-training": "training has too few images of a class to rely on",
}
"""What each code means."""

OF_THE_SPLIT = frozenset({"intensity-shift", "prior-shift", "small-validation", "small-training"})
"""Codes of faults that the data or the protocol has: every run on the same split shows them, whatever its card."""

ClassCounts = Mapping[str, tuple[int, int]]
"""Images of class 0 and of class 1 by split."""


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
    """Faults seen in the scores at `threshold`, of test too where it was scored, in `history` (loss, accuracy,
    val_loss, val_accuracy by epoch), and in the `checks` of training time where they were made.

    `losses` are the reported losses by split, given only where the training loss is cross-entropy. `counts` has the
    training images of each class under "train", where they were recorded; val and test are counted in the scores.
    """
    share = max(float(np.mean(val.y_true)), 1 - float(np.mean(val.y_true)))
    modes = checks.modes if checks else None
    collapse, gap = _one_class(val, test, threshold, classes), _gap(val, test, threshold, history, share, modes)
    found = [collapse, gap]
    if gap is None:  # a validation loss that explodes for that reason is not overfitting
        found.append(_overfitting(history))
    if collapse is None and gap is None:
        found.append(_not_learning(val, test, history, share))
    if checks is not None:
        found += _intensity_shifts(checks, {scores.split: len(scores) for scores in (val, test) if scores is not None})
    scored: dict[str, tuple[int, int]] = {scores.split: _counts(scores) for scores in (val, test) if scores is not None}
    found += faults_of_counts({**(counts or {}), **scored}, classes)
    found += [_loss(scores, (losses or {}).get(scores.split)) for scores in (val, test) if scores is not None]
    return tuple(finding for finding in found if finding is not None)


def faults_of_counts(counts: ClassCounts, classes: tuple[str, str]) -> list[Finding]:
    """The faults that the images of each class by split show, before anything is trained. Splits may be missing."""
    found = [_small_training(counts.get("train"), classes), _prior_shift(counts), _small_validation(counts, classes)]
    return [finding for finding in found if finding is not None]


def observable(
    code: str, checks: TrainingDiagnostics | None, losses: Mapping[str, float] | None, counts: ClassCounts | None = None
) -> bool:
    """Whether a run with these records shows the fault `code` where it has it; `losses` and `counts` as in `diagnose`.
    Raises KeyError for a code that is none."""
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
    """Whether the network calls one class. Test decides where it was scored, since a few validation images may be
    called alike by chance; validation alone counts where it is large, and is then named."""
    alike = {scores.split: _called_alike(scores, threshold) for scores in (test, val) if scores is not None}
    named = {label for label in alike.values() if label is not None}
    if not named or (all(label is not None for label in alike.values()) and len(named) > 1):
        return None
    seen = [scores for scores in (test, val) if scores is not None and alike[scores.split] is not None]
    label = named.pop()
    images = sum(map(len, seen))
    calls = sum(int(np.sum((scores.y_score >= threshold) == bool(label))) for scores in seen)
    if wilson(calls, images)[0] < ONE_CLASS_SURE:
        return None
    scores, name, place = seen[0], classes[label], "" if len(seen) == len(alike) else f" on {seen[0].split}"
    own = int(np.sum((scores.y_score >= threshold) == bool(label)))
    low, high = float(scores.y_score.min()), float(scores.y_score.max())
    area = auc(scores)
    evidence = (
        f"{own} of {len(scores)} {scores.split} images called {name} at {threshold:g}; scores {low:.3f} to {high:.3f}"
    )
    if area is not None and area >= RANKING_SURVIVES:
        return Finding(
            "one-class-threshold",
            f"one class at {threshold:g}{place} ({name}), ranking intact",
            f"{evidence}; {scores.split} AUC {area:.3f}: the order is right, the threshold is not",
            "the same scores at the threshold chosen on validation",
        )
    shown = "undefined" if area is None else f"{area:.3f}"
    return Finding(
        "single-class-collapse",
        f"single-class collapse{place}: {name}",
        f"{evidence}; {scores.split} AUC {shown}",
        "the card without what it added to the one it extends; the training images scored in inference mode",
    )


def _called_alike(scores: Scores, threshold: float) -> int | None:
    """The class that nearly all images are called, where that is more than the larger class holds."""
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
    title = "learns in training mode, not in inference"
    change = "the same card with batch-normalisation momentum 0.9, or without batch normalisation"
    if modes is not None and modes.batch_accuracy is not None and modes.batch_loss is not None:
        if modes.batch_accuracy - modes.inference_accuracy < MODE_GAP:
            return None
        return Finding(
            "train-inference-gap",
            title,
            f"the same {modes.images} training images: accuracy {modes.batch_accuracy:.2f} and loss "
            f"{modes.batch_loss:.2f} with the statistics of their batches, {modes.inference_accuracy:.2f} and "
            f"{modes.inference_loss:.2f} with the moving ones: the moving statistics of batch normalisation lag behind",
            change,
        )
    accuracy, val_accuracy, val_loss = history["accuracy"], history["val_accuracy"], history["val_loss"]
    learned = accuracy[-1] >= 0.7 and accuracy[-1] - val_accuracy[-1] >= MODE_GAP
    at_chance = min(abs(val_accuracy[-1] - share), abs(val_accuracy[-1] - (1 - share))) <= NEAR_CHANCE
    exploded = max(val_loss) >= EXPLODED * min(history["loss"])
    if not (learned and at_chance and exploded):
        return None
    if wilson(round(val_accuracy[-1] * len(val)), len(val))[1] >= accuracy[-1]:
        return None  # on so few validation images, chance and what training reads are one
    if test is not None and _accuracy(test, threshold) - max(_shares(test)) >= MODE_GAP:
        return None  # the same network, evaluated on test, is right
    evidence = (
        f"training accuracy {accuracy[-1]:.2f} while validation stays at {val_accuracy[-1]:.2f} and its loss reached "
        f"{max(val_loss):.2f} (training {history['loss'][-1]:.2f})"
    )
    if modes is None:
        cause = "batch-normalisation statistics that lag behind, or validation images prepared otherwise"
        return Finding("train-inference-gap", title, f"{evidence}: {cause}", change)
    if modes.inference_accuracy - val_accuracy[-1] < MODE_GAP:
        return None
    return Finding(
        "train-inference-gap",
        "right on training images, not on validation",
        f"{evidence}; in inference mode the training images read {modes.inference_accuracy:.2f}: validation images are "
        "other images, or prepared otherwise",
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
    if best > share + NEAR_CHANCE or area is None or area >= RANKING_SURVIVES:
        return None
    if test is not None and (auc(test) or 0.0) >= RANKING_SURVIVES:
        return None
    return Finding(
        "not-learning",
        "has not learned yet",
        f"training accuracy never passed {best:.2f}, where always answering the larger class gives {share:.2f}; "
        f"validation AUC {area:.3f}",
        "a learning rate ten times as high, or more epochs",
    )


def _intensity_shifts(checks: TrainingDiagnostics, images: Mapping[str, int]) -> list[Finding | None]:
    """Splits whose images' mean grey level lies a large standardised difference (Cohen 1988: 0.8) from train's, and
    farther than the mean of so many `images` does by chance, or whose contrast is another."""
    train = checks.intensity.get("train")
    found: list[Finding | None] = []
    for name, split in checks.intensity.items():
        if train is None or name == "train":
            continue
        shift = abs(split.mean - train.mean) / max(train.between, 1e-9)
        contrast = max(split.within, 1e-9) / max(train.within, 1e-9)
        by_chance = 1.96 / math.sqrt(images.get(name) or 1)
        if shift >= max(LARGE_SHIFT, by_chance) or not 0.5 <= contrast <= 2:
            found.append(
                Finding(
                    "intensity-shift",
                    f"{name} images have other grey levels",
                    f"mean grey level {split.mean:.0f} in {name}, {train.mean:.0f} in train ({shift:.1f} standard "
                    f"deviations between training images); contrast within an image {split.within:.0f} and "
                    f"{train.within:.0f}",
                    f"{name} scored after its grey levels are mapped to train's",
                )
            )
    return found


def _prior_shift(counts: ClassCounts) -> Finding | None:
    if "test" not in counts or "val" not in counts or not sum(counts["test"]) or not sum(counts["val"]):
        return None
    test, val = counts["test"], counts["val"]
    low, high = newcombe(test[1], sum(test), val[1], sum(val))
    here, there = test[1] / sum(test), val[1] / sum(val)
    if low <= 0 <= high or abs(here - there) < PRIOR_SHIFT:
        return None
    return Finding(
        "prior-shift",
        "test holds another share of positives",
        f"{here:.2f} of test images are positive, {there:.2f} of validation images: a threshold and a calibration "
        "from validation assume its share",
        "scores re-weighted to the share of test, or figures that do not depend on it (recall, specificity, AUC)",
    )


def _small_validation(counts: ClassCounts, classes: tuple[str, str]) -> Finding | None:
    """Whether a sensitivity or specificity of 0.9 would be known to +/- 0.1 (Wilson) on this many images."""
    if "val" not in counts:
        return None
    val = counts["val"]
    fewest = min(val)
    if fewest:
        low, high = wilson(round(0.9 * fewest), fewest)
        if (high - low) / 2 <= LOOSE:
            return None
    return Finding(
        "small-validation",
        "validation is too small to choose on",
        f"validation holds {val[0]} {classes[0]} and {val[1]} {classes[1]}: a rate of 0.9 is not known to within "
        f"{LOOSE:g} on so few",
        "a protocol with more validation images, or folds by patient",
    )


def _small_training(train: tuple[int, int] | None, classes: tuple[str, str]) -> Finding | None:
    if train is None or min(train) >= FEW_TRAINING:
        return None
    return Finding(
        "small-training",
        "training is too small to rely on",
        f"training holds {train[0]} {classes[0]} and {train[1]} {classes[1]}, fewer than {FEW_TRAINING} of a class: "
        "what is learned from so few depends on which they are",
        "more images, or a protocol that asks for fewer in validation and test",
    )


def _loss(scores: Scores, reported: float | None) -> Finding | None:
    """`reported` against the cross-entropy of its own scores: it cannot be less, and what it is more is penalty."""
    own = log_loss(scores)
    if reported is None or own is None:
        return None
    if reported < own - _TOLERANCE - 0.01 * own:
        return Finding(
            "impossible-loss",
            f"{scores.split} loss below what its scores give",
            f"reported {scores.split} loss {reported:.4f}, cross-entropy of the scores {own:.4f}",
            "the loss computed anew from the stored scores",
        )
    if reported - own > 0.5 * reported:
        return Finding(
            "penalty-in-loss",
            f"{scores.split} loss is mostly weight penalty",
            f"reported {scores.split} loss {reported:.3f}, of which cross-entropy {own:.3f}",
            "the cross-entropy alone, from the stored scores",
        )
    return None

"""Faults that curves, class counts, grey levels and losses show, whatever the number of classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.evidence.diagnosis.training_record import BatchNormProbe, TrainingDiagnostics
from benchmark.evidence.intervals.formulas import newcombe, wilson

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


ClassCounts = Mapping[str, tuple[int, ...]]
"""Numbers of images of each class by split."""


def class_count_faults(counts: ClassCounts, classes: tuple[str, ...]) -> list[Finding]:
    """Find the faults that class counts alone show, before any training.

    Args:
        counts: Numbers of images of each class by split; splits may be missing.
        classes: The names of the classes.

    Returns:
        The faults.
    """
    findings = [
        _small_training(counts.get("train"), classes),
        _prior_shift(counts, classes),
        _small_validation(counts, classes),
    ]
    return [finding for finding in findings if finding is not None]


def gap(
    history: Mapping[str, Sequence[float]],
    share: float,
    modes: BatchNormProbe | None,
    val_images: int,
    test_gain: float | None,
) -> Finding | None:
    """Check whether the network is accurate in training mode or on training images only.

    Args:
        history: loss, accuracy, val_loss and val_accuracy, one value per epoch each.
        share: The accuracy of a constant prediction on validation, that of the largest class.
        modes: The network in both modes; None if not measured.
        val_images: Number of validation images.
        test_gain: Test accuracy minus the share of the largest class in test; None if test was not scored.

    Returns:
        The fault, or None.
    """
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
    if not accuracy:  # a probe has no epochs
        return None
    learns = accuracy[-1] >= 0.7 and accuracy[-1] - val_accuracy[-1] >= MODE_GAP
    at_chance = min(abs(val_accuracy[-1] - share), abs(val_accuracy[-1] - (1 - share))) <= NEAR_CHANCE
    explodes = max(val_loss) >= EXPLODED_LOSS * min(history["loss"])
    if not (learns and at_chance and explodes):
        return None
    if wilson(round(val_accuracy[-1] * val_images), val_images)[1] >= accuracy[-1]:
        return None  # with so few validation images, the difference may be chance
    if test_gain is not None and test_gain >= MODE_GAP:
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


def overfitting(history: Mapping[str, Sequence[float]]) -> Finding | None:
    """Check whether validation loss rose while training loss fell."""
    loss, val_loss = history["loss"], history["val_loss"]
    if not val_loss:  # a probe has no epochs
        return None
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


def intensity_shifts(checks: TrainingDiagnostics, images: Mapping[str, int]) -> list[Finding | None]:
    """Check the grey levels of each split against those of train.

    The mean differs by a large standardised difference (Cohen 1988: 0.8) and by more than chance explains for this
    number of images, or the contrast differs by more than a factor of 2.

    Args:
        checks: Records of training time.
        images: Number of images by split.

    Returns:
        One fault per split that differs.
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


def batch_effects(checks: TrainingDiagnostics) -> list[Finding | None]:
    """Check whether intensity alone distinguishes a split from train, as it does for images of another device or date.

    Args:
        checks: Records of training time.

    Returns:
        One fault per split that differs.
    """
    findings: list[Finding | None] = []
    for name, contrast in checks.contrasts.items():
        if contrast.significant:
            way = "higher" if contrast.feature_auc > 0.5 else "lower"
            findings.append(
                Finding(
                    "batch-effect",
                    f"intensity alone distinguishes {name} from train",
                    f"AUC {contrast.auc:.2f}, shuffled {contrast.unit} {contrast.chance:.2f}; most by a {way} "
                    f"{contrast.feature} in {name}: these images are probably from another device or date, and a "
                    "threshold may not transfer",
                    f"the {name} images scored after mapping their grey levels to those of train",
                )
            )
    return findings


def _prior_shift(counts: ClassCounts, classes: tuple[str, ...]) -> Finding | None:
    if "test" not in counts or "val" not in counts or not sum(counts["test"]) or not sum(counts["val"]):
        return None
    test, val = counts["test"], counts["val"]
    if len(classes) > 2:
        return _shares_shift(test, val, classes)
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


def _shares_shift(test: tuple[int, ...], val: tuple[int, ...], classes: tuple[str, ...]) -> Finding | None:
    """Check the share of each class, at 5% for all classes together (Bonferroni)."""
    shifted = []
    for name, in_test, in_val in zip(classes, test, val, strict=True):
        low, high = newcombe(in_test, sum(test), in_val, sum(val), 1 - 0.05 / len(classes))
        share, val_share = in_test / sum(test), in_val / sum(val)
        if not low <= 0 <= high and abs(share - val_share) >= PRIOR_SHIFT:
            shifted.append((-abs(share - val_share), f"{name} {share:.2f} of test and {val_share:.2f} of validation"))
    if not shifted:
        return None
    return Finding(
        "prior-shift",
        "test has different class shares",
        f"{', '.join(words for _, words in sorted(shifted))}: a decision rule and a calibration from validation assume "
        "the shares in validation",
        "scores re-weighted to the shares in test, or metrics that do not depend on them (recall, AUC)",
    )


def _small_validation(counts: ClassCounts, classes: tuple[str, ...]) -> Finding | None:
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
        f"validation has {_named(val, classes)}: the 95% interval of a rate of 0.9 is wider than ±{LARGE_HALF_WIDTH:g}",
        "a protocol with more validation images",
    )


def _small_training(train: tuple[int, ...] | None, classes: tuple[str, ...]) -> Finding | None:
    if train is None or min(train) >= FEW_TRAINING:
        return None
    return Finding(
        "small-training",
        "training has too few images of a class",
        f"training has {_too_few(train, classes)}, fewer than {FEW_TRAINING} of a class: the "
        "result depends on which images these are",
        "more images, or a protocol that asks for fewer in validation and test",
    )


def _too_few(counts: tuple[int, ...], classes: tuple[str, ...]) -> str:
    """Name both classes, or of several the smallest three of those with too few images."""
    if len(classes) == 2:
        return _named(counts, classes)
    few = sorted((count, label) for label, count in enumerate(counts) if count < FEW_TRAINING)
    more = f" and {len(few) - 3} more" if len(few) > 3 else ""
    return ", ".join(count_of(count, classes[label]) for count, label in few[:3]) + more


def count_of(count: int, name: str) -> str:
    """Return a number of images of a class: "12 NORMAL", or "12 of 8" where the name begins with a digit."""
    return f"{count:,} of {name}" if name[:1].isdigit() else f"{count:,} {name}"


def _named(counts: tuple[int, ...], classes: tuple[str, ...]) -> str:
    """Name both classes, or of several the smallest three."""
    if len(classes) == 2:
        return " and ".join(f"{count} {name}" for count, name in zip(counts, classes, strict=True))
    both = [count_of(count, name) for count, name in zip(counts, classes, strict=True)]
    order = sorted(range(len(counts)), key=lambda label: counts[label])
    left_out = " as its smallest classes" if len(classes) > 3 else ""
    return ", ".join(both[label] for label in order[:3]) + left_out


def loss_faults(split: str, entropy: float | None, reported: float | None) -> Finding | None:
    """Compare the reported loss with the cross-entropy of its scores: it cannot be below, and any excess is penalty.

    Args:
        split: Name of the split.
        entropy: Cross-entropy of the scores, in nats; None if undefined.
        reported: The reported loss; None if not reported or not a cross-entropy.

    Returns:
        The fault, or None.
    """
    if reported is None or entropy is None:
        return None
    if reported < entropy - _TOLERANCE - 0.01 * entropy:
        return Finding(
            "impossible-loss",
            f"{split} loss below the cross-entropy of its scores",
            f"reported {split} loss {reported:.4f}, cross-entropy of the scores {entropy:.4f}",
            "the loss recomputed from the stored scores",
        )
    if reported - entropy > 0.5 * reported:
        return Finding(
            "penalty-in-loss",
            f"{split} loss is mostly weight penalty",
            f"reported {split} loss {reported:.3f}, of which cross-entropy {entropy:.3f}",
            "the cross-entropy alone, from the stored scores",
        )
    return None

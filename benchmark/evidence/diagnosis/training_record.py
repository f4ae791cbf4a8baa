"""Records of training time, from which a later diagnosis explains failures without training again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmark.evidence.metrics.probabilities import log_losses
from benchmark.evidence.scores import CLIP


@dataclass(frozen=True)
class BatchNormProbe:
    """The trained network on the same augmented training images in two modes, both without dropout.

    Attributes:
        images: Number of images.
        inference_accuracy: Accuracy in inference mode, at 0.5 or by the highest score, in [0, 1].
        inference_loss: Mean cross-entropy in inference mode, in nats.
        batch_accuracy: Accuracy with batch statistics instead of moving statistics; None without batch normalisation.
        batch_loss: Mean cross-entropy with batch statistics; None without batch normalisation.
    """

    images: int
    inference_accuracy: float
    inference_loss: float
    batch_accuracy: float | None = None
    batch_loss: float | None = None


def batch_norm_probe(
    y_true: npt.NDArray[np.int64], inference: npt.NDArray[np.float64], batch: npt.NDArray[np.float64] | None
) -> BatchNormProbe:
    """Compute the probe from scores in each mode.

    Args:
        y_true: Labels (n,), from 0.
        inference: Scores in inference mode, in [0, 1]: (n,) of two classes, (n, k) of more.
        batch: Scores with batch statistics, of the same shape; None without batch normalisation.

    Returns:
        The probe.
    """
    accuracy, loss = _figures(y_true, inference)
    return BatchNormProbe(len(y_true), accuracy, loss, *((None, None) if batch is None else _figures(y_true, batch)))


def _figures(y_true: npt.NDArray[np.int64], scores: npt.NDArray[np.float64]) -> tuple[float, float]:
    if scores.ndim == 1:
        accuracy = float(np.mean((scores >= 0.5) == (y_true == 1)))
        return accuracy, float(log_losses(y_true, scores).mean())
    accuracy = float(np.mean(scores.argmax(axis=1) == y_true))
    return accuracy, float(-np.log(scores[np.arange(len(scores)), y_true].clip(CLIP, 1)).mean())


@dataclass(frozen=True)
class Intensity:
    """Grey levels 0..255 of a split.

    Attributes:
        mean: Mean over images of their mean grey levels.
        between: Standard deviation of the mean grey levels between images.
        within: Mean over images of the standard deviation within an image.
    """

    mean: float
    between: float
    within: float


@dataclass(frozen=True)
class IntensityContrast:
    """How well intensity alone distinguishes the images of a split from those of train, within each class.

    Attributes:
        auc: AUC of a cross-validated linear classifier of descriptions of intensity.
        chance: The AUC that 95 of 100 shuffles of patients between the splits do not exceed.
        significant: Whether the splits differ at the 1% level.
        feature: The description with the AUC farthest from 0.5.
        feature_auc: Its AUC; above 0.5, it is higher in the split.
        unit: What was shuffled: "images" if patients are not known.
    """

    auc: float
    chance: float
    significant: bool
    feature: str
    feature_auc: float
    unit: str = "patients"


@dataclass(frozen=True)
class TrainingDiagnostics:
    """Diagnostics recorded at training time.

    Attributes:
        modes: The network in inference mode and with batch statistics.
        intensity: Grey levels by split, of prepared images without augmentation.
        related: Names of the test images with a related image in train or val, or an identical one earlier in test, by
            kind of relation; None if not recorded.
        contrasts: How well intensity distinguishes val and test from train, by split; empty if not recorded.
    """

    modes: BatchNormProbe | None = None
    intensity: Mapping[str, Intensity] = field(default_factory=dict)
    related: Mapping[str, tuple[str, ...]] | None = None
    contrasts: Mapping[str, IntensityContrast] = field(default_factory=dict)

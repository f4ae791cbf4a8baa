"""What a run records about itself so that a failure can be explained later without training anything again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmark.evidence.metrics.influence import losses


@dataclass(frozen=True)
class BatchNormProbe:
    """The same augmented training images through the trained network in inference mode and, where it has batch
    normalisation, with the statistics of each batch in place of the moving ones (dropout off in both).

    `images` were used; accuracies at 0.5 are in [0, 1], losses are mean cross-entropies in nats. The two of `batch`
    are None for a network without batch normalisation: its modes are the same.
    """

    images: int
    inference_accuracy: float
    inference_loss: float
    batch_accuracy: float | None = None
    batch_loss: float | None = None


def batch_norm_probe(
    y_true: npt.NDArray[np.int64], inference: npt.NDArray[np.float64], batch: npt.NDArray[np.float64] | None
) -> BatchNormProbe:
    """The probe from labels (n,) and scores (n,) in each mode; `batch` is None without batch normalisation."""
    accuracy, loss = _figures(y_true, inference)
    return BatchNormProbe(len(y_true), accuracy, loss, *((None, None) if batch is None else _figures(y_true, batch)))


def _figures(y_true: npt.NDArray[np.int64], scores: npt.NDArray[np.float64]) -> tuple[float, float]:
    accuracy = float(np.mean((scores >= 0.5) == (y_true == 1)))
    return accuracy, float(losses("log_loss", y_true, scores).mean())


@dataclass(frozen=True)
class Intensity:
    """Grey levels 0..255 of a split: the mean over images of an image's mean, the standard deviation of that mean
    between images, and the mean over images of the standard deviation within an image."""

    mean: float
    between: float
    within: float


@dataclass(frozen=True)
class TrainingDiagnostics:
    """Recorded at training time; `intensity` is by split, of the images as prepared, without augmentation.

    `related` names the test images that have a relative in train or val, or an identical image before them in test,
    by what makes them relatives; None in records that did not look.
    """

    modes: BatchNormProbe | None = None
    intensity: Mapping[str, Intensity] = field(default_factory=dict)
    related: Mapping[str, tuple[str, ...]] | None = None

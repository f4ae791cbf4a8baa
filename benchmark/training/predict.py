"""Scores of images from a trained model."""

from __future__ import annotations

import time
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from benchmark.data.prepared import LabelledImages
from benchmark.training.network import BATCH, run_batched


@dataclass(frozen=True)
class Scored:
    """`scores` (n,) in [0, 1], float64, and the milliseconds one image took once the model was warm."""

    scores: npt.NDArray[np.float64]
    ms_per_image: float


def score(model: keras.Model, images: LabelledImages) -> Scored:
    """The probability of the positive class for every image, in order, in inference mode."""
    run_batched(model, images.pixels[:BATCH])
    start = time.perf_counter()
    scores = run_batched(model, images.pixels)[:, 0].astype(np.float64)
    return Scored(scores, 1000 * (time.perf_counter() - start) / len(images))

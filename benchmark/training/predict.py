"""Scores of images from a trained model."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from benchmark.data.prepared import LabelledImages
from benchmark.training.network import run_batched
from benchmark.training.train import Fitted

_BATCH = 8  # large enough for the speed of larger ones, small enough to cost a run little
_TIMED = 2 * _BATCH


def score(fitted: Fitted, images: LabelledImages) -> npt.NDArray[np.float64]:
    """The probability of the positive class for every image, in order, in inference mode: (n,), float64 in [0, 1]."""
    return run_batched(fitted.network.tail, fitted.network.plain(images))[:, 0].astype(np.float64)


def ms_per_image(fitted: Fitted, images: LabelledImages) -> float:
    """Milliseconds the whole model takes for one image, from its pixels, once it is warm."""
    sample = images.pixels[:_TIMED]
    run_batched(fitted.model, sample[:_BATCH], _BATCH)
    start = time.perf_counter()
    run_batched(fitted.model, sample, _BATCH)
    return 1000 * (time.perf_counter() - start) / len(sample)

"""A few passes over training images after training, which tell one cause of failure from another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import numpy.typing as npt

from benchmark.data.prepared import LabelledImages
from benchmark.evidence.checks import Intensity, Modes
from benchmark.training.network import run_batched
from benchmark.training.train import Fitted

_IMAGES = 128
_CLIP = 1e-7


def compare_modes(fitted: Fitted, train: LabelledImages, batch_size: int) -> Modes:
    """Up to 128 training images, in the augmented view of the last epoch, through the trained network in both modes.

    Batches of `batch_size` in an order that mixes the classes, as in training. The network is left as it was.
    """
    chosen = np.random.default_rng(0).permutation(len(train))[:_IMAGES]
    tail = fitted.network.tail
    inputs = fitted.network.batch(train, fitted.last_view, chosen)
    labels = train.labels[chosen]
    accuracy, loss = _figures(run_batched(tail, inputs)[:, 0], labels)
    found = Modes(len(chosen), accuracy, loss)
    if not any(isinstance(layer, keras.layers.BatchNormalization) for layer in _leaves(tail)):
        return found
    with _batch_statistics(tail):
        parts = [
            keras.ops.convert_to_numpy(tail([inputs[first : first + batch_size]], training=True))[:, 0]
            for first in range(0, len(chosen), batch_size)
        ]
    return Modes(len(chosen), accuracy, loss, *_figures(np.concatenate(parts), labels))


def intensity(images: LabelledImages) -> Intensity:
    """Grey levels of `images` as they were prepared."""
    means, within = np.empty(len(images)), np.empty(len(images))
    for i, pixels in enumerate(images.pixels):  # one at a time: a float copy of a whole split may not fit
        means[i], within[i] = pixels.mean(), pixels.std()
    return Intensity(float(means.mean()), float(means.std()), float(within.mean()))


def _figures(scores: npt.NDArray[np.floating], labels: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Accuracy at 0.5 and mean cross-entropy, scores clipped to 1e-7 as Keras does."""
    p = np.clip(scores.astype(np.float64), _CLIP, 1 - _CLIP)
    loss = -np.mean(np.where(labels == 1, np.log(p), np.log1p(-p)))
    return float(np.mean((scores >= 0.5) == (labels == 1))), float(loss)


@contextmanager
def _batch_statistics(model: keras.Model) -> Iterator[None]:
    """Training mode of `model` without dropout; moving statistics and dropout are put back."""
    weights = model.get_weights()
    rates = {layer: layer.rate for layer in _leaves(model) if hasattr(layer, "rate")}
    try:
        for layer in rates:
            layer.rate = 0.0
        yield
    finally:
        for layer, rate in rates.items():
            layer.rate = rate
        model.set_weights(weights)


def _leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer

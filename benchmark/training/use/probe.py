"""A few passes over training images after training, which tell one cause of failure from another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import numpy.typing as npt

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.training.fit import Fitted
from benchmark.training.network import run_batched

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_IMAGES = 128


def score_in_both_modes(fitted: Fitted, train: LabelledImages, batch_size: int) -> tuple[Labels, Floats, Floats | None]:
    """Labels (n,) and scores (n,) of up to 128 training images, in the augmented view of the last epoch: in inference
    mode, and with the statistics of each batch in place of the moving ones, dropout off in both.

    The latter are None for a network without batch normalisation. Batches are of `batch_size` in an order that mixes
    the classes, as in training. The network is left as it was.
    """
    chosen = np.random.default_rng(0).permutation(len(train))[:_IMAGES]
    tail = fitted.network.tail
    inputs = fitted.network.batch(train, fitted.last_view, chosen)
    scores = run_batched(tail, inputs)[:, 0].astype(np.float64)
    if not any(isinstance(layer, keras.layers.BatchNormalization) for layer in _leaves(tail)):
        return train.labels[chosen], scores, None
    with _batch_statistics(tail):
        parts = [
            keras.ops.convert_to_numpy(tail([inputs[first : first + batch_size]], training=True))[:, 0]
            for first in range(0, len(chosen), batch_size)
        ]
    return train.labels[chosen], scores, np.concatenate(parts).astype(np.float64)


def grey_levels(images: LabelledImages) -> tuple[float, float, float]:
    """Of the images as prepared, 0..255: the mean of their means, the standard deviation between these, and the mean
    standard deviation within an image."""
    means, within = np.empty(len(images)), np.empty(len(images))
    for i, pixels in enumerate(images.pixels):  # one at a time: a float copy of a whole split may not fit
        means[i], within[i] = pixels.mean(), pixels.std()
    return float(means.mean()), float(means.std()), float(within.mean())


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

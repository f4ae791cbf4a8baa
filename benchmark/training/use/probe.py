"""A few passes over training images after training, which distinguish causes of failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import numpy.typing as npt

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.training.fit import Fitted
from benchmark.training.model_graph import runs_in_inference_mode
from benchmark.training.network import run_batched, without_single_axis

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_IMAGES = 128


def score_in_both_modes(fitted: Fitted, train: LabelledImages, batch_size: int) -> tuple[Labels, Floats, Floats | None]:
    """Score up to 128 training images with moving statistics and with batch statistics of batch normalisation.

    The images are in the augmented view of the last epoch, and dropout is off in both modes. Batches mix the classes,
    as in training. The weights of the network are restored afterwards.

    Args:
        fitted: The trained model.
        train: The training images.
        batch_size: Images per batch, as in training.

    Returns:
        Labels (n,), scores in inference mode, and scores with batch statistics, which are None without batch
        normalisation that uses them in training. Scores have the shape (n,) for two classes, (n, k) for k classes.
    """
    chosen = np.random.default_rng(0).permutation(len(train))[:_IMAGES]
    tail = fitted.network.tail
    inputs = fitted.network.batch(train, fitted.last_view, chosen)
    scores = without_single_axis(run_batched(tail, inputs)).astype(np.float64)
    if not any(_uses_batch_statistics(layer) for layer in _leaves(tail)):
        return train.labels[chosen], scores, None
    with _batch_statistics(tail):
        parts = [
            keras.ops.convert_to_numpy(tail([inputs[first : first + batch_size]], training=True))
            for first in range(0, len(chosen), batch_size)
        ]
    return train.labels[chosen], scores, without_single_axis(np.concatenate(parts)).astype(np.float64)


def grey_levels(images: LabelledImages) -> tuple[float, float, float]:
    """Measure brightness and contrast of prepared images, in grey levels 0..255.

    Args:
        images: The images of a split.

    Returns:
        The mean over images of an image's mean, the standard deviation of that mean between images, and the mean over
        images of the standard deviation within an image.
    """
    means, within = np.empty(len(images)), np.empty(len(images))
    for i, pixels in enumerate(images.pixels):  # one by one: a float copy of a whole split may exceed the memory
        means[i], within[i] = pixels.mean(), pixels.std()
    return float(means.mean()), float(means.std()), float(within.mean())


@contextmanager
def _batch_statistics(model: keras.Model) -> Iterator[None]:
    """Within the context, run `model` in training mode without dropout; then restore its state."""
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


def _uses_batch_statistics(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization) and not runs_in_inference_mode(layer)


def _leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer

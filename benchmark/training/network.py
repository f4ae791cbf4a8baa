"""From grey levels to a probability: preprocessing in front of a builder's model, and its frozen prefix apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_IMAGENET_MEANS_BGR = (103.939, 116.779, 123.68)
BATCH = 32


@keras.saving.register_keras_serializable(package="zoo")
class CaffePreprocessing(keras.layers.Layer):  # type: ignore[misc]
    """RGB grey levels 0..255 to BGR minus the ImageNet channel means (Simonyan & Zisserman 2015)."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """(n, h, w, 3) RGB to (n, h, w, 3) BGR, centred."""
        return keras.ops.flip(inputs, axis=-1) - keras.ops.convert_to_tensor(_IMAGENET_MEANS_BGR, inputs.dtype)


@dataclass(frozen=True)
class Parts:
    """A network cut in two: `prefix` maps grey levels to features without training anything, `tail` the features to
    probabilities. `frozen` says whether the prefix holds weights, so that its features are worth keeping."""

    prefix: keras.Model
    tail: keras.Model
    frozen: bool


def entry(pixel_shape: tuple[int, int, int], preprocessing: Literal["rescale", "caffe"]) -> keras.Model:
    """The model from grey levels 0..255 of `pixel_shape` (h, w, 1 or 3) to the three channels a builder reads."""
    pixels = keras.Input(pixel_shape, name="pixels")
    rgb = pixels if pixel_shape[-1] == 3 else keras.layers.Concatenate(name="rgb")([pixels] * 3)
    layer = (
        CaffePreprocessing(name="caffe")
        if preprocessing == "caffe"
        else keras.layers.Rescaling(1 / 255, name="rescale")
    )
    return keras.Model(pixels, layer(rgb), name="entry")


def join(front: keras.Model, model: keras.Model, name: str) -> keras.Model:
    """One model that applies `front`, then `model`; the weights are shared with both."""
    return keras.Model(front.inputs, model(front.outputs[0]), name=name)


def cut(front: keras.Model, model: keras.Model) -> Parts:
    """`model` cut behind the last of its leading layers that training leaves alone.

    The prefix is `front` and those layers. Where the graph does not allow a cut there, an earlier one is taken; with
    none, the prefix is `front` alone.
    """
    layers = model.layers
    last = 0
    while last + 1 < len(layers) and _is_fixed(layers[last + 1]):
        last += 1
    for index in range(last, 0, -1):
        if not any(layer.weights for layer in layers[: index + 1]):
            break
        try:
            tail = keras.Model(layers[index].output, model.output, name="tail")
            head = keras.Model(model.inputs, layers[index].output, name="frozen")
        except ValueError:
            continue
        return Parts(join(front, head, "prefix"), tail, frozen=True)
    return Parts(front, model, frozen=False)


def run_batched(model: keras.Model, inputs: npt.NDArray[np.generic], batch: int = BATCH) -> Floats:
    """`model` in inference mode over `inputs` (n, ...), `batch` at a time.

    The last batch is filled up with zeros, so that every call has one shape: it is compiled once and results repeat.
    """
    parts = []
    for start in range(0, len(inputs), batch):
        chosen = np.asarray(inputs[start : start + batch], dtype=np.float32)
        filled = np.zeros((batch, *chosen.shape[1:]), np.float32)
        filled[: len(chosen)] = chosen
        parts.append(keras.ops.convert_to_numpy(model.predict_on_batch(filled))[: len(chosen)])
    return np.concatenate(parts).astype(np.float32, copy=False)


def _is_fixed(layer: keras.layers.Layer) -> bool:
    # A layer that draws random numbers (dropout) is another function in training than in inference.
    draws = getattr(layer, "seed_generator", None) is not None
    return not layer.trainable_variables and not draws

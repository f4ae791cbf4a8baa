"""From grey levels to a probability: preprocessing in front of a builder's model, and the cuts of its frozen layers."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

from benchmark.training.model_graph import runs_in_inference_mode

Floats = npt.NDArray[np.float32]
_IMAGENET_MEANS_BGR = (103.939, 116.779, 123.68)
BATCH = 32


@keras.saving.register_keras_serializable(package="zoo")
class CaffePreprocessing(keras.layers.Layer):  # type: ignore[misc]
    """RGB grey levels 0..255 to BGR minus the ImageNet channel means (Simonyan & Zisserman 2015)."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """(n, h, w, 3) RGB to (n, h, w, 3) BGR, centred."""
        return keras.ops.flip(inputs, axis=-1) - keras.ops.convert_to_tensor(_IMAGENET_MEANS_BGR, inputs.dtype)


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


def frozen_layers(model: keras.Model) -> tuple[str, ...]:
    """The leading layers of `model` that training leaves alone and behind which it may be cut, first to last.

    Layers in front of the first weights are left out: features behind them are not worth keeping. In a graph with
    branches only layers that everything passes through count. There are none where a layer has no configuration, by
    which its features would be told from those of another.
    """
    found: list[str] = []
    weights = False
    for layer in _without_input(model):
        if not _is_fixed(layer):
            break
        weights = weights or bool(layer.weights)
        if weights:
            found.append(layer.name)
    while found and not may_cut(model, found[-1]):
        found.pop()
    return tuple(found) if found and _has_config(model) else ()


def segment(model: keras.Model, start: str | None, stop: str | None) -> keras.Model:
    """The part of `model` behind layer `start` (None: its input) up to and with layer `stop` (None: its output).

    Raises ValueError when the graph does not allow it. Weights are shared.
    """
    inputs = model.inputs if start is None else model.get_layer(start).output
    outputs = model.outputs[0] if stop is None else model.get_layer(stop).output
    return keras.Model(inputs, outputs, name=f"from_{start or 'input'}_to_{stop or 'output'}")


def set_precision(model: keras.Model, lowered: tuple[str, ...], precision: Literal["float32", "bfloat16"]) -> None:
    """Compute the layers named in `lowered` in `precision`, all others in float32; weights are float32 always."""
    for layer in _without_input(model):
        low = precision == "bfloat16" and layer.name in lowered
        layer.dtype_policy = keras.DTypePolicy("mixed_bfloat16" if low else "float32")


def layer_digests(model: keras.Model, layers: tuple[str, ...]) -> dict[str, str]:
    """For each of `layers`, leading ones of `model` in order, a digest of all that decides its output: shapes,
    settings, connections and weights of the layers up to and with it."""
    total = hashlib.blake2b(digest_size=16)
    digests: dict[str, str] = {}
    left = set(layers)
    if not left:
        return digests
    total.update(repr(model.input_shape).encode())
    described = {entry["name"]: entry for entry in model.get_config()["layers"]}
    for operation in model.operations:
        if not left:
            break
        if isinstance(operation, keras.layers.InputLayer):
            continue
        facts = described[operation.name]
        settings = {k: v for k, v in facts["config"].items() if k not in ("trainable", "dtype")}
        joints = [facts["class_name"], settings, facts.get("inbound_nodes")]
        total.update(json.dumps(joints, sort_keys=True, default=str).encode())
        for weight in getattr(operation, "weights", ()):  # an operation that is no layer has none
            total.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
        if operation.name in left:
            left.discard(operation.name)
            digests[operation.name] = total.hexdigest()
    return digests


def run_batched(model: keras.Model, inputs: npt.NDArray[np.generic], batch: int = BATCH) -> npt.NDArray[Any]:
    """`model` in inference mode over `inputs` (n, ...), `batch` at a time; float32, or bfloat16 where it computes so.

    The last batch is filled up with zeros, so that every call has one shape: it is compiled once and results repeat.
    """
    parts = []
    for start in range(0, len(inputs), batch):
        chosen = np.asarray(inputs[start : start + batch], dtype=np.float32)
        filled = np.zeros((batch, *chosen.shape[1:]), np.float32)
        filled[: len(chosen)] = chosen
        parts.append(keras.ops.convert_to_numpy(model.predict_on_batch(filled))[: len(chosen)])
    return np.concatenate(parts)


def may_cut(model: keras.Model, name: str) -> bool:
    """Whether everything in `model` passes through layer `name`."""
    try:
        segment(model, name, None)
    except (ValueError, AttributeError):  # branches pass by, or the model is no graph of layers
        return False
    return True


def _without_input(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def _is_fixed(layer: keras.layers.Layer) -> bool:
    """Whether training changes neither the weights of `layer` nor what it computes."""
    if layer.trainable_variables:
        return False
    if runs_in_inference_mode(layer):
        return True
    # A layer that draws random numbers (dropout) is another function in training than in inference; its seeds are
    # variables that do not count as weights. Batch normalisation without scale and offset still follows the batches.
    draws = len(layer.variables) > len(layer.weights)
    return not draws and not (isinstance(layer, keras.layers.BatchNormalization) and layer.trainable)


def _has_config(model: keras.Model) -> bool:
    try:
        model.get_config()
    except Exception:  # layers of other packages raise many kinds
        return False
    return True

"""The networks from grey levels to probabilities: preprocessing in front of a builder's model.

Training does not change the first, frozen layers of such a network. It can be split behind a frozen layer that
everything passes through: the prefix up to that layer is computed once, the part behind it is trained.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

from benchmark.training.cuts import crossing_layers
from benchmark.training.model_graph import runs_in_inference_mode
from benchmark.training.precision import TrainingPrecision

Floats = npt.NDArray[np.float32]
_IMAGENET_MEANS_BGR = (103.939, 116.779, 123.68)
BATCH = 32


@keras.saving.register_keras_serializable(package="zoo")
class CaffePreprocessing(keras.layers.Layer):  # type: ignore[misc]
    """RGB grey levels 0..255 to BGR minus the ImageNet channel means (Simonyan and Zisserman 2015)."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Convert images.

        Args:
            inputs: RGB, shape (n, h, w, 3).

        Returns:
            BGR, centred, of the same shape.
        """
        return keras.ops.flip(inputs, axis=-1) - keras.ops.convert_to_tensor(_IMAGENET_MEANS_BGR, inputs.dtype)


def preprocessing_model(
    pixel_shape: tuple[int, int, int], preprocessing: Literal["rescale", "caffe", "builder"]
) -> keras.Model:
    """Build the preprocessing model.

    Args:
        pixel_shape: (h, w, 1 or 3) of the images.
        preprocessing: `rescale` divides by 255, `caffe` is `CaffePreprocessing`, `builder` changes nothing.

    Returns:
        The model from grey levels 0..255 to the three channels of a builder's input.
    """
    pixels = keras.Input(pixel_shape, name="pixels")
    rgb = pixels if pixel_shape[-1] == 3 else keras.layers.Concatenate(name="rgb")([pixels] * 3)
    if preprocessing == "caffe":
        layer = CaffePreprocessing(name="caffe")
    elif preprocessing == "rescale":
        layer = keras.layers.Rescaling(1 / 255, name="rescale")
    else:
        layer = keras.layers.Identity(name="levels")
    return keras.Model(pixels, layer(rgb), name="entry")


def join(front: keras.Model, model: keras.Model, name: str) -> keras.Model:
    """Build one model that applies two models in turn and shares their weights.

    Args:
        front: The first model.
        model: The second model, whose input is the output of `front`.
        name: The name of the new model.

    Returns:
        A model from the inputs of `front` to the outputs of `model`.
    """
    return keras.Model(front.inputs, model(front.outputs[0]), name=name)


def frozen_layers(model: keras.Model) -> tuple[str, ...]:
    """Return the layers of the frozen prefix of `model`, from the first one with weights.

    Layers before the first weights are left out: their outputs are not worth storing. The last layer of the prefix is
    one that everything passes through. There is no prefix if a layer has no configuration, because then a digest would
    not distinguish its features from those of another.

    Args:
        model: A flat graph of layers.

    Returns:
        The names of the layers, first to last; empty without a frozen prefix.
    """
    names: list[str] = []
    weights = False
    for layer in without_inputs(model)[:-1]:  # behind the last layer is nothing to train
        if not _is_fixed(layer):
            break
        weights = weights or bool(layer.weights)
        if weights:
            names.append(layer.name)
    crossing = set(crossing_layers(model))
    while names and names[-1] not in crossing:
        names.pop()
    return tuple(names) if names and _has_config(model) else ()


def segment(model: keras.Model, start: str | None, stop: str | None) -> keras.Model:
    """Return one part of a model, with shared weights.

    Args:
        model: A flat graph of layers.
        start: The part begins behind this layer; None for the input.
        stop: The last layer of the part; None for the output.

    Returns:
        A model from the outputs of `start` to those of `stop`.

    Raises:
        ValueError: Branches of the graph bypass `start` or `stop`.
    """
    inputs = model.inputs if start is None else model.get_layer(start).output
    outputs = model.outputs[0] if stop is None else model.get_layer(stop).output
    return keras.Model(inputs, outputs, name=f"from_{start or 'input'}_to_{stop or 'output'}")


def set_precision(model: keras.Model, lowered: tuple[str, ...], precision: Literal["float32", "bfloat16"]) -> None:
    """Set the precision of layers. Weights are always float32.

    Args:
        model: A flat graph of layers.
        lowered: The layers that compute in `precision`; all others compute in float32.
        precision: The precision of `lowered`.
    """
    for layer in without_inputs(model):
        low = precision == "bfloat16" and layer.name in lowered
        layer.dtype_policy = keras.DTypePolicy("mixed_bfloat16" if low else "float32")


@contextmanager
def training_in(model: keras.Model, precision: TrainingPrecision) -> Iterator[None]:
    """Within the context, calls of `model` that are traced compute in `precision`, as mixed precision of Keras does.

    Weights, their updates, the statistics of batch normalisation, the last layer with weights and the loss stay in
    float32 (Micikevicius et al. 2018; Kalamkar et al. 2019). bfloat16 has the range of float32, so the loss is not
    scaled. Layers with a precision of their own keep it.

    Args:
        model: A flat graph of layers.
        precision: `float32` changes nothing.

    Yields:
        Once, with the precision set.
    """
    layers = without_inputs(model)
    while layers and not layers.pop().weights:
        pass
    lowered = [layer for layer in layers if layer.dtype_policy.name == "float32"] if precision != "float32" else []
    for layer in lowered:
        layer.dtype_policy = keras.DTypePolicy(f"mixed_{precision}")
    try:
        yield
    finally:
        for layer in lowered:
            layer.dtype_policy = keras.DTypePolicy("float32")


def layer_digests(model: keras.Model, layers: tuple[str, ...]) -> dict[str, str]:
    """Return digests of everything that decides the outputs of leading layers.

    A digest covers shapes, settings, connections and weights of all layers up to and including its own.

    Args:
        model: A flat graph of layers.
        layers: The names of leading layers, in order.

    Returns:
        The digest of each layer, in hexadecimal.
    """
    total = hashlib.blake2b(digest_size=16)
    digests: dict[str, str] = {}
    remaining = set(layers)
    if not remaining:
        return digests
    total.update(repr(model.input_shape).encode())
    configs = {config["name"]: config for config in model.get_config()["layers"]}
    for operation in model.operations:
        if not remaining:
            break
        if isinstance(operation, keras.layers.InputLayer):
            continue
        config = configs[operation.name]
        settings = {k: v for k, v in config["config"].items() if k not in ("trainable", "dtype")}
        description = [config["class_name"], settings, config.get("inbound_nodes")]
        total.update(json.dumps(description, sort_keys=True, default=str).encode())
        for weight in getattr(operation, "weights", ()):  # an operation that is not a layer has none
            total.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
        if operation.name in remaining:
            remaining.discard(operation.name)
            digests[operation.name] = total.hexdigest()
    return digests


def run_batched(model: keras.Model, inputs: npt.NDArray[np.generic], batch: int = BATCH) -> npt.NDArray[Any]:
    """Run a model in inference mode on batches of one shape (`padded_batches`).

    Args:
        model: The model.
        inputs: Shape (n, ...).
        batch: Images per call, 1 or more.

    Returns:
        The outputs, shape (n, ...): float32, or bfloat16 if the last layer computes so.
    """
    batches = padded_batches(inputs, batch)
    return np.concatenate([keras.ops.convert_to_numpy(model.predict_on_batch(x))[:count] for x, count in batches])


def without_single_axis(outputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return outputs (n, 1), for two classes, as scores (n,); outputs (n, k), for k classes, stay as they are."""
    return outputs[:, 0] if outputs.shape[1] == 1 else outputs


def padded_batches(inputs: npt.NDArray[np.generic], batch: int = BATCH) -> Iterator[tuple[Floats, int]]:
    """Split inputs into batches of one shape, so that a model is compiled once and results repeat.

    Args:
        inputs: Shape (n, ...).
        batch: Images per batch, 1 or more.

    Yields:
        A batch, float32, shape (batch, ...), and the number of its images; zeros pad the last batch.
    """
    for start in range(0, len(inputs), batch):
        images = np.asarray(inputs[start : start + batch], dtype=np.float32)
        padded = np.zeros((batch, *images.shape[1:]), np.float32)
        padded[: len(images)] = images
        yield padded, len(images)


def without_inputs(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers of `model` except its input layers."""
    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def _is_fixed(layer: keras.layers.Layer) -> bool:
    """Whether training changes neither the weights nor the outputs of `layer`."""
    if layer.trainable_variables:
        return False
    if runs_in_inference_mode(layer):
        return True
    # A layer that draws random numbers (dropout) differs between training and inference. Its seeds are variables but
    # not weights. Batch normalisation without scale and offset still updates its statistics.
    draws = len(layer.variables) > len(layer.weights)
    return not draws and not (isinstance(layer, keras.layers.BatchNormalization) and layer.trainable)


def _has_config(model: keras.Model) -> bool:
    try:
        model.get_config()
    except Exception:  # layers of other packages raise many kinds
        return False
    return True

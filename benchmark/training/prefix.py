"""How a frozen part of a network is computed: by Winograd's filtering as far as it is a plain chain of convolutions, by
Keras from there on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

import benchmark.training.backend as backend
from benchmark.training.network import join, may_cut, run_batched, segment
from benchmark.training.winograd import Chain, Convolution

Compute = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
_ACTIVATIONS = (keras.activations.relu, keras.activations.linear)


def prefix(
    front: keras.Model, model: keras.Model, start: str | None, stop: str, precision: Literal["float32", "bfloat16"]
) -> Compute:
    """The function from (n, ...) to (n, ...) that is the part of `model` behind layer `start` up to and with `stop`, in
    inference mode; where `start` is None, `front` and all layers up to `stop`.

    In float32, on a processor and under TensorFlow, the chain of 3 x 3 convolutions and poolings with which the part
    begins takes a quarter of the multiplications: the same figures to the sixth digit. Its weights are read here, not
    when called. Raises ValueError when the graph does not allow the cuts.
    """
    part = segment(model, start, stop)
    layers, last = leading_convolutions(part)
    chain = None
    if precision == "float32" and backend.tensorflow_on_cpu() and layers and may_cut(model, last):
        chain = _chain(layers, part.input_shape)
    if chain is None:
        whole = join(front, part, "prefix") if start is None else part
        return lambda inputs: run_batched(whole, inputs)
    filtering, count = chain, backend.threads()
    rest = segment(model, last, stop) if last != stop else None

    def compute(inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        values = run_batched(front, inputs) if start is None else inputs
        values = filtering(np.asarray(values, np.float32), count)
        return values if rest is None else run_batched(rest, values)

    return compute


def _chain(layers: list[Convolution], shape: tuple[int | None, ...]) -> Chain | None:
    _, height, width, _ = shape
    if height is None or width is None:
        return None
    chain = Chain(layers, height, width)
    return chain if chain.repeats() else None


def leading_convolutions(part: keras.Model) -> tuple[list[Convolution], str]:
    """The layers with which `part` begins, as long as they are 3 x 3 convolutions with steps of 1, each with relu or no
    activation and with a 2 x 2 maximum pooling or none behind it; and the name of the last of them, "" for none."""
    found: list[Convolution] = []
    name = ""
    described = {layer["config"]["name"]: layer for layer in part.get_config()["layers"]}
    for layer in part.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        if len(described[layer.name]["inbound_nodes"]) != 1:
            break
        if _is_plain_convolution(layer):
            found.append(_convolution(layer))
        elif _is_plain_pooling(layer) and found and not found[-1].pool:
            found[-1] = dataclasses.replace(found[-1], pool=True)
        else:
            break
        name = layer.name
    return found, name


def _is_plain_convolution(layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.Conv2D
        and layer.kernel_size == (3, 3)
        and layer.padding == "same"
        and layer.data_format == "channels_last"
        and layer.groups == 1
        and set(layer.strides) | set(layer.dilation_rate) == {1}
        and layer.activation in _ACTIVATIONS
    )


def _is_plain_pooling(layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.MaxPooling2D
        and layer.padding == "valid"
        and layer.data_format == "channels_last"
        and tuple(layer.pool_size) == tuple(layer.strides) == (2, 2)
    )


def _convolution(layer: keras.layers.Conv2D) -> Convolution:
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    bias = keras.ops.convert_to_numpy(layer.bias) if layer.use_bias else np.zeros(kernel.shape[3], np.float32)
    return Convolution(kernel, bias, layer.activation is keras.activations.relu, pool=False)

"""How a frozen part of a network is computed: its first convolutions by Winograd's filtering, all else by Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

import benchmark.training.backend as backend
from benchmark.training.frozen.methods import BFLOAT16, KERAS, WORDS, Trial, Way, Ways, ways_of
from benchmark.training.frozen.winograd import Chain, Convolution
from benchmark.training.network import join, may_cut, run_batched, segment

Compute = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
_ACTIVATIONS = (keras.activations.relu, keras.activations.linear)


@dataclass(frozen=True)
class Taken:
    """The way in which frozen layers are computed, why, and those that are `filtered`."""

    way: Way
    reason: str
    filtered: tuple[str, ...] = ()


def ways_here(
    precision: Literal["float32", "bfloat16", "auto"],
    prefix: Literal["auto", "keras", "filtered"],
    trial: Trial | Way | None,
) -> Ways:
    """What a protocol allows (`ways_of`), and on what computes here. An accelerator and a backend other than TensorFlow
    are not tried out: Keras computes, in bfloat16 where that is left open and an accelerator says that it has it."""
    if backend.tensorflow_on_cpu() or precision == "bfloat16":
        return ways_of(precision, prefix, trial)
    if precision == "auto" and prefix == "auto" and backend.accelerator_has_bfloat16():
        return replace(BFLOAT16, order=(("bfloat16", "the accelerator multiplies it natively"),))
    return replace(KERAS, order=(("keras", "an accelerator or another backend than TensorFlow computes"),))


def take(model: keras.Model, frozen: Sequence[str], ways: Ways) -> Taken:
    """The first of `ways` that fits the `frozen` layers with which `model` begins; Keras in float32 where none does.

    Filtering needs layers that it can compute (`filtered_layers`). A trial that found bfloat16 fastest speaks for 3 x 3
    convolutions alone: unless it is forced, bfloat16 fits where all weights of the frozen layers lie in such.
    """
    for way, reason in ways.order:
        if way == ways.order[0][0]:
            why = reason
        else:
            why = f"{WORDS[ways.order[0][0]]} does not fit this network here"
            why = f"{why}; {reason}" if way != "keras" and reason else why
        if way == "filtered":
            if layers := filtered_layers(model):
                return Taken(way, why, layers)
        elif way == "keras" or ways.forced or _all_plain(model, frozen):
            return Taken(way, why)
    return Taken("keras", "nothing else fits this network")


def _all_plain(model: keras.Model, frozen: Sequence[str]) -> bool:
    plain = set(_leading(model))
    return all(name in plain for name in frozen if model.get_layer(name).weights)


def filtered_layers(model: keras.Model) -> tuple[str, ...]:
    """The layers with which `model` begins that are computed by Winograd's filtering here, first to last.

    They are 3 x 3 convolutions with steps of 1, each with relu or no activation and with a 2 x 2 maximum pooling or
    none behind it, up to one that everything passes through. There are none where an accelerator or another backend
    than TensorFlow computes, where the size of the images is left open, or where an image would not have the same bits
    at every place of a batch. The answer holds for a model and a machine, not for a part: whatever the cuts, a layer is
    always computed in the same way.
    """
    if not backend.tensorflow_on_cpu() or len(model.inputs) != 1 or None in model.input_shape[1:]:
        return ()
    names = _leading(model)
    while names and not may_cut(model, names[-1]):
        names.pop()
    return tuple(names) if names and _chain(model, None, names).repeats() else ()


def prefix(
    front: keras.Model, model: keras.Model, start: str | None, stop: str, filtered: Sequence[str] = ()
) -> Compute:
    """The function from (n, ...) to (n, ...) that is the part of `model` behind layer `start` up to and with `stop`, in
    inference mode; where `start` is None, `front` and all layers up to `stop`.

    Those of the `filtered` layers (`filtered_layers`) take a quarter of the multiplications: the same features to
    about six digits. Weights are read now, not when called. Raises ValueError when the graph does not allow the cuts.
    """
    first = 0 if start is None else [*filtered, start].index(start) + 1
    last = [*filtered, stop].index(stop) + 1
    names = list(filtered[first:last])
    steps: list[Compute] = []
    at = start
    if names and start is not None and _is_plain_pooling(model.get_layer(names[0])):
        steps.append(partial(run_batched, segment(model, at, names[0])))  # of the convolution at which the cut is
        at = names.pop(0)
    if names:
        if start is None:
            steps.append(partial(run_batched, front))
        chain, threads = _chain(model, at, names), backend.threads()
        steps.append(lambda values: chain(np.asarray(values, np.float32), threads))
        at = names[-1]
    if at != stop:
        part = segment(model, at, stop)
        steps.append(partial(run_batched, join(front, part, "prefix") if at is None else part))
    return lambda inputs: reduce(lambda values, step: step(values), steps, inputs)


def _leading(model: keras.Model) -> list[str]:
    names: list[str] = []
    uses = {layer["name"]: len(layer["inbound_nodes"]) for layer in model.get_config()["layers"]}
    behind_convolution = False
    for operation in model.operations:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        convolution = _is_plain_convolution(operation)
        pooling = behind_convolution and _is_plain_pooling(operation)
        if uses.get(operation.name) != 1 or not (convolution or pooling):
            break
        behind_convolution = convolution
        names.append(operation.name)
    return names


def _chain(model: keras.Model, start: str | None, names: Sequence[str]) -> Chain:
    _, height, width, _ = model.input_shape if start is None else model.get_layer(start).output.shape
    layers: list[Convolution] = []
    for layer in map(model.get_layer, names):
        if isinstance(layer, keras.layers.Conv2D):
            layers.append(_convolution(layer))
        else:
            layers[-1] = replace(layers[-1], pool=True)
    return Chain(layers, height, width)


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

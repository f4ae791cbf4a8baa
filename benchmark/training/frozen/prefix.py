"""How the frozen part of a network is computed: its first convolutions by Winograd's filtering, the rest by Keras.

The frozen prefix is the part of a network that training does not change. It ends at a layer that everything passes
through; the part behind that layer is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

import benchmark.training.backend as backend
from benchmark.training.cuts import crossing_layers
from benchmark.training.frozen.methods import (
    BFLOAT16,
    KERAS,
    METHOD_LABELS,
    AllowedMethods,
    PrefixMethod,
    PrefixTrial,
    allowed_methods,
)
from benchmark.training.frozen.winograd import Chain, Convolution
from benchmark.training.network import join, run_batched, segment

Compute = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
_ACTIVATIONS = (keras.activations.relu, keras.activations.linear)


@dataclass(frozen=True)
class ChosenMethod:
    """The method that computes the frozen layers of a network.

    Attributes:
        method: Its name.
        reason: Why it was chosen, in words.
        filtered: The layers that Winograd's filtering computes; empty for the other methods.
    """

    method: PrefixMethod
    reason: str
    filtered: tuple[str, ...] = ()


def available_methods(
    precision: Literal["float32", "bfloat16", "auto"],
    prefix: Literal["auto", "keras", "filtered"],
    trial: PrefixTrial | PrefixMethod | None,
) -> AllowedMethods:
    """Return the methods that a protocol allows on this machine.

    Only TensorFlow on a processor has a choice that a trial decides (`allowed_methods`). Elsewhere Keras computes: in
    bfloat16 if the protocol leaves that open and the accelerator supports it natively, else in float32.

    Args:
        precision: The protocol's `precision`.
        prefix: The protocol's `prefix`.
        trial: The trial of the machine, the method that ZOO_PREFIX names instead, or None without a trial.

    Returns:
        The methods and their reasons.
    """
    if backend.tensorflow_on_cpu() or precision == "bfloat16":
        return allowed_methods(precision, prefix, trial)
    if precision == "auto" and prefix == "auto" and backend.accelerator_has_bfloat16():
        return replace(BFLOAT16, order=(("bfloat16", "the accelerator multiplies it natively"),))
    return replace(KERAS, order=(("keras", "the run uses an accelerator or a backend other than TensorFlow"),))


def choose_method(model: keras.Model, frozen: Sequence[str], methods: AllowedMethods) -> ChosenMethod:
    """Choose the first of `methods` that fits the frozen layers of a network.

    Filtering fits if it can compute the first layers (`filtered_layers`). A trial measures 3 x 3 convolutions only, so
    bfloat16 fits if all weights of the frozen layers are in such convolutions, or if the protocol forces it.

    Args:
        model: The network.
        frozen: The names of its frozen layers, with which it begins.
        methods: The methods in order of preference.

    Returns:
        The method with its reason; Keras in float32 if none fits.
    """
    first = methods.order[0][0]
    for method, reason in methods.order:
        if method != first:
            unfit = f"{METHOD_LABELS[first]} does not fit this network here"
            reason = f"{unfit}; {reason}" if method != "keras" and reason else unfit
        if method == "filtered":
            if layers := filtered_layers(model):
                return ChosenMethod(method, reason, layers)
        elif method == "keras" or methods.forced or _all_leading(model, frozen):
            return ChosenMethod(method, reason)
    return ChosenMethod("keras", "nothing else fits this network")


def _all_leading(model: keras.Model, frozen: Sequence[str]) -> bool:
    """Whether all weights of the `frozen` layers are in these convolutions."""
    leading = set(_leading_convolutions(model))
    return all(name in leading for name in frozen if model.get_layer(name).weights)


def filtered_layers(model: keras.Model) -> tuple[str, ...]:
    """Return the first layers of `model` that Winograd's filtering computes on this machine.

    They are 3 x 3 convolutions with stride 1 and relu or no activation, each optionally followed by 2 x 2 maximum
    pooling, up to a layer that everything passes through. There are none on an accelerator, with a backend other than
    TensorFlow, with images of unspecified size, or where the bits of a result depend on the position in the batch. The
    layers depend on model and machine, not on where the prefix ends: a layer is always computed in the same way.

    Args:
        model: The network.

    Returns:
        The names of the layers, first to last.
    """
    if not backend.tensorflow_on_cpu() or len(model.inputs) != 1 or None in model.input_shape[1:]:
        return ()
    names = _leading_convolutions(model)
    crossing = set(crossing_layers(model))
    while names and names[-1] not in crossing:
        names.pop()
    return tuple(names) if names and _chain(model, None, names).is_batch_invariant() else ()


def prefix(
    front: keras.Model, model: keras.Model, start: str | None, stop: str, filtered: Sequence[str] = ()
) -> Compute:
    """Return the function that computes one part of a network in inference mode.

    The `filtered` layers take a quarter of the multiplications; their features agree with Keras to about six digits.
    Filtering copies the weights now, so later changes do not reach it.

    Args:
        front: The preprocessing model in front of the network.
        model: The network.
        start: The part begins behind this layer; None to begin with `front`.
        stop: The last layer of the part.
        filtered: The layers to compute by filtering (`filtered_layers`).

    Returns:
        The function from inputs (n, ...) to features (n, ...).

    Raises:
        ValueError: The graph cannot be split at `start` or `stop`.
    """
    first = 0 if start is None else [*filtered, start].index(start) + 1
    last = [*filtered, stop].index(stop) + 1
    names = list(filtered[first:last])
    steps: list[Compute] = []
    at = start
    if names and start is not None and _is_plain_pooling(model.get_layer(names[0])):
        steps.append(partial(run_batched, segment(model, at, names[0])))  # behind the convolution `start`
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


def _leading_convolutions(model: keras.Model) -> list[str]:
    """Return the names of the plain 3 x 3 convolutions and poolings with which `model` begins."""
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

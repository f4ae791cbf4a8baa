"""Faster operations for the wide convolutions of a network in training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

import benchmark.training.backend as backend
from benchmark.training.convolutions.filtered import convolve
from benchmark.training.convolutions.methods import ConvolutionMethod

_Operation = Callable[[Any, Any], Any]
_MIN_CHANNELS: dict[ConvolutionMethod, int] = {"direct": 256, "filtered": 128}
"""Channels of input and output: with fewer, the speed did not clearly differ."""

_MIN_SIDE = 3
"""Height and width in pixels: on smaller maps, the transforms of the kernel take longer than what they save."""


@contextmanager
def faster_convolutions(model: keras.Model, method: ConvolutionMethod) -> Iterator[None]:
    """Within the context, calls of `model` that are traced compute wide convolutions by faster operations.

    `direct` computes the gradient by inputs as a convolution with the flipped kernel: the same sums in another order.
    TensorFlow's own operation reached half the speed on a processor with AVX2 (512 channels at 9 x 9: 60 versus 140
    GFLOP/s). `filtered` computes 3 x 3 convolutions in float32 and both gradients by Winograd's filtering, others as
    `direct`. Narrow convolutions, accelerators and other backends than TensorFlow are unchanged.

    Args:
        model: The network in training.
        method: The method.

    Yields:
        Once, with the operations replaced.
    """
    operations = {layer: operation for layer in model.layers if (operation := _operation(layer, method)) is not None}
    for layer, operation in operations.items():
        layer.convolution_op = operation
    try:
        yield
    finally:
        for layer in operations:
            del layer.convolution_op


def can_filter(model: keras.Model) -> bool:
    """Whether `filtered` computes a convolution of `model` otherwise than `direct`, on maps of any size."""
    return any(_operation(layer, "filtered") is _filtered for layer in model.layers)


def _operation(layer: keras.layers.Layer, method: ConvolutionMethod) -> _Operation | None:
    """The operation that replaces that of `layer`; None if it stays."""
    if not backend.tensorflow_on_cpu() or not _is_plain(layer):
        return None
    height, width, *channels = layer.kernel.shape
    filtered = method == "filtered" and (height, width) == (3, 3) and layer.compute_dtype == "float32"
    if filtered and min(channels) >= _MIN_CHANNELS["filtered"]:
        return _filtered
    return backend.convolve_with_flipped_kernel if min(channels) >= _MIN_CHANNELS["direct"] else None


def _is_plain(layer: keras.layers.Layer) -> bool:
    """Whether `layer` is a convolution of odd height and width that keeps those of its input, and has no extras."""
    if not isinstance(layer, keras.layers.Conv2D) or layer.kernel is None:
        return False
    if type(layer).convolution_op is not keras.layers.Conv2D.convolution_op:  # a subclass that computes its own way
        return False
    single_steps = set(layer.strides) | set(layer.dilation_rate) == {1}
    height, width = layer.kernel.shape[:2]
    plain = layer.padding == "same" and layer.data_format == "channels_last" and layer.groups == 1
    return bool(plain and single_steps and height % 2 and width % 2)


def _filtered(inputs: Any, kernel: Any) -> Any:
    sides = inputs.shape[1:3]
    if None in sides or min(sides) < _MIN_SIDE:
        return backend.convolve_with_flipped_kernel(inputs, kernel)
    return convolve(keras.ops.convert_to_tensor(inputs), keras.ops.convert_to_tensor(kernel))

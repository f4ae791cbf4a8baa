"""Convolutional networks trained from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from zoo.models.parameter_types import Share, Units
from zoo.models.registry import register_builder
from zoo.models.score_layer import score_layer

if TYPE_CHECKING:
    import keras

Momentum = Annotated[float, Field(gt=0, lt=1)]


def smallest_side(params: Mapping[str, Any]) -> int:
    """The smallest image side in pixels for which the last pooling layer still returns a pixel."""
    side = 1
    for _ in params.get("filters", (32, 64, 128)):
        side = 2 * side + 2
    return side


@register_builder("scratch_cnn", minimum_size=smallest_side)
def scratch_cnn(
    input_shape: tuple[int, int, int],
    outputs: int = 1,
    *,
    filters: Annotated[tuple[Units, ...], Field(min_length=1, max_length=8)] = (32, 64, 128),
    pooling: Literal["max", "average"] = "max",
    dropout: Share = 0.5,
    l2: Annotated[float, Field(ge=0, le=1000)] = 0.001,
    batch_norm_momentum: Momentum | None = None,
    dense_units: Units = 128,
) -> keras.Model:
    """A plain CNN: blocks of 3 x 3 convolution, ReLU and pooling, then one hidden dense layer.

    Args:
        input_shape: Height, width and channels of an image.
        outputs: 1 for the probability of the positive class of two; k for a probability per class of k.
        filters: Number of filters per block.
        pooling: The kind of pooling over 2 x 2 pixels.
        dropout: Share of hidden units dropped during training, in [0, 1).
        l2: Penalty on the kernel of the hidden dense layer.
        batch_norm_momentum: Momentum of the moving statistics of the batch normalisation after each convolution; None
            leaves the normalisation out.
        dense_units: Number of hidden units.

    Returns:
        A model that maps images (n, height, width, channels) to probabilities (n, outputs).
    """
    import keras
    from keras import layers

    pool = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}[pooling]

    x = inputs = keras.Input(input_shape, name="image")
    for block, count in enumerate(filters, 1):
        x = layers.Conv2D(count, 3, activation="relu", name=f"conv{block}")(x)
        if batch_norm_momentum is not None:
            x = layers.BatchNormalization(momentum=batch_norm_momentum, name=f"norm{block}")(x)
        x = pool(2, name=f"pool{block}")(x)
    x = layers.Flatten(name="flatten")(x)
    penalty = keras.regularizers.L2(l2) if l2 else None
    x = layers.Dense(dense_units, activation="relu", kernel_regularizer=penalty, name="dense")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, score_layer(outputs)(x), name="scratch_cnn")

"""A model without features: its scores are those of its last layer's bias alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.models.registry import register_builder
from zoo.models.score_layer import score_layer

if TYPE_CHECKING:
    import keras


@register_builder("constant")
def constant(input_shape: tuple[int, int, int], outputs: int = 1) -> keras.Model:
    """The same answer for every image; with a probe, the shares of the classes in train.

    Args:
        input_shape: Height, width and channels of an image.
        outputs: 1 for the probability of the positive class of two; k for a probability per class of k.

    Returns:
        A model that maps images (n, height, width, channels) to probabilities (n, outputs).
    """
    import keras
    from keras import layers

    inputs = keras.Input(input_shape, name="image")
    x = layers.GlobalAveragePooling2D(name="mean")(inputs)
    x = layers.Rescaling(0.0, name="nothing")(x)
    return keras.Model(inputs, score_layer(outputs)(x), name="constant")

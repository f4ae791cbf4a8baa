"""A linear model of downscaled pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from zoo.models.registry import register_builder
from zoo.models.score_layer import score_layer

if TYPE_CHECKING:
    import keras

Side = Annotated[int, Field(gt=0, le=1024)]


@register_builder("pixels")
def pixels(input_shape: tuple[int, int, int], outputs: int = 1, *, side: Side = 32) -> keras.Model:
    """The image as means of square blocks, then probabilities.

    Blocks are averaged rather than resampled, so that every pixel counts equally and the model exports to any runtime.

    Args:
        input_shape: Height, width and channels of an image.
        outputs: 1 for the probability of the positive class of two; k for a probability per class of k.
        side: The largest number of blocks along each axis. 150 pixels become 30 blocks of 5 x 5 with `side` 32.

    Returns:
        A model that maps images (n, height, width, channels) to probabilities (n, outputs).
    """
    import keras
    from keras import layers

    blocks = tuple(-(-length // side) for length in input_shape[:2])
    x = inputs = keras.Input(input_shape, name="image")
    if max(blocks) > 1:
        x = layers.AveragePooling2D(blocks, padding="same", name="blocks")(x)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, score_layer(outputs)(x), name="blocks_of_pixels")

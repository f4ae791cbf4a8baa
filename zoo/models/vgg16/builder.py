"""VGG16 (Simonyan and Zisserman, ICLR 2015): pretrained convolutions under a new head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from zoo.models.parameter_types import Share, Units
from zoo.models.registry import PretrainedWeights, Unfreeze, register_builder
from zoo.models.score_layer import score_layer
from zoo.models.vgg16.weights import KNOWN, VGG16_BLOCKS, find, load

if TYPE_CHECKING:
    import keras

_BASE = [f"block{b}_{kind}" for b, n, _ in VGG16_BLOCKS for kind in (*[f"conv{c + 1}" for c in range(n)], "pool")]


def unfreeze_last(model: keras.Model, layers: int) -> None:
    """Make the last layers of the base trainable.

    Args:
        model: A model that `vgg16` returned.
        layers: Number of layers, as in `base.layers[-layers:]`. Pooling layers count, although they have no weights: 4
            means block5_conv1, block5_conv2, block5_conv3 and block5_pool.
    """
    for name in _BASE[max(0, len(_BASE) - layers) :]:
        model.get_layer(name).trainable = True


def pretrained(params: Mapping[str, Any]) -> PretrainedWeights | None:
    """The weights that the parameter `weights` names; None for random ones."""
    weights = params["weights"]
    if weights == "random":
        return None
    return PretrainedWeights(
        weights,
        find=lambda: find(weights).origin,
        digest=lambda: load(weights)[1],
        licence=KNOWN.licence if weights == "imagenet" else None,
        pretrained_on=KNOWN.pretrained_on if weights == "imagenet" else None,
        network="VGG16" if weights == "imagenet" else None,
    )


@register_builder("vgg16", minimum_size=32, pretrained=pretrained, unfreeze=Unfreeze("unfreeze_layers", unfreeze_last))
def vgg16(
    input_shape: tuple[int, int, int],
    outputs: int = 1,
    *,
    weights: str = "imagenet",
    unfreeze_layers: Annotated[int, Field(ge=0, le=len(_BASE))] = 0,
    dense_units: Units = 128,
    dropout: Share = 0.5,
) -> keras.Model:
    """VGG16's thirteen frozen convolutions, then one hidden dense layer, dropout and probabilities.

    Args:
        input_shape: Height, width and channels of an image.
        outputs: 1 for the probability of the positive class of two; k for a probability per class of k.
        weights: "imagenet", the path of a weights file, or "random".
        unfreeze_layers: Number of the base's last layers, pooling layers included, that the second phase trains.
        dense_units: Number of hidden units.
        dropout: Share of hidden units dropped during training, in [0, 1).

    Returns:
        A model that maps images (n, height, width, channels) to probabilities (n, outputs).

    Raises:
        ConfigError: The weights are not available.
    """
    import keras
    from keras import layers

    inputs, x = _base(input_shape)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(dense_units, activation="relu", name="dense")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return _loaded(keras.Model(inputs, score_layer(outputs)(x), name="vgg16"), weights)


@register_builder(
    "vgg16_pooled", minimum_size=32, pretrained=pretrained, unfreeze=Unfreeze("unfreeze_layers", unfreeze_last)
)
def vgg16_pooled(
    input_shape: tuple[int, int, int],
    outputs: int = 1,
    *,
    weights: str = "imagenet",
    unfreeze_layers: Annotated[int, Field(ge=0, le=len(_BASE))] = 0,
    pooling: Literal["average", "max"] = "average",
    dense_units: Units | None = None,
    dropout: Share = 0.0,
) -> keras.Model:
    """VGG16's thirteen frozen convolutions, each feature map pooled to one number, then probabilities.

    Args:
        input_shape: Height, width and channels of an image.
        outputs: 1 for the probability of the positive class of two; k for a probability per class of k.
        weights: "imagenet", the path of a weights file, or "random".
        unfreeze_layers: Number of the base's last layers, pooling layers included, that the second phase trains.
        pooling: How the 512 feature maps are pooled over all positions.
        dense_units: Number of hidden units; None for a linear model of the 512 features, as a probe needs.
        dropout: Share of features, or of hidden units, dropped during training, in [0, 1).

    Returns:
        A model that maps images (n, height, width, channels) to probabilities (n, outputs).

    Raises:
        ConfigError: The weights are not available.
    """
    import keras
    from keras import layers

    pool = {"average": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}[pooling]
    inputs, x = _base(input_shape)
    x = pool(name="pool")(x)
    if dense_units is not None:
        x = layers.Dense(dense_units, activation="relu", name="dense")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    return _loaded(keras.Model(inputs, score_layer(outputs)(x), name="vgg16_pooled"), weights)


def _base(input_shape: tuple[int, int, int]) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input and the last feature maps of the frozen convolutions, with new weights."""
    import keras
    from keras import layers

    x = inputs = keras.Input(input_shape, name="image")
    for block, convolutions, filters in VGG16_BLOCKS:
        for conv in range(1, convolutions + 1):
            name = f"block{block}_conv{conv}"
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", trainable=False, name=name)(x)
        x = layers.MaxPooling2D(2, trainable=False, name=f"block{block}_pool")(x)
    return inputs, x


def _loaded(model: keras.Model, weights: str) -> keras.Model:
    """Return `model` after its convolutions got `weights`, unless these are random."""
    if weights != "random":
        tensors, _ = load(weights)
        for name, (kernel, bias) in tensors.items():
            model.get_layer(name).set_weights([kernel, bias])
    return model

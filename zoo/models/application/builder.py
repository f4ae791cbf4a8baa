"""Networks of keras.applications, SqueezeNet 1.1 and EfficientNet-Lite0: a pretrained base under a new head."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import unknown
from zoo.models.application import efficientnet_lite, squeezenet
from zoo.models.application.backbones import BACKBONES, InputRule
from zoo.models.application.weights import digest, find, set_weights
from zoo.models.parameter_types import Share, Units
from zoo.models.registry import PretrainedWeights, Unfreeze, register_builder
from zoo.models.score_layer import score_layer

if TYPE_CHECKING:
    import keras

_MEANS_RGB = (0.485, 0.456, 0.406)  # of ImageNet, as shares of 255
_DEVIATIONS_RGB = (0.229, 0.224, 0.225)
_MEANS_BGR = (103.939, 116.779, 123.68)


def _known(name: str) -> str:
    if name not in BACKBONES:
        raise ValueError(unknown("backbone", name, BACKBONES))
    return name


BackboneName = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(BACKBONES)})]
LayerCount = Annotated[int, Field(ge=0, le=10_000)]
BlockName = Annotated[str, Field(min_length=1, max_length=200)]


def unfreeze_from(model: keras.Model, layers: int | str) -> None:
    """Make the last layers of the base trainable.

    Args:
        model: A model that `application` returned.
        layers: Number of layers, as in `base.layers[-layers:]`, or the name of a layer or block: the first layer whose
            name begins with it, and all layers behind.

    Raises:
        ConfigError: No layer of the base has such a name.
    """
    base = _base_of(model)
    if isinstance(layers, int):
        first = max(0, len(base.layers) - layers)
    else:
        begins = re.compile(re.escape(layers) + r"(?!\d)")  # block1 does not mean block10
        matches = (index for index, layer in enumerate(base.layers) if begins.match(layer.name))
        first = next(matches, len(base.layers))
        if first == len(base.layers):
            raise ConfigError(
                f"model.unfreeze: no layer of {base.name} has a name that begins with '{layers}'; `zoo cards NAME` "
                "lists the layers behind which the frozen part can end"
            )
    for layer in base.layers[first:]:
        layer.trainable = True


def pretrained(params: Mapping[str, Any]) -> PretrainedWeights | None:
    """The weights that the parameter `weights` names; None for random ones."""
    backbone, weights = params["backbone"], params["weights"]
    if weights == "random":
        return None
    return PretrainedWeights(
        f"{backbone}: {weights}",
        find=lambda: find(backbone, weights).origin,
        digest=lambda: digest(backbone, weights),
        licence=BACKBONES[backbone].weights.licence if weights == "imagenet" else None,
        pretrained_on=BACKBONES[backbone].weights.pretrained_on if weights == "imagenet" else None,
        network=backbone if weights == "imagenet" else None,
    )


def smallest_side(params: Mapping[str, Any]) -> int:
    """The smallest image side in pixels that the backbone accepts."""
    return BACKBONES[params["backbone"]].minimum


@register_builder(
    "application",
    minimum_size=smallest_side,
    pretrained=pretrained,
    unfreeze=Unfreeze("unfreeze", unfreeze_from, base=("backbone",), by_name=True),
    converts_levels=True,
)
def application(
    input_shape: tuple[int, int, int],
    outputs: int = 1,
    *,
    backbone: BackboneName,
    weights: str = "imagenet",
    unfreeze: LayerCount | BlockName = 0,
    pooling: Literal["average", "max"] = "average",
    dense_units: Units | None = None,
    dropout: Share = 0.0,
) -> keras.Model:
    """A network of keras.applications and others, without its top, frozen and pooled, then probabilities.

    The base always computes in inference mode: its batch normalisation uses the statistics of the pretrained weights,
    and its dropout drops nothing, also in layers that are unfrozen.

    Args:
        input_shape: Height, width and channels of an image.
        outputs: 1 for the probability of the positive class of two; k for a probability per class of k.
        backbone: The name of the network in keras.applications, SqueezeNet1.1 or EfficientNetLite0.
        weights: "imagenet", "package:NAME/FILE", the path of a .h5 file, or "random".
        unfreeze: What the second phase trains of the base: a number of last layers, or all from a named block on.
        pooling: How the feature maps are pooled over all positions.
        dense_units: Number of hidden units; None for a linear model of the features, as a probe needs.
        dropout: Share of features, or of hidden units, dropped during training, in [0, 1).

    Returns:
        A model that maps grey levels 0..255 (n, height, width, channels) to probabilities (n, outputs).

    Raises:
        ConfigError: The weights are not available.
    """
    import keras
    from keras import layers

    base = _new_base(backbone, input_shape, pooling)
    if weights != "random":
        set_weights(base, backbone, weights)
    base.trainable = False
    inputs = keras.Input(input_shape, name="image")
    x = base(network_input(inputs, BACKBONES[backbone].rule), training=False)
    if dense_units is not None:
        x = layers.Dense(dense_units, activation="relu", name="dense")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, score_layer(outputs)(x), name="application")


def network_input(levels: keras.KerasTensor, rule: InputRule) -> keras.KerasTensor:
    """Convert grey levels as `preprocess_input` of the network's module in keras.applications, or its authors, do.

    Args:
        levels: RGB, 0 to 255, shape (n, h, w, 3).
        rule: What the network expects.

    Returns:
        The input of the network, of the same shape.
    """
    import keras
    from keras import layers

    if rule == "tf":
        return layers.Rescaling(1 / 127.5, offset=-1.0, name="input_rule")(levels)
    if rule == "lite":
        return layers.Rescaling(1 / 128, offset=-127 / 128, name="input_rule")(levels)
    if rule == "torch":
        scale = [1 / (255 * deviation) for deviation in _DEVIATIONS_RGB]
        offset = [-mean / deviation for mean, deviation in zip(_MEANS_RGB, _DEVIATIONS_RGB, strict=True)]
        return layers.Rescaling(scale, offset=offset, name="input_rule")(levels)
    if rule == "caffe":
        bgr = keras.ops.flip(levels, axis=-1)
        return layers.Rescaling(1.0, offset=[-mean for mean in _MEANS_BGR], name="input_rule")(bgr)
    return levels


def _new_base(backbone: str, input_shape: tuple[int, int, int], pooling: Literal["average", "max"]) -> keras.Model:
    import keras

    pool: Literal["avg", "max"] = "avg" if pooling == "average" else "max"
    of_packages = {"SqueezeNet1.1": squeezenet.squeezenet, "EfficientNetLite0": efficientnet_lite.efficientnet_lite0}
    if backbone in of_packages:
        return of_packages[backbone](input_shape, pool)
    make = getattr(keras.applications, backbone)
    return make(include_top=False, weights=None, input_shape=input_shape, pooling=pool)


def _base_of(model: keras.Model) -> keras.Model:
    import keras

    return next(layer for layer in model.layers if isinstance(layer, keras.Model))

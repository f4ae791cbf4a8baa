"""Backbones of KerasHub: a pretrained base, such as DINOv2, under a new head."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field

from zoo.config.errors import ConfigError, first_line
from zoo.config.strict_yaml import unknown
from zoo.models.application.backbones import InputRule
from zoo.models.application.builder import BlockName, LayerCount, network_input, unfreeze_from
from zoo.models.hub.presets import configuration, find, input_scale, verified
from zoo.models.parameter_types import Share, Units
from zoo.models.registry import PretrainedWeights, Unfreeze, register_builder
from zoo.models.score_layer import score_layer
from zoo.models.weights_files import file_digest, in_card

if TYPE_CHECKING:
    from types import ModuleType

    import keras

BACKBONES = ("CSPNet", "DINOV2", "DINOV3", "HGNetV2", "ResNet")
"""The backbones by name: that of the class in keras_hub.models, without `Backbone`.

Those of KerasHub 0.32 are left out whose layers Keras cannot write or read in a file of a model (DeiT, MiT,
SwinTransformer, ViT), and those that `application` has.
"""

_SUFFIXES = (".h5",)
_EITHER = "builder hub: give either model.preset or model.config, the arguments of the backbone"
_OF_HARNESS = ("data_format", "dtype", "image_shape", "name", "trainable")


def _known(name: str) -> str:
    if name not in BACKBONES:
        raise ValueError(unknown("backbone", name, BACKBONES))
    return name


BackboneName = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(BACKBONES)})]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def pretrained(params: Mapping[str, Any]) -> PretrainedWeights | None:
    """The weights that the parameters name; None for random ones."""
    weights, preset = params["weights"], params["preset"]
    if weights == "random":
        return None
    if weights != "preset":
        return PretrainedWeights(
            f"{params['backbone']}: {weights}",
            find=lambda: in_card(weights, _SUFFIXES, "'preset', 'random'").origin,
            digest=lambda: file_digest(in_card(weights, _SUFFIXES, "'preset', 'random'").path),
        )
    return PretrainedWeights(
        f"{params['backbone']}: {preset}",
        find=lambda: find(_stated(preset, params["config"])).origin,
        digest=lambda: file_digest(verified(_stated(preset, params["config"]), params["digest"])),
    )


@register_builder(
    "hub",
    pretrained=pretrained,
    unfreeze=Unfreeze("unfreeze", unfreeze_from, base=("backbone", "preset", "config", "input_rule"), by_name=True),
    converts_levels=True,
)
def hub(
    input_shape: tuple[int, int, int],
    outputs: int = 1,
    *,
    backbone: BackboneName,
    preset: str | None = None,
    config: dict[str, Any] | None = None,
    weights: str = "preset",
    digest: Sha256 | None = None,
    input_rule: InputRule | None = None,
    unfreeze: LayerCount | BlockName = 0,
    pooling: Literal["average", "max", "token"] = "average",
    dense_units: Units | None = None,
    dropout: Share = 0.0,
) -> keras.Model:
    """A vision backbone of KerasHub, such as DINOv2, frozen and pooled, then probabilities.

    The base always computes in inference mode, also in layers that are unfrozen.

    Args:
        input_shape: Height, width and channels of an image.
        outputs: 1 for the probability of the positive class of two; k for a probability per class of k.
        backbone: The name of the class in keras_hub.models, without `Backbone`.
        preset: "kaggle:OWNER/MODEL/keras/VARIATION/VERSION", or the folder of a preset: its configuration is used.
        config: The arguments of the class, in place of a preset.
        weights: "preset", the path of a .h5 file, or "random".
        digest: SHA-256 of the weights of the preset; a downloaded one needs it.
        input_rule: How grey levels become the input; None for the rule of the preset.
        unfreeze: What the second phase trains of the base: a number of last layers, or all from a named block on.
        pooling: How features are pooled over all positions; "token" takes the class token of a transformer.
        dense_units: Number of hidden units; None for a linear model of the features, as a probe needs.
        dropout: Share of features, or of hidden units, dropped during training, in [0, 1).

    Returns:
        A model that maps grey levels 0..255 (n, height, width, channels) to probabilities (n, outputs).

    Raises:
        ConfigError: KerasHub is not installed, the preset or the weights are not available, or the backbone does not
            accept such images.
    """
    import keras
    from keras import layers

    if (preset is None) == (config is None):
        raise ConfigError(_EITHER)
    arguments = configuration(preset, backbone) if preset is not None else dict(config or {})
    base = _new_base(backbone, arguments, input_shape)
    if weights != "random":
        path = in_card(weights, _SUFFIXES, "'preset', 'random'").path if weights != "preset" else None
        _set_weights(base, path or verified(_stated(preset, config), digest), input_shape)
    features = _pooled(_blocks(base), input_shape, arguments, pooling)
    features.trainable = False
    inputs = keras.Input(input_shape, name="image")
    x = features(_input(inputs, preset, input_rule, is_random=weights == "random"), training=False)
    if dense_units is not None:
        x = layers.Dense(dense_units, activation="relu", name="dense")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, score_layer(outputs)(x), name="hub")


def _stated(preset: str | None, config: Mapping[str, Any] | None) -> str:
    if preset is None:
        raise ConfigError("model.weights: 'preset' needs model.preset; give one, or a .h5 file, or random")
    if config is not None:
        raise ConfigError(_EITHER)
    return preset


def _input(levels: keras.KerasTensor, preset: str | None, rule: InputRule | None, is_random: bool) -> keras.KerasTensor:
    from keras import layers

    of_preset = input_scale(preset) if preset is not None and rule is None else None
    if of_preset is not None:
        return layers.Rescaling(of_preset[0], offset=of_preset[1], name="input_rule")(levels)
    if rule is None and not is_random:
        rules = ", ".join(get_args(InputRule))
        raise ConfigError(f"model.input_rule: the preset does not state how levels become the input; give {rules}")
    return network_input(levels, rule or "torch")


def _library() -> ModuleType:
    try:
        import keras_hub
    except ImportError as error:
        raise ConfigError(f"builder hub: needs KerasHub ({first_line(error)}); pip install 'zoo-bench[hub]'") from error
    models: ModuleType = keras_hub.models
    return models


def _new_base(backbone: str, arguments: Mapping[str, Any], input_shape: tuple[int, int, int]) -> keras.Model:
    """Build a backbone for images of this shape. It drops nothing, since it always computes in inference mode."""
    chosen = {key: value for key, value in arguments.items() if key not in _OF_HARNESS}
    still = {key: 0.0 for key in chosen if re.search("drop(out|_path)", key)}
    make = getattr(_library(), f"{backbone}Backbone")
    try:
        return make(**{**chosen, **still, "image_shape": input_shape})
    except Exception as error:  # KerasHub and Keras raise many kinds
        problem = f"builder hub: {backbone} cannot be built for images of {input_shape[0]} x {input_shape[1]} px"
        raise ConfigError(f"{problem}: {first_line(error)}") from error


def _set_weights(base: keras.Model, path: Any, input_shape: tuple[int, int, int]) -> None:
    try:
        base.load_weights(path)
    except Exception as error:  # Keras and h5py raise many kinds
        raise ConfigError(
            f"{path}: not readable weights of this backbone for images of {input_shape[0]} px: {first_line(error)}; a "
            "transformer may need the image size of its preset (protocol: image_size)"
        ) from error


def _blocks(base: keras.Model) -> keras.Model:
    """Return a backbone in which the blocks of DINOv2's encoder are layers, so that some can be frozen, others trained.

    The encoder of DINOv3 stays one layer: every block also gets the positions, which bypass the block before it.
    """
    import keras

    def call(layer: Any, *args: Any, **named: Any) -> Any:
        if type(layer).__name__ != "DINOV2Encoder":
            return layer(*args, **named)
        x, stages = args[0], {}
        for number, block in enumerate(layer.layers, 1):
            x = stages[f"stage{number}"] = block(x)
        return x, stages

    return keras.models.clone_model(
        keras.Model(base.inputs, base.outputs), clone_function=lambda layer: layer, call_function=call
    )


def _pooled(
    base: keras.Model,
    input_shape: tuple[int, int, int],
    arguments: Mapping[str, Any],
    pooling: Literal["average", "max", "token"],
) -> keras.Model:
    """Return a model from images to one vector of features per image."""
    import keras
    from keras import layers

    x = base.outputs[0]
    if len(x.shape) == 3:
        patch = arguments.get("patch_size")
        # The class token and registers come before the patches.
        first = (
            0 if patch is None else x.shape[1] - math.prod(input_shape[axis] // _pair(patch)[axis] for axis in (0, 1))
        )
        if pooling == "token":  # by layers, since a probe looks up the layer that gives its features
            x = layers.Flatten(name="pooled")(layers.Cropping1D((0, x.shape[1] - 1), name="token")(x))
        else:
            x = x[:, first:]
    elif pooling == "token":
        raise ConfigError("builder hub: pooling: token needs a transformer with a class token; give average or max")
    if pooling != "token":
        kind = f"Global{'Average' if pooling == 'average' else 'Max'}Pooling{len(x.shape) - 2}D"
        x = getattr(layers, kind)(name="pooled")(x)
    return keras.Model(base.inputs, x, name="backbone")


def _pair(size: Any) -> tuple[int, int]:
    one, *other = size if isinstance(size, (list, tuple)) else (size,)
    return int(one), int(other[0] if other else one)

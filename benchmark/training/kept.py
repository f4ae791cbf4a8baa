"""A kept model, read back, and what its last feature maps say of an image."""

from __future__ import annotations

from pathlib import Path

import keras

# Registers the layers of our own that a saved model may hold.
from benchmark.training.network import CaffePreprocessing  # noqa: F401
from zoo.strict_yaml import ConfigError


def load_kept(path: Path) -> keras.Model:
    """The model in `path` as it was kept: grey levels 0..255 (n, h, w, c) to probabilities (n, 1). Nothing in it is
    unpickled. Raises ConfigError when it cannot be read."""
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds for a damaged archive
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{path}: is no model that can be read: {reason}; run the card again") from error


def with_features(model: keras.Model) -> keras.Model:
    """`model` with a second output: the means over all places of its last feature maps, (n, filters).

    Where no layer has feature maps, it is the input of the last layer. The first output is as before.
    """
    parts = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if not parts:
        features, scores = _last_maps(model), model.outputs[0]
        return keras.Model(model.inputs, [scores, _averaged(features)], name="with_features")
    # What stands in front of the parts is `entry`; each part reads what the one before it gives.
    before = [layer for layer in model.layers if not isinstance(layer, keras.Model)]
    chosen = max((n for n, part in enumerate(parts) if _has_maps(part)), default=len(parts) - 1)
    at, features = before[-1].output, None
    for number, part in enumerate(parts):
        if number == chosen:
            split = keras.Model(part.inputs, [part.outputs[0], _last_maps(part)])
            at, features = split(at)
        else:
            at = part(at)
    return keras.Model(model.inputs, [at, _averaged(features)], name="with_features")


def _has_maps(model: keras.Model) -> bool:
    return any(len(layer.output.shape) == 4 for layer in _own(model))


def _last_maps(model: keras.Model) -> keras.KerasTensor:
    maps = [layer.output for layer in _own(model) if len(layer.output.shape) == 4]
    return maps[-1] if maps else _own(model)[-1].input


def _own(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def _averaged(features: keras.KerasTensor) -> keras.KerasTensor:
    if len(features.shape) == 4:
        return keras.layers.GlobalAveragePooling2D(dtype="float32", name="features")(features)
    return keras.layers.Flatten(dtype="float32", name="features")(features)

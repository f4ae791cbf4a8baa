"""A kept model, read back, and what its last feature maps say of an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import keras

from benchmark.training.model_graph import is_open

# Registers the layers of our own that a saved model may hold.
from benchmark.training.network import CaffePreprocessing  # noqa: F401
from zoo.config.errors import first_line
from zoo.config.strict_yaml import ConfigError


def save_model(model: keras.Model, path: Path) -> keras.Model:
    """Write `model` to `path`, and give it as it is read from there.

    Raises OSError, and ConfigError for a model that Keras cannot write, or would not read again.
    """
    if (layer := _first_lambda(model)) is not None:
        raise ConfigError(
            f"the model cannot be kept: {layer} is a Lambda layer, whose code is never read from a file; use a class "
            "of its own, or keras.ops"
        )
    try:
        model.save(path)
    except OSError:
        raise
    except Exception as error:  # layers of other packages raise many kinds
        reason = " ".join(str(error).split()).split(". ")[0]
        raise ConfigError(f"the model cannot be kept: {reason}") from error
    try:
        return load_model(path, lambda: model)
    except ConfigError as error:
        problem = str(error).removeprefix(f"{path}: ").removesuffix("; run the card again")
        raise ConfigError(f"the model cannot be kept: its file {problem}") from error


def load_model(path: Path, made: Callable[[], keras.Model] | None = None) -> keras.Model:
    """The model in `path` as it was kept: grey levels 0..255 (n, s, s, 1 or 3) to probabilities (n, 1). Nothing in it
    is unpickled.

    Where it holds layers of a builder's own that are not registered here, `made` gives a model of that builder, whose
    classes are taken. Raises ConfigError when it cannot be read, or reads or gives something else.
    """
    try:
        model = _load(path)
    except Exception as error:  # Keras raises many kinds for a damaged archive
        again = None if made is None else _load_with(path, made)
        if again is None:
            reason = first_line(error)
            raise ConfigError(f"{path}: is no model that can be read: {reason}; run the card again") from error
        model = again
    if (problem := _misfit(model)) is not None:
        raise ConfigError(f"{path}: is not the model of a run: {problem}; run the card again")
    return model


def _load(path: Path, classes: Mapping[str, type] | None = None) -> keras.Model:
    return keras.saving.load_model(path, custom_objects=dict(classes or {}), compile=False, safe_mode=True)


def _load_with(path: Path, made: Callable[[], keras.Model]) -> keras.Model | None:
    try:
        return _load(path, own_classes(made()))
    except Exception:  # the first error, without these classes, says what is wrong with the file
        return None


def _first_lambda(model: keras.Model) -> str | None:
    for layer in model.layers:
        if isinstance(layer, keras.layers.Lambda):
            return str(layer.name)
        if isinstance(layer, keras.Model) and (inner := _first_lambda(layer)) is not None:
            return inner
    return None


def own_classes(model: keras.Model) -> dict[str, type]:
    """The classes of `model` and of layers in it, to any depth, that are not Keras' own, by their names in a file."""
    classes: dict[str, type] = {}
    for layer in (model, *model.layers):
        if not type(layer).__module__.startswith("keras."):
            classes |= {type(layer).__name__: type(layer), keras.saving.get_registered_name(type(layer)): type(layer)}
        if isinstance(layer, keras.Model) and layer is not model:
            classes |= own_classes(layer)
    return classes


def _misfit(model: keras.Model) -> str | None:
    """What `model` reads or gives that a run's model does not."""
    ends = [*getattr(model, "inputs", ()), *getattr(model, "outputs", ())]
    if len(ends) != 2:
        return "it does not have one input and one output"
    read, given = (tuple(end.shape[1:]) for end in ends)
    if len(read) != 3 or read[0] is None or read[0] != read[1] or read[2] not in (1, 3):
        return f"it reads images of shape {read}, not square grey or RGB ones"
    return None if given == (1,) else f"it gives {given} for an image, not one score"


def with_features(model: keras.Model) -> keras.Model:
    """`model` with a second output: the means over all places of its last feature maps, (n, filters).

    Where no layer has feature maps, it is the input of the last layer; where the builder's model could not be taken
    apart (`built.Built.whole_because`), it is the score. The first output is as before.
    """
    parts = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if not all(is_open(part) and not any(isinstance(layer, keras.Model) for layer in part.layers) for part in parts):
        score = model.outputs[0]
        return keras.Model(model.inputs, [score, _averaged(score)], name="with_features")
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

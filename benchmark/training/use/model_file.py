"""Write and read files of trained models, and reach the last feature maps of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import keras

from benchmark.training.model_graph import is_plain_model

# Importing these registers layers that a saved model may contain.
from benchmark.training.nearest import NearestNeighbours  # noqa: F401
from benchmark.training.network import CaffePreprocessing, without_inputs  # noqa: F401
from zoo.config.errors import ConfigError, first_line


def save_model(model: keras.Model, path: Path) -> keras.Model:
    """Write a model and read it back.

    Args:
        model: From grey levels to probabilities.
        path: The file to write.

    Returns:
        The model as it is in the file.

    Raises:
        OSError: The file cannot be written.
        ConfigError: Keras cannot write the model, or would not read it again.
    """
    if (layer := _first_lambda(model)) is not None:
        raise ConfigError(
            f"the model cannot be saved: {layer} is a Lambda layer, whose code is never read from a file; use a layer "
            "class or keras.ops"
        )
    try:
        model.save(path)
    except OSError:
        raise
    except Exception as error:  # layers of other packages raise many kinds
        reason = " ".join(str(error).split()).split(". ")[0]
        raise ConfigError(f"the model cannot be saved: {reason}") from error
    try:
        return load_model(path, lambda: model)
    except ConfigError as error:
        problem = str(error).removeprefix(f"{path}: ").removesuffix("; run the card again")
        raise ConfigError(f"the model cannot be saved: its file {problem}") from error


def load_model(path: Path, build: Callable[[], keras.Model] | None = None, outputs: int | None = None) -> keras.Model:
    """Read a model that `save_model` wrote. Nothing in the file is unpickled.

    Args:
        path: The file.
        build: Builds a model of the same builder. Its classes are used if the file has layers that are not registered.
        outputs: Scores per image that the model must give; None for any number that a run may have.

    Returns:
        The model from grey levels 0..255 (n, s, s, 1 or 3) to probabilities: (n, 1) for two classes, (n, k) for k.

    Raises:
        ConfigError: The file cannot be read, or its model has other inputs or outputs.
    """
    try:
        model = _load(path)
    except Exception as error:  # Keras raises many kinds for a damaged archive
        retried = None if build is None else _load_with(path, build)
        if retried is None:
            reason = first_line(error)
            raise ConfigError(f"{path}: is not a readable model: {reason}; run the card again") from error
        model = retried
    if (problem := _misfit(model, outputs)) is not None:
        raise ConfigError(f"{path}: is not the model of a run: {problem}; run the card again")
    return model


def _load(path: Path, classes: Mapping[str, type] | None = None) -> keras.Model:
    return keras.saving.load_model(path, custom_objects=dict(classes or {}), compile=False, safe_mode=True)


def _load_with(path: Path, build: Callable[[], keras.Model]) -> keras.Model | None:
    try:
        return _load(path, custom_classes(build()))
    except Exception:  # the first error, without these classes, says what is wrong with the file
        return None


def _first_lambda(model: keras.Model) -> str | None:
    for layer in model.layers:
        if isinstance(layer, keras.layers.Lambda):
            return str(layer.name)
        if isinstance(layer, keras.Model) and (inner := _first_lambda(layer)) is not None:
            return inner
    return None


def custom_classes(model: keras.Model) -> dict[str, type]:
    """Collect the classes in a model that are not part of Keras.

    Args:
        model: The model; nested models are searched to any depth.

    Returns:
        The classes by their names in a file.
    """
    classes: dict[str, type] = {}
    for layer in (model, *model.layers):
        if not type(layer).__module__.startswith("keras."):
            classes |= {type(layer).__name__: type(layer), keras.saving.get_registered_name(type(layer)): type(layer)}
        if isinstance(layer, keras.Model) and layer is not model:
            classes |= custom_classes(layer)
    return classes


def _misfit(model: keras.Model, outputs: int | None) -> str | None:
    """Say how the input or output of `model` differs from that of a run; None if it does not."""
    ends = [*getattr(model, "inputs", ()), *getattr(model, "outputs", ())]
    if len(ends) != 2:
        return "it does not have one input and one output"
    in_shape, out_shape = (tuple(end.shape[1:]) for end in ends)
    if len(in_shape) != 3 or in_shape[0] is None or in_shape[0] != in_shape[1] or in_shape[2] not in (1, 3):
        return f"its images have shape {in_shape}; they must be square, grey or RGB"
    if len(out_shape) == 1 and out_shape[0] is not None and (out_shape[0] == 1 or out_shape[0] > 2):
        if outputs in (None, out_shape[0]):
            return None
        return f"its output per image has shape {out_shape}; the classes of the run need {(outputs,)}"
    return (
        f"its output per image has shape {out_shape}; it must be one score for two classes, or one per class for more"
    )


def with_features(model: keras.Model) -> keras.Model:
    """Add a second output: the means over all positions of the last feature maps, (n, filters).

    If no layer has feature maps, the second output is the input of the last layer. If the builder's model is one opaque
    layer (`FlatModel.opaque_reason`), it is the score.

    Args:
        model: As returned by `load_model`.

    Returns:
        The model with two outputs; the first is that of `model`.
    """
    parts = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if not all(
        is_plain_model(part) and not any(isinstance(layer, keras.Model) for layer in part.layers) for part in parts
    ):
        score = model.outputs[0]
        return keras.Model(model.inputs, [score, _averaged(score)], name="with_features")
    if not parts:
        features, scores = _last_maps(model), model.outputs[0]
        return keras.Model(model.inputs, [scores, _averaged(features)], name="with_features")
    # The first layers preprocess the images. The output of each part is the input of the next.
    before = [layer for layer in model.layers if not isinstance(layer, keras.Model)]
    chosen = max((n for n, part in enumerate(parts) if _has_maps(part)), default=len(parts) - 1)
    x, features = before[-1].output, None
    for number, part in enumerate(parts):
        if number == chosen:
            split = keras.Model(part.inputs, [part.outputs[0], _last_maps(part)])
            x, features = split(x)
        else:
            x = part(x)
    return keras.Model(model.inputs, [x, _averaged(features)], name="with_features")


def _has_maps(model: keras.Model) -> bool:
    return any(len(layer.output.shape) == 4 for layer in without_inputs(model))


def _last_maps(model: keras.Model) -> keras.KerasTensor:
    maps = [layer.output for layer in without_inputs(model) if len(layer.output.shape) == 4]
    return maps[-1] if maps else without_inputs(model)[-1].input


def _averaged(features: keras.KerasTensor) -> keras.KerasTensor:
    if len(features.shape) == 4:
        return keras.layers.GlobalAveragePooling2D(dtype="float32", name="features")(features)
    return keras.layers.Flatten(dtype="float32", name="features")(features)

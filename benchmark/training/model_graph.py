"""Check what a builder returned, and turn it into one graph of layers.

The layers of nested models become layers of that graph. So code that handles layers one by one (the frozen prefix and
its bank, digests, Grad-CAM) treats those of a nested `keras.Model` and of a `keras.Sequential` like any other.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import keras
import numpy as np
import numpy.typing as npt

from zoo.config.errors import ConfigError, first_line
from zoo.models.registry import build

Shape = tuple[int, int, int]
_T = TypeVar("_T")

SUM_TOLERANCE = 1e-3
"""The scores of an image over several classes sum to 1 within this; bfloat16 and float16 round sums that much."""

_PLAIN_CALLS = ("Functional.call", "Sequential.call")


@dataclass(frozen=True)
class FlatModel:
    """A builder's model as one graph of layers.

    Attributes:
        model: The graph that is trained, from (n, h, w, channels) to (n, outputs).
        original: What the builder returned; the same object as `model` if that is such a graph already.
        copies: Pairs of a layer of `original` and its copy in `model`. A layer that cannot be copied is in both.
        opaque_reason: Why `model` calls `original` as one opaque layer; None if it has its layers.
    """

    model: keras.Model
    original: keras.Model
    copies: tuple[tuple[Any, Any], ...] = ()
    opaque_reason: str | None = None

    def trainable_flags(self) -> list[tuple[keras.layers.Layer, bool]]:
        """Return every layer of `original`, outer ones first, and whether it is trainable."""
        return [(layer, layer.trainable) for layer in _nested_layers(self.original)]

    def restore(self, flags: Sequence[tuple[keras.layers.Layer, bool]]) -> None:
        """Set the flags that `trainable_flags` returned."""
        for layer, flag in flags:
            layer.trainable = flag
        self.sync_trainable()

    def sync_trainable(self) -> None:
        """Copy the trainable flags of `original` to `model`."""
        for layer, copy in self.copies:
            if isinstance(layer, keras.layers.Layer) and copy is not layer:
                copy.trainable = layer.trainable
                for one, other in zip(layer.variables, copy.variables, strict=True):
                    other.trainable = one.trainable


def build_flat(builder: str, params: Mapping[str, Any], input_shape: Shape, outputs: int = 1) -> FlatModel:
    """Build the network of a builder as one graph of layers (`flatten`).

    Args:
        builder: The name of the builder.
        params: The card's parameters of the builder.
        input_shape: (h, w, channels) of the images.
        outputs: Scores per image: 1 for two classes, else one per class.

    Returns:
        The graph together with the builder's model.

    Raises:
        ConfigError: The builder cannot build it, or it does not turn such images into `outputs` scores each.
    """
    return flatten(build(builder, params, input_shape, outputs), input_shape, builder, outputs)


def flatten(original: Any, input_shape: Shape, builder: str, outputs: int = 1) -> FlatModel:
    """Turn a builder's model into one graph of layers.

    Nested models, to any depth, are replaced by their layers where they are called. A layer that is called twice stays
    one layer. If a call has `training=False`, its layers compute in inference mode during training too. A `keras.Model`
    that overrides `call` stays one layer. The result gives the same scores, bit for bit, and has the same weights,
    penalties and trainable flags. A layer keeps its name unless another layer has the same one.

    Args:
        original: What the builder returned.
        input_shape: (h, w, channels) of the images.
        builder: The name of the builder, for messages.
        outputs: Scores per image: 1 for two classes, else one per class.

    Returns:
        The graph together with `original`.

    Raises:
        ConfigError: `original` is no model, has several inputs or outputs, or does not turn such images into `outputs`
            scores each. The message is one line.
    """
    if not isinstance(original, keras.Model):
        raise ConfigError(f"builder {builder}: must return a keras.Model, not {type(original).__name__}")
    if isinstance(original, keras.Sequential) and not original.built:
        _or_config_error(builder, input_shape, lambda: original.build((None, *input_shape)))
    if not is_plain_model(original) or not hasattr(original, "inputs"):  # a Sequential of unknown shapes has none
        return _as_one_layer(original, input_shape, builder, outputs, f"{type(original).__name__} overrides `call`")
    _check_ends(builder, input_shape, outputs, original.inputs, original.outputs)
    if _is_flat(original):
        return FlatModel(original, original)
    try:
        flattening = _Flattening()
        name = flattening.name_for(original.inputs[0].name, "")
        inputs = keras.Input(input_shape, dtype=original.inputs[0].dtype, name=name)
        model = keras.Model(inputs, flattening.inline(original, [inputs]), name=original.name)
        flattening.finish()
        if _same_scores(model, original, input_shape):
            return FlatModel(model, original, tuple(flattening.copies.values()))
        reason = "a copy of its layers gives different scores"
    except Exception as error:  # layers of other packages raise many kinds
        reason = first_line(error)
    return _as_one_layer(original, input_shape, builder, outputs, reason)


def check_scores(builder: str, scores: npt.NDArray[np.floating]) -> None:
    """Check that scores are probabilities. NaN and infinity pass, because training reports them as divergence.

    Args:
        builder: The name of the builder, for the message.
        scores: Shape (n,) for two classes, (n, k) for k classes.

    Raises:
        ConfigError: A finite score is outside [0, 1], or the k finite scores of an image do not sum to 1.
    """
    last = "Dense(1, activation='sigmoid')" if scores.ndim == 1 else "Dense(outputs, activation='softmax')"
    known = scores[np.isfinite(scores)]
    if len(known) and (known.min() < 0 or known.max() > 1):
        raise ConfigError(
            f"builder {builder}: its model gives scores from {known.min():.4g} to {known.max():.4g}; they must be "
            f"probabilities in [0, 1], as a last layer {last} gives them"
        )
    if scores.ndim == 2 and (sums := wrong_sums(scores[np.isfinite(scores).all(axis=1)])).size:
        raise ConfigError(
            f"builder {builder}: its model gives scores that sum to {sums[0]:.4g} over the classes; they must sum to "
            f"1, as a last layer {last} gives them"
        )


def wrong_sums(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the sums, over the classes, of the rows of scores (n, k) that do not sum to 1 within `SUM_TOLERANCE`."""
    sums: npt.NDArray[np.float64] = scores.sum(axis=1, dtype=np.float64)
    return sums[~(np.abs(sums - 1) <= SUM_TOLERANCE)]


def runs_in_inference_mode(layer: keras.layers.Layer) -> bool:
    """Whether `layer` was called with `training=False`, so that training does not change its outputs."""
    return bool(getattr(layer, "_zoo_inference", False))


@dataclass
class _Flattening:
    """The state of one flattening.

    Attributes:
        copies: By the id of a layer, the layer and its copy.
        modes: By the id of a layer, the modes in which it is called: `training`, or None if the call does not set it.
        names: The names of layers in the graph so far.
    """

    copies: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    modes: dict[int, set[bool | None]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def inline(self, model: keras.Model, inputs: list[Any], training: bool | None = None, inside: str = "") -> Any:
        """Return the outputs of `model` for the symbolic `inputs`, computed by copies of its layers."""
        if isinstance(model, keras.Sequential):
            (x,) = inputs
            for layer in model.layers:
                x = self._call(layer, (x,), {}, training, inside)
            return x
        end, outputs = _OutputMarker(), []

        def call(layer: Any, *args: Any, **named: Any) -> Any:
            if layer is end:
                outputs.extend(args[0])
                return args[0]
            return self._call(layer, args, named, training, inside)

        whole = keras.Model(list(model.inputs), end(list(model.outputs)))
        keras.models.clone_model(whole, input_tensors=inputs, clone_function=lambda layer: layer, call_function=call)
        packed = keras.tree.pack_sequence_as(model.output, outputs)
        return packed[0] if isinstance(packed, (list, tuple)) and len(packed) == 1 else packed

    def finish(self) -> None:
        """Copy what is not in a layer's configuration: weights, states, flags, and inference mode."""
        for key, (layer, copy) in self.copies.items():
            if not isinstance(layer, keras.layers.Layer):
                continue
            if copy is not layer:
                for one, other in zip(layer.variables, copy.variables, strict=True):
                    other.assign(one)
                    other.trainable = one.trainable
                if hasattr(copy, "finalize_state"):  # normalisation that was adapted to data
                    copy.finalize_state()
            if self.modes[key] == {False}:
                _infer_always(copy)

    def name_for(self, name: str, inside: str) -> str:
        """Return `name`, or if it is in use, `name` behind that of its model and with a number."""
        stem = f"{inside}_{name}" if inside and name in self.names else name
        wanted, number = stem, 2
        while wanted in self.names:
            wanted, number = f"{stem}_{number}", number + 1
        self.names.add(wanted)
        return wanted

    def _call(self, layer: Any, args: Any, named: dict[str, Any], training: bool | None, inside: str) -> Any:
        mode = _declared_mode(layer, named) if training is None else training  # the outer call decides, as in Keras
        if is_plain_model(layer):
            inner = "_".join(part for part in (inside, layer.name) if part)
            return self.inline(layer, keras.tree.flatten(args[0]), mode, inner)
        if id(layer) not in self.copies:
            self.copies[id(layer)] = (layer, self._copy(layer, inside))
        self.modes.setdefault(id(layer), set()).add(mode)
        if isinstance(layer, keras.layers.Layer) and mode is not None:
            named = {**named, "training": mode}
            if mode is False and not _takes_mode(layer):
                del named["training"]  # `finish` sets the mode of the layer
        return self.copies[id(layer)][1](*args, **named)

    def _copy(self, layer: Any, inside: str) -> Any:
        """Return a new layer with the configuration of `layer`; `layer` itself if that is impossible."""
        name = self.name_for(layer.name, inside)
        copy = None if isinstance(layer, keras.Model) else _from_config(layer, name)
        if copy is None and name != layer.name:
            raise ValueError(f"two of its layers have the name {layer.name}")
        return layer if copy is None else copy


class _OutputMarker(keras.layers.Layer):  # type: ignore[misc]
    """Marks the outputs of a model, so that they are reached when its layers are called one by one."""

    def call(self, inputs: list[Any]) -> list[Any]:
        return inputs

    def compute_output_spec(self, inputs: list[Any]) -> list[Any]:
        return [keras.KerasTensor(each.shape, each.dtype) for each in inputs]


def _takes_mode(layer: keras.layers.Layer) -> bool:
    """Whether a symbolic call of `layer` may set `training`; a layer's own `compute_output_spec` may not accept it."""
    parameters = inspect.signature(layer.compute_output_spec).parameters
    return "training" in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _from_config(layer: Any, name: str) -> Any:
    try:
        config = layer.get_config()
        copy = type(layer).from_config({**config, "name": name} if "name" in config else config)
        copy.name = name
    except Exception:  # layers of other packages raise many kinds
        return None
    return copy


def is_plain_model(layer: Any) -> bool:
    """Whether `layer` is a model that only calls its layers, without a `call` method of its own."""
    return isinstance(layer, keras.Model) and type(layer).call.__qualname__ in _PLAIN_CALLS


def _is_flat(model: keras.Model) -> bool:
    """Whether `model` is a flat graph already: no nested models, and no call with `training=False`."""
    if isinstance(model, keras.Sequential) or any(is_plain_model(operation) for operation in model.operations):
        return False
    try:
        configs = model.get_config()["layers"]
    except Exception:  # a layer without a configuration: its calls are unknown
        return True
    nodes = {layer["name"]: layer["inbound_nodes"] for layer in configs}
    return not any(
        _declared_mode(each, node["kwargs"]) is False for each in model.operations for node in nodes[each.name]
    )


def _declared_mode(layer: Any, named: Mapping[str, Any]) -> bool | None:
    """Return the mode that a call with the arguments `named` sets for `layer`; None if it sets none.

    Keras records the default of a layer's `call` among the arguments, so a default sets no mode: dropout has False
    there.
    """
    mode = named.get("training")
    if mode is None or not isinstance(layer, keras.layers.Layer):
        return None
    default = inspect.signature(type(layer).call).parameters.get("training")
    return None if default is None or default.default is mode else mode


def _nested_layers(model: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _nested_layers(layer)


def _infer_always(layer: keras.layers.Layer) -> None:
    """Make `layer` compute in inference mode, whatever the mode of the model around it.

    Keras passes the mode of that model to every layer, also to one that was called with `training=False`.
    """
    compute = layer.call

    @functools.wraps(compute)
    def call(*args: Any, **named: Any) -> Any:
        return compute(*args, **(named | {"training": False} if "training" in named else named))

    layer.call = call
    layer._zoo_inference = True


def _as_one_layer(original: keras.Model, shape: Shape, builder: str, outputs: int, reason: str) -> FlatModel:
    """Return a model with `original` as its only layer."""
    inputs = keras.Input(shape, name="image")
    scores = keras.tree.flatten(_or_config_error(builder, shape, lambda: original(inputs)))
    _check_ends(builder, shape, outputs, [inputs], scores)
    model = keras.Model(inputs, scores[0], name=f"whole_{original.name}")
    return FlatModel(model, original, opaque_reason=reason)


def _same_scores(model: keras.Model, original: keras.Model, shape: Shape) -> bool:
    """Whether both models give the same score, bit for bit, for a random image.

    A layer may have state that neither its configuration nor its variables contain.
    """
    image = np.random.default_rng(0).uniform(-1, 1, (1, *shape)).astype(np.float32)
    one, other = (keras.ops.convert_to_numpy(each(image, training=False)) for each in (model, original))
    return np.array_equal(one, other, equal_nan=True)


def _or_config_error(builder: str, shape: Shape, call: Callable[[], _T]) -> _T:
    try:
        return call()
    except Exception as error:  # layers raise many kinds for a shape that they do not accept
        raise ConfigError(
            f"builder {builder}: its model does not accept images of shape {shape}: {first_line(error)}"
        ) from error


def _check_ends(builder: str, shape: Shape, outputs: int, inputs: Sequence[Any], scores: Sequence[Any]) -> None:
    rule = f"builder {builder}: its model must have one input {_shape_text(shape)} and one output (n, {outputs})"
    if len(inputs) != 1 or len(scores) != 1:
        raise ConfigError(f"{rule}; it has {len(inputs)} and {len(scores)}")
    in_shape, out_shape = tuple(inputs[0].shape[1:]), tuple(scores[0].shape[1:])
    if len(in_shape) != 3 or any(size not in (None, here) for size, here in zip(in_shape, shape, strict=True)):
        raise ConfigError(f"{rule}; its input is {_shape_text(in_shape)}")
    if out_shape != (outputs,):
        what = "the probability of the positive class" if outputs == 1 else "a probability per class"
        raise ConfigError(f"{rule}, {what}; its output is {_shape_text(out_shape)}")


def _shape_text(shape: Sequence[int | None]) -> str:
    return f"({', '.join(str(size) for size in ('n', *shape))})"

"""What a builder returned: checked, and as one graph of layers.

What lies in models inside it stands beside the other layers there. So whatever looks at layers one by one (the frozen
prefix and its bank, digests, Grad-CAM) sees those of a nested `keras.Model` and of a `keras.Sequential` as any other.
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

from zoo.config.errors import first_line
from zoo.config.strict_yaml import ConfigError
from zoo.models.registry import build

Shape = tuple[int, int, int]
_T = TypeVar("_T")
_OPEN = ("Functional.call", "Sequential.call")


@dataclass(frozen=True)
class Built:
    """`model` trains: one graph of layers, from (n, h, w, channels) to (n, 1). `made` is what the builder returned.

    The two are one where `made` is such a graph already. Else `model` holds copies of its layers, and `copies` pairs
    layer and copy; a layer that cannot be copied is in both. `whole_because` says why the layers of `made` could not be
    taken apart: then `model` calls it as one layer.
    """

    model: keras.Model
    made: keras.Model
    copies: tuple[tuple[Any, Any], ...] = ()
    whole_because: str | None = None

    def flags(self) -> list[tuple[keras.layers.Layer, bool]]:
        """Every layer of `made`, outer ones first, and whether it is trainable."""
        return [(layer, layer.trainable) for layer in _below(self.made)]

    def restore(self, flags: Sequence[tuple[keras.layers.Layer, bool]]) -> None:
        """Set the flags that `flags` gave."""
        for layer, flag in flags:
            layer.trainable = flag
        self.follow()

    def follow(self) -> None:
        """Make trainable in `model` what is trainable in `made`."""
        for layer, copy in self.copies:
            if isinstance(layer, keras.layers.Layer) and copy is not layer:
                copy.trainable = layer.trainable
                for one, other in zip(layer.variables, copy.variables, strict=True):
                    other.trainable = one.trainable


def build_flat(builder: str, params: Mapping[str, Any], input_shape: Shape) -> Built:
    """The network of `builder` for images of `input_shape` (h, w, channels), `flatten`ed. Raises ConfigError."""
    return flatten(build(builder, params, input_shape), input_shape, builder)


def flatten(made: Any, input_shape: Shape, builder: str) -> Built:
    """The model that `builder` made for images of `input_shape` (h, w, channels), as one graph of layers.

    Models inside it, to any depth, are replaced by their layers at the place of each call; a layer that is called
    twice stays one layer. Where a call says `training=False`, its layers compute in inference mode during training
    too. A `keras.Model` with a `call` of its own stays whole. The model gives the same scores, bit for bit, and has
    the same weights, penalties and trainable flags; a layer's name is as it was unless another layer bears it too.

    Raises ConfigError, one line, for what is no model, for a model with more than one input or output, and for one
    that does not read such images or does not give one score for each.
    """
    if not isinstance(made, keras.Model):
        raise ConfigError(f"builder {builder}: must return a keras.Model, not {type(made).__name__}")
    if isinstance(made, keras.Sequential) and not made.built:
        _asked(builder, input_shape, lambda: made.build((None, *input_shape)))
    if not is_open(made) or not hasattr(made, "inputs"):  # a Sequential whose shapes are not known has none
        return _whole(made, input_shape, builder, f"{type(made).__name__} has a call of its own")
    _check_ends(builder, input_shape, made.inputs, made.outputs)
    if _is_flat(made):
        return Built(made, made)
    try:
        flattening = _Flattening()
        name = flattening.name_for(made.inputs[0].name, "")
        inputs = keras.Input(input_shape, dtype=made.inputs[0].dtype, name=name)
        model = keras.Model(inputs, flattening.inlined(made, [inputs]), name=made.name)
        flattening.finish()
        if _same(model, made, input_shape):
            return Built(model, made, tuple(flattening.copies.values()))
        reason = "a copy of its layers gives other scores"
    except Exception as error:  # layers of other packages raise many kinds
        reason = first_line(error)
    return _whole(made, input_shape, builder, reason)


def check_scores(builder: str, scores: npt.NDArray[np.floating]) -> None:
    """Raises ConfigError when `scores` (n,) are numbers outside [0, 1]."""
    known = scores[np.isfinite(scores)]
    if len(known) and (known.min() < 0 or known.max() > 1):
        raise ConfigError(
            f"builder {builder}: its model gives scores from {known.min():.4g} to {known.max():.4g}; they must be "
            "probabilities in [0, 1], as a last layer Dense(1, activation='sigmoid') gives them"
        )


def runs_in_inference_mode(layer: keras.layers.Layer) -> bool:
    """Whether `layer` was called with `training=False`, so that training does not change what it computes."""
    return bool(getattr(layer, "_zoo_inference", False))


@dataclass
class _Flattening:
    """The copies made so far by the identity of their layer, the modes in which each is called, the names taken."""

    copies: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    modes: dict[int, set[bool | None]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def inlined(self, model: keras.Model, inputs: list[Any], training: bool | None = None, inside: str = "") -> Any:
        """What `model` gives for the symbolic `inputs`, computed by copies of its layers."""
        if isinstance(model, keras.Sequential):
            (x,) = inputs
            for layer in model.layers:
                x = self._called(layer, (x,), {}, training, inside)
            return x
        end, outputs = _End(), []

        def call(layer: Any, *args: Any, **named: Any) -> Any:
            if layer is end:
                outputs.extend(args[0])
                return args[0]
            return self._called(layer, args, named, training, inside)

        whole = keras.Model(list(model.inputs), end(list(model.outputs)))
        keras.models.clone_model(whole, input_tensors=inputs, clone_function=lambda layer: layer, call_function=call)
        found = keras.tree.pack_sequence_as(model.output, outputs)
        return found[0] if isinstance(found, (list, tuple)) and len(found) == 1 else found

    def finish(self) -> None:
        """Give the copies what no configuration holds: weights, states, flags, and the mode in which they compute."""
        for key, (layer, copy) in self.copies.items():
            if not isinstance(layer, keras.layers.Layer):
                continue
            if copy is not layer:
                for one, other in zip(layer.variables, copy.variables, strict=True):
                    other.assign(one)
                    other.trainable = one.trainable
                if hasattr(copy, "finalize_state"):  # of normalisation that was adapted to data
                    copy.finalize_state()
            if self.modes[key] == {False}:
                _infer_always(copy)

    def name_for(self, name: str, inside: str) -> str:
        """`name`; where it is taken, that of the model it lies in goes before it, and a number behind."""
        stem = f"{inside}_{name}" if inside and name in self.names else name
        wanted, number = stem, 2
        while wanted in self.names:
            wanted, number = f"{stem}_{number}", number + 1
        self.names.add(wanted)
        return wanted

    def _called(self, layer: Any, args: Any, named: dict[str, Any], training: bool | None, inside: str) -> Any:
        mode = _said(layer, named) if training is None else training  # the outer call decides, as in Keras
        if is_open(layer):
            inner = "_".join(part for part in (inside, layer.name) if part)
            return self.inlined(layer, keras.tree.flatten(args[0]), mode, inner)
        if id(layer) not in self.copies:
            self.copies[id(layer)] = (layer, self._copy(layer, inside))
        self.modes.setdefault(id(layer), set()).add(mode)
        if isinstance(layer, keras.layers.Layer) and mode is not None:
            named = {**named, "training": mode}
        return self.copies[id(layer)][1](*args, **named)

    def _copy(self, layer: Any, inside: str) -> Any:
        """A layer like `layer` that was not called yet; `layer` itself where its configuration does not make one."""
        name = self.name_for(layer.name, inside)
        copy = None if isinstance(layer, keras.Model) else _from_config(layer, name)
        if copy is None and name != layer.name:
            raise ValueError(f"two of its layers are called {layer.name}")
        return layer if copy is None else copy


class _End(keras.layers.Layer):  # type: ignore[misc]
    """Marks the outputs of a model, so that they are met when its layers are called one by one."""

    def call(self, inputs: list[Any]) -> list[Any]:
        return inputs

    def compute_output_spec(self, inputs: list[Any]) -> list[Any]:
        return [keras.KerasTensor(each.shape, each.dtype) for each in inputs]


def _from_config(layer: Any, name: str) -> Any:
    try:
        config = layer.get_config()
        copy = type(layer).from_config({**config, "name": name} if "name" in config else config)
        copy.name = name
    except Exception:  # layers of other packages raise many kinds
        return None
    return copy


def is_open(layer: Any) -> bool:
    """Whether `layer` is a model that does no more than call its layers."""
    return isinstance(layer, keras.Model) and type(layer).call.__qualname__ in _OPEN


def _is_flat(model: keras.Model) -> bool:
    """Whether nothing is to be done: no models inside, and no call that says `training=False`."""
    if isinstance(model, keras.Sequential) or any(is_open(operation) for operation in model.operations):
        return False
    try:
        described = model.get_config()["layers"]
    except Exception:  # a layer without a configuration: nothing is known of its calls
        return True
    nodes = {layer["name"]: layer["inbound_nodes"] for layer in described}
    return not any(_said(each, node["kwargs"]) is False for each in model.operations for node in nodes[each.name])


def _said(layer: Any, named: Mapping[str, Any]) -> bool | None:
    """The mode in which a call with the arguments `named` says that `layer` computes. Keras writes the default of a
    layer's `call` among the arguments, so that this says nothing: dropout has False there."""
    mode = named.get("training")
    if mode is None or not isinstance(layer, keras.layers.Layer):
        return None
    default = inspect.signature(type(layer).call).parameters.get("training")
    return None if default is None or default.default is mode else mode


def _below(model: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _below(layer)


def _infer_always(layer: keras.layers.Layer) -> None:
    """Let `layer` compute in inference mode whatever the model around it does: Keras hands the mode of that model to
    every layer, also to one that was called with `training=False`."""
    compute = layer.call

    @functools.wraps(compute)
    def call(*args: Any, **named: Any) -> Any:
        return compute(*args, **(named | {"training": False} if "training" in named else named))

    layer.call = call
    layer._zoo_inference = True


def _whole(made: keras.Model, shape: Shape, builder: str, reason: str) -> Built:
    """`made` as the one layer of a model."""
    inputs = keras.Input(shape, name="image")
    outputs = _asked(builder, shape, lambda: made(inputs))
    _check_ends(builder, shape, [inputs], keras.tree.flatten(outputs))
    model = keras.Model(inputs, keras.tree.flatten(outputs)[0], name=f"whole_{made.name}")
    return Built(model, made, whole_because=reason)


def _same(model: keras.Model, made: keras.Model, shape: Shape) -> bool:
    """Whether both give the same score, bit for bit, for a drawn image: a layer may hold what neither its
    configuration nor its variables say."""
    image = np.random.default_rng(0).uniform(-1, 1, (1, *shape)).astype(np.float32)
    one, other = (keras.ops.convert_to_numpy(each(image, training=False)) for each in (model, made))
    return np.array_equal(one, other, equal_nan=True)


def _asked(builder: str, shape: Shape, call: Callable[[], _T]) -> _T:
    try:
        return call()
    except Exception as error:  # layers raise many kinds for a shape that they do not read
        raise ConfigError(
            f"builder {builder}: its model does not read images of shape {shape}: {first_line(error)}"
        ) from error


def _check_ends(builder: str, shape: Shape, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
    wanted = f"builder {builder}: its model must have one input {_words(shape)} and one output (n, 1)"
    if len(inputs) != 1 or len(outputs) != 1:
        raise ConfigError(f"{wanted}; it has {len(inputs)} and {len(outputs)}")
    read, given = tuple(inputs[0].shape[1:]), tuple(outputs[0].shape[1:])
    if len(read) != 3 or any(size not in (None, here) for size, here in zip(read, shape, strict=True)):
        raise ConfigError(f"{wanted}; it reads {_words(read)}")
    if given != (1,):
        raise ConfigError(f"{wanted}, the probability of the positive class; it gives {_words(given)}")


def _words(shape: Sequence[int | None]) -> str:
    return f"({', '.join(str(size) for size in ('n', *shape))})"

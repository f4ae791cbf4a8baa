"""The registry of model builders: a decorator, a lookup, a list. Importing it loads no Keras."""

from __future__ import annotations

import importlib
import inspect
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from pydantic import BaseModel, create_model

from zoo.config import plugins
from zoo.config.strict import Strict
from zoo.config.strict_yaml import ConfigError, unknown, validate

if TYPE_CHECKING:
    import keras

_PATIENCE_S = 10.0
_BUILDERS: dict[str, Builder] = {}
_Function = TypeVar("_Function", bound=Callable[..., Any])
_T = TypeVar("_T")
Params = Mapping[str, Any]


@dataclass(frozen=True)
class PretrainedWeights:
    """The pretrained weights that a builder's parameters name; the builder itself loads them.

    Attributes:
        name: Equal where the weights are equal, such as a file's path: runs of one name may share features.
        find: Returns where the weights are, in words ("Keras' cache"). Raises ConfigError with the remedies when they
            are not available. Every plan calls it: it reads no tensor and imports no Keras.
        digest: Returns the SHA-256 of the tensors in hexadecimal digits. Each run calls it.
        licence: Licence and authors, for the model card of an exported model; None if unknown.
    """

    name: str
    find: Callable[[], str]
    digest: Callable[[], str]
    licence: str | None = None


@dataclass(frozen=True)
class Unfreeze:
    """How the second phase of a card makes layers of a builder's base trainable.

    Attributes:
        parameter: The builder's parameter that counts the layers: whole numbers, 0 for the head alone.
        apply: `(model, layers) -> None` makes the last `layers` layers of the base trainable, in the model as the
            builder returned it.
    """

    parameter: str
    apply: Callable[[keras.Model, int], None]


@dataclass(frozen=True)
class Builder:
    """A registered builder.

    Attributes:
        name: What cards call it.
        function: `(input_shape, **params)` returns a `keras.Model` that maps (n, height, width, channels) float32,
            already preprocessed, to probabilities (n, 1).
        parameters: The schema of the parameters.
        minimum_size: Returns the smallest image side in pixels for all parameters.
        pretrained: Returns the weights that all parameters name, or None where they name none.
        unfreeze: How layers of the base are unfrozen; None without a base.
    """

    name: str
    function: Callable[..., keras.Model]
    parameters: type[BaseModel]
    minimum_size: Callable[[Params], int]
    pretrained: Callable[[Params], PretrainedWeights | None]
    unfreeze: Unfreeze | None

    @property
    def summary(self) -> str:
        """The first line of the builder's documentation."""
        return (inspect.getdoc(self.function) or "").split("\n", 1)[0]

    def weights_of(self, params: Params) -> PretrainedWeights | None:
        """The pretrained weights that `params`, completed with defaults, name; None where they name none."""
        return self.pretrained(self.completed(params))

    def unfrozen(self, params: Params) -> int:
        """How many layers of the base the second phase trains with `params`."""
        return 0 if self.unfreeze is None else int(self.completed(params)[self.unfreeze.parameter])

    def completed(self, params: Params) -> dict[str, Any]:
        """`params` and the defaults of the others, unchecked: a stored run may be of an older signature."""
        fields = self.parameters.model_fields.items()
        return {name: field.get_default() for name, field in fields if not field.is_required()} | dict(params)


def register_builder(
    name: str,
    *,
    minimum_size: int | Callable[[Params], int] = 1,
    pretrained: Callable[[Params], PretrainedWeights | None] = lambda _: None,
    unfreeze: Unfreeze | None = None,
) -> Callable[[_Function], _Function]:
    """Register `(input_shape, *, parameter: type = default, ...) -> keras.Model` under `name`.

    Args:
        name: What cards call the builder.
        minimum_size: The smallest image side in pixels, or a function of the parameters that returns it.
        pretrained: A function of the parameters that returns the weights they name, or None.
        unfreeze: How layers of a frozen base are made trainable, if there is one.

    Returns:
        A decorator. The signature of the function is the schema of the card's `model:` section.

    Raises:
        ValueError: The name is taken by another function, a parameter is not keyword-only, or there is none of the
            name that `unfreeze` gives.
    """

    def register(function: _Function) -> _Function:
        known = _BUILDERS.get(name)
        where = (function.__module__, function.__qualname__)
        if known is not None and (known.function.__module__, known.function.__qualname__) != where:
            raise ValueError(f"the builder '{name}' is already registered by {known.function.__module__}")
        size = minimum_size if callable(minimum_size) else lambda _, fixed=minimum_size: fixed
        parameters = _parameter_model(name, function)
        if unfreeze is not None and unfreeze.parameter not in parameters.model_fields:
            raise ValueError(
                f"builder '{name}': unfreeze names '{unfreeze.parameter}', which is none of its parameters"
            )
        _BUILDERS[name] = Builder(name, function, parameters, size, pretrained, unfreeze)
        return function

    return register


def get_builder(name: str) -> Builder:
    """The builder called `name`; raises ConfigError with the nearest names when there is none."""
    _load_built_in()
    if name not in _BUILDERS:
        plugins.load(plugins.BUILDERS)
    try:
        return _BUILDERS[name]
    except KeyError:
        raise unknown("builder", name, _BUILDERS) from None


def builder_names() -> tuple[str, ...]:
    """The names of all builders, sorted: those built in, and those of the plug-ins that can be imported."""
    _load_built_in()
    plugins.load(plugins.BUILDERS)
    return tuple(sorted(_BUILDERS))


def smallest_image(name: str, params: Params) -> int:
    """The smallest image side in pixels that the builder `name` takes with `params`.

    Raises ConfigError with one line, also where the builder's own function fails, hangs or gives no number.
    """
    builder = get_builder(name)

    def ask() -> int:
        with _at_most(_PATIENCE_S):
            return int(builder.minimum_size(builder.completed(params)))

    return _answer(name, "minimum_size", ask)


def find_weights(name: str, params: Params) -> str | None:
    """Where the pretrained weights of the builder `name` with `params` are, in words; None where it takes none.

    Raises ConfigError with one line where they are not available, also where the builder's own function fails.
    """
    builder = get_builder(name)

    def ask() -> str | None:
        weights = builder.weights_of(params)
        return None if weights is None else weights.find()

    return _answer(name, "search for pretrained weights", ask)


def complete_params(name: str, params: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`params` validated against the builder's signature, defaults filled in, as JSON-ready values.

    Raises ConfigError with one line for every unknown key or wrong value.
    """
    return validate(get_builder(name).parameters, dict(params), where).model_dump(mode="json")


def build(name: str, params: Mapping[str, Any], input_shape: tuple[int, int, int]) -> keras.Model:
    """The model `name` for images of `input_shape` (height, width, channels). Raises ConfigError."""
    builder = get_builder(name)
    values = validate(builder.parameters, dict(params), f"builder {name}")
    smallest = smallest_image(name, values.model_dump())
    if min(input_shape[:2]) < smallest:
        raise ConfigError(
            f"builder {name}: images of {input_shape[0]} x {input_shape[1]} px are too small; it needs at least "
            f"{smallest} px (protocol: image_size)"
        )
    return builder.function(input_shape, **{key: getattr(values, key) for key in type(values).model_fields})


@cache
def _load_built_in() -> None:
    """Import the `builder` module of every family: each sub-package of `zoo.models` that has one."""
    for family in sorted(Path(__file__).parent.glob("*/builder.py")):
        importlib.import_module(f"zoo.models.{family.parent.name}.builder")


def _answer(name: str, hook: str, ask: Callable[[], _T]) -> _T:
    """What a hook of the builder `name` answers; a failure in its package is a ConfigError with one line."""
    try:
        return ask()
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ConfigError(f"builder {name}: its {hook} fails: {what}; fix its package") from error


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in what takes longer, where a signal can: in the main thread of a process that has alarms."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def late(*_: Any) -> None:
        raise TimeoutError(f"no answer within {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def _parameter_model(name: str, function: Callable[..., Any]) -> type[BaseModel]:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    # Only the parameters' annotations: the shape and the returned model may name types that are not loaded.
    own = SimpleNamespace(__annotations__={p.name: p.annotation for p in parameters})
    hints = get_type_hints(own, globalns=function.__globals__, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise ValueError(f"builder '{name}': parameter '{parameter.name}' must be keyword-only")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    return create_model(f"{name}_parameters", __base__=Strict, **fields)

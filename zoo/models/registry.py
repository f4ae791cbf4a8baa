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


@dataclass(frozen=True)
class Builder:
    """A registered builder.

    `function(input_shape, **params)` returns a `keras.Model` that maps (n, height, width, channels) float32, already
    preprocessed, to probabilities (n, 1). `minimum_size(params)` is the smallest image side in pixels.
    `unfreeze(model, layers)` makes the last `layers` layers of the base trainable, in the model as `function` returned
    it; None when there is no base.
    """

    name: str
    function: Callable[..., keras.Model]
    parameters: type[BaseModel]
    minimum_size: Callable[[Mapping[str, Any]], int]
    unfreeze: Callable[[keras.Model, int], None] | None

    @property
    def summary(self) -> str:
        """The first line of the builder's documentation."""
        return (inspect.getdoc(self.function) or "").split("\n", 1)[0]


def register_builder(
    name: str,
    *,
    minimum_size: int | Callable[[Mapping[str, Any]], int] = 1,
    unfreeze: Callable[[keras.Model, int], None] | None = None,
) -> Callable[[_Function], _Function]:
    """Register `(input_shape, *, parameter: type = default, ...) -> keras.Model` under `name`.

    The signature is the schema of the card's `model:` section. Raises ValueError for a name that is taken by
    another function.
    """

    def register(function: _Function) -> _Function:
        known = _BUILDERS.get(name)
        where = (function.__module__, function.__qualname__)
        if known is not None and (known.function.__module__, known.function.__qualname__) != where:
            raise ValueError(f"the builder '{name}' is already registered by {known.function.__module__}")
        size = minimum_size if callable(minimum_size) else lambda _, fixed=minimum_size: fixed
        _BUILDERS[name] = Builder(name, function, _parameter_model(name, function), size, unfreeze)
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


def smallest_image(name: str, params: Mapping[str, Any]) -> int:
    """The smallest image side in pixels that the builder `name` takes with `params`.

    Raises ConfigError with one line, also where the builder's own function fails, hangs or gives no number.
    """
    function = get_builder(name).minimum_size
    try:
        with _at_most(_PATIENCE_S):
            return int(function(params))
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ConfigError(f"builder {name}: its minimum_size fails: {what}; fix its package") from error


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

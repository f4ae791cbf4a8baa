"""The registry of model builders. Importing it loads no Keras."""

from __future__ import annotations

import importlib
import inspect
import re
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from pydantic import BaseModel, create_model

from zoo.config import plugins
from zoo.config.errors import ConfigError
from zoo.config.strict import Strict
from zoo.config.strict_yaml import unknown, validate

if TYPE_CHECKING:
    import keras

_PATIENCE_S = 10.0
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BUILDERS: dict[str, Builder] = {}

ONE_OUTPUT = (
    "makes one probability, for two classes, but the data have {classes} classes; a builder whose second parameter is "
    "`outputs` builds for any number"
)
"""Why a builder without `outputs` cannot be used for `classes` classes."""

_Function = TypeVar("_Function", bound=Callable[..., Any])
_T = TypeVar("_T")
Params = Mapping[str, Any]
Unfrozen = int | str
"""Unfrozen layers of a base: their number, counted from the last one, or the name of the first layer or block."""


@dataclass(frozen=True)
class PretrainedWeights:
    """The pretrained weights that a builder's parameters name; the builder itself loads them.

    Attributes:
        name: The identity of the weights, such as the path of a file: runs with the same name may share features.
        find: Returns the location of the weights, in words ("Keras' cache"). Raises ConfigError with the remedies if
            they are not available. Every plan calls it: it reads no tensor and imports no Keras.
        digest: Returns the SHA-256 of the tensors, or of their file, in hexadecimal digits. Each run calls it.
        licence: Licence and authors, for the model card of an exported model; None if unknown.
        pretrained_on: The images on which they were trained, in words, for reports; None if unknown.
        network: Their name in the registry `zoo/models/weights.yaml`; None if they are not in it.
    """

    name: str
    find: Callable[[], str]
    digest: Callable[[], str]
    licence: str | None = None
    pretrained_on: str | None = None
    network: str | None = None


@dataclass(frozen=True)
class Unfreeze:
    """How the second phase of a card makes layers of a builder's base trainable.

    Attributes:
        parameter: The builder's parameter with the number of layers; 0 trains the head alone. It may also have the name
            of a layer or block, from which on layers are trained.
        apply: `(model, layers) -> None` makes the last `layers` layers of the base trainable, in the model that the
            builder returned.
        by_name: Whether the parameter may be such a name. `zoo cards NAME` then lists where the frozen part can end.
        base: The parameters, besides the weights, that decide which layers the base has, such as its name.
    """

    parameter: str
    apply: Callable[[keras.Model, Any], None]
    by_name: bool = False
    base: tuple[str, ...] = ()


@dataclass(frozen=True)
class Builder:
    """A registered builder.

    Attributes:
        name: Its name in cards.
        function: `(input_shape, outputs, **params)`, or `(input_shape, **params)` for two classes alone, returns a
            `keras.Model` that maps (n, height, width, channels) float32, already preprocessed, to probabilities
            (n, outputs).
        parameters: The schema of the parameters.
        minimum_size: Maps the parameters, defaults included, to the smallest image side in pixels.
        pretrained: Maps the parameters, defaults included, to the weights that they name, or to None.
        unfreeze: How layers of the base are unfrozen; None without a base.
        takes_outputs: Whether the function takes the number of outputs, so that it builds for any number of classes.
        converts_levels: Whether the model takes grey levels 0..255, so that cards have `preprocessing: builder`.
    """

    name: str
    function: Callable[..., keras.Model]
    parameters: type[BaseModel]
    minimum_size: Callable[[Params], int]
    pretrained: Callable[[Params], PretrainedWeights | None]
    unfreeze: Unfreeze | None
    takes_outputs: bool = False
    converts_levels: bool = False

    @property
    def summary(self) -> str:
        """The first line of the builder's documentation."""
        return (inspect.getdoc(self.function) or "").split("\n", 1)[0]

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the parameters. The entries of `Args:` in the documentation are their descriptions."""
        schema = self.parameters.model_json_schema()
        meanings = _documented_arguments(self.function)
        for name, facts in schema.get("properties", {}).items():
            if name in meanings:
                facts.setdefault("description", meanings[name])
        return schema

    def weights_of(self, params: Params) -> PretrainedWeights | None:
        """The pretrained weights that `params`, completed with defaults, name; None without any."""
        return self.pretrained(self.completed(params))

    def unfrozen(self, params: Params) -> Unfrozen:
        """The layers of the base that the second phase trains with `params`: their number, or the name of the first."""
        if self.unfreeze is None:
            return 0
        layers = self.completed(params)[self.unfreeze.parameter]
        return layers if isinstance(layers, str) else int(layers)

    def base_of(self, params: Params) -> tuple[Any, ...]:
        """The values in `params` that decide, besides the weights, which layers the base has."""
        names = () if self.unfreeze is None else self.unfreeze.base
        return tuple(self.completed(params).get(name) for name in names)

    def completed(self, params: Params) -> dict[str, Any]:
        """`params` completed with defaults, unchecked: a stored run may be older than the builder's signature."""
        fields = self.parameters.model_fields.items()
        return {name: field.get_default() for name, field in fields if not field.is_required()} | dict(params)


def register_builder(
    name: str,
    *,
    minimum_size: int | Callable[[Params], int] = 1,
    pretrained: Callable[[Params], PretrainedWeights | None] = lambda _: None,
    unfreeze: Unfreeze | None = None,
    converts_levels: bool = False,
) -> Callable[[_Function], _Function]:
    """Register `(input_shape, outputs, *, parameter: type = default, ...) -> keras.Model` under `name`.

    `outputs` is 1 for two classes: the probability of the positive class. It is k for k classes, three or more: a
    probability per class, with a sum of 1. A function without `outputs` builds for two classes alone.

    Args:
        name: The builder's name in cards.
        minimum_size: The smallest image side in pixels, or a function of the parameters that returns it.
        pretrained: A function of the parameters that returns the weights that they name, or None.
        unfreeze: How layers of a frozen base are made trainable; None without a base.
        converts_levels: Whether the model takes grey levels 0..255. Its cards then have `preprocessing: builder`.

    Returns:
        A decorator. The signature of the function, but for the shape and `outputs`, is the schema of the card's
        `model:` section.

    Raises:
        ValueError: Another function has the name, a parameter of the model is not keyword-only, or `unfreeze` is no
            Unfreeze or names no parameter.
    """

    def register(function: _Function) -> _Function:
        known = _BUILDERS.get(name)
        where = (function.__module__, function.__qualname__)
        if known is not None and (known.function.__module__, known.function.__qualname__) != where:
            raise ValueError(f"the builder '{name}' is already registered by {known.function.__module__}")
        size = minimum_size if callable(minimum_size) else lambda _, fixed=minimum_size: fixed
        of_model = list(inspect.signature(function).parameters.values())[1:]
        takes_outputs = bool(of_model) and of_model[0].name == "outputs" and of_model[0].kind in _POSITIONAL
        parameters = _parameter_model(name, function, of_model[takes_outputs:])
        if unfreeze is not None and not isinstance(unfreeze, Unfreeze):
            raise ValueError(
                f"builder '{name}': unfreeze is {unfreeze!r:.80}; give zoo.Unfreeze(\"parameter\", function), with the "
                "parameter that has the number of layers"
            )
        if unfreeze is not None and unfreeze.parameter not in parameters.model_fields:
            raise ValueError(
                f"builder '{name}': unfreeze names '{unfreeze.parameter}', which is none of its parameters"
            )
        _BUILDERS[name] = Builder(
            name, function, parameters, size, pretrained, unfreeze, takes_outputs, converts_levels
        )
        return function

    return register


def get_builder(name: str) -> Builder:
    """The builder called `name`. Raises a ConfigError with the nearest names."""
    _load_built_in()
    if name not in _BUILDERS:
        plugins.load(plugins.BUILDERS)
    try:
        return _BUILDERS[name]
    except KeyError:
        package = f"The package that provides '{name}' may not be installed."
        raise ConfigError(f"{unknown('builder', name, _BUILDERS)} {package}") from None


def builder_names() -> tuple[str, ...]:
    """The sorted names of the built-in builders and of those in loadable plug-ins."""
    _load_built_in()
    plugins.load(plugins.BUILDERS)
    return tuple(sorted(_BUILDERS))


def outputs_for(classes: int) -> int:
    """The number of scores per image for `classes` classes: one for two, else one per class."""
    return 1 if classes == 2 else classes


def supports_classes(name: str, classes: int) -> bool:
    """Whether the builder `name` builds for `classes` classes, 2 or more. Raises ConfigError for an unknown one."""
    return classes == 2 or get_builder(name).takes_outputs


def smallest_image(name: str, params: Params) -> int:
    """Ask a builder for the smallest image side that it supports.

    Args:
        name: The builder.
        params: Its parameters; defaults may be missing.

    Returns:
        Pixels.

    Raises:
        ConfigError: The builder is unknown, or its `minimum_size` fails, hangs or returns no number.
    """
    builder = get_builder(name)

    def side() -> int:
        with _at_most(_PATIENCE_S):
            return int(builder.minimum_size(builder.completed(params)))

    return _call_hook(name, "minimum_size", side)


def find_weights(name: str, params: Params) -> str | None:
    """Locate the pretrained weights that the parameters of a builder name.

    Args:
        name: The builder.
        params: Its parameters; defaults may be missing.

    Returns:
        The location in words, or None if the parameters name no weights.

    Raises:
        ConfigError: The builder is unknown, the weights are not available, or the builder's search for them fails.
    """
    builder = get_builder(name)

    def location() -> str | None:
        weights = builder.weights_of(params)
        return None if weights is None else weights.find()

    return _call_hook(name, "search for pretrained weights", location)


def complete_params(name: str, params: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Validate parameters against the signature of a builder.

    Args:
        name: The builder.
        params: Its parameters; defaults may be missing.
        where: File and section, for messages.

    Returns:
        All parameters, as JSON values.

    Raises:
        ConfigError: The builder is unknown, or the parameters are invalid, with a line per key.
    """
    return validate(get_builder(name).parameters, dict(params), where).model_dump(mode="json")


def build(name: str, params: Mapping[str, Any], input_shape: tuple[int, int, int], outputs: int = 1) -> keras.Model:
    """Build a model.

    Args:
        name: The builder.
        params: Its parameters; defaults may be missing.
        input_shape: Height, width and channels of an image.
        outputs: Scores per image: 1 for two classes, k for k classes, as `outputs_for` returns it.

    Returns:
        The model as the builder returns it.

    Raises:
        ConfigError: The builder is unknown, the parameters are invalid, the images are too small, or the builder builds
            for two classes alone and `outputs` is not 1.
    """
    builder = get_builder(name)
    if outputs != 1 and not builder.takes_outputs:
        raise ConfigError(f"builder {name}: {ONE_OUTPUT.format(classes=outputs)}")
    values = validate(builder.parameters, dict(params), f"builder {name}")
    smallest = smallest_image(name, values.model_dump())
    if min(input_shape[:2]) < smallest:
        raise ConfigError(
            f"builder {name}: images of {input_shape[0]} x {input_shape[1]} px are too small; it needs at least "
            f"{smallest} px (protocol: image_size)"
        )
    shape_and_outputs = (input_shape, outputs) if builder.takes_outputs else (input_shape,)
    return builder.function(*shape_and_outputs, **{key: getattr(values, key) for key in type(values).model_fields})


@cache
def _load_built_in() -> None:
    """Import the module `builder` of every sub-package of `zoo.models` that has one."""
    for family in sorted(Path(__file__).parent.glob("*/builder.py")):
        importlib.import_module(f"zoo.models.{family.parent.name}.builder")


def _call_hook(name: str, hook: str, call: Callable[[], _T]) -> _T:
    """The result of `call`, which calls a hook of the builder `name`; a failure becomes a ConfigError of one line."""
    try:
        return call()
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        problem = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ConfigError(f"builder {name}: its {hook} fails: {problem}; fix its package") from error


def _documented_arguments(function: Callable[..., Any]) -> dict[str, str]:
    """The entries of `Args:` in the documentation of `function`, by argument; cards write None as null."""
    _, _, section = (inspect.getdoc(function) or "").partition("\nArgs:\n")
    entries = re.findall(r"^ {4}(\w+): (.+(?:\n {5,}.+)*)", section.split("\n\n", 1)[0], re.M)
    return {name: re.sub(r"\bNone\b", "null", " ".join(text.split())) for name, text in entries}


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise TimeoutError if the block takes longer; only possible in the main thread of a process with alarms."""
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


def _parameter_model(
    name: str, function: Callable[..., Any], parameters: Sequence[inspect.Parameter]
) -> type[BaseModel]:
    # Annotations of the shape and of the returned model are left out: they may name types that are not loaded.
    annotated = SimpleNamespace(__annotations__={p.name: p.annotation for p in parameters})
    hints = get_type_hints(annotated, globalns=function.__globals__, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise ValueError(f"builder '{name}': parameter '{parameter.name}' must be keyword-only")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    return create_model(f"{name}_parameters", __base__=Strict, **fields)

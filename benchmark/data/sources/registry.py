"""The registry of data sources: a decorator, a lookup, a list of descriptions."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from benchmark.data.dataset import Dataset

_SOURCES: dict[str, Source] = {}
_Function = TypeVar("_Function", bound=Callable[..., "Dataset"])


@dataclass(frozen=True)
class Source:
    """A registered kind of data source.

    Attributes:
        name: Its unique name.
        description: What a user writes after `--data`, for help and errors: "a .npz file".
        matches: Whether a source string is of this kind.
        open: The function that opens a source string.
        takes_patterns: Whether `open` accepts a `patient_pattern`, that is, whether `--patients` applies.
    """

    name: str
    description: str
    matches: Callable[[str], bool]
    open: Callable[..., Dataset]
    takes_patterns: bool

    @property
    def foreign(self) -> bool:
        """Whether another package registered it."""
        return not self.open.__module__.startswith("benchmark.")

    def where(self, source: str) -> str:
        """The source string and this source, for errors."""
        kind = f"plug-in '{self.name}' ({self.open.__module__})" if self.foreign else f"'{self.name}'"
        return f"{source[:300]}: the source {kind}"


def register_source(name: str, *, description: str, matches: Callable[[str], bool]) -> Callable[[_Function], _Function]:
    """Register `(source) -> Dataset` or `(source, patient_pattern=None) -> Dataset` as a kind of data source.

    Source strings are offered to the built-in sources first, then to those of plug-ins (entry-point group
    `zoo.sources`), in order of registration. The first match opens the string. `--patients` applies to a function
    with the parameter `patient_pattern`. Whether images are synthetic is a field of the `Dataset`.

    Args:
        name: A name that no other source has.
        description: What a user writes after `--data`, in one line: "a .npz file".
        matches: Whether a source string is of this kind. OSError, RuntimeError and ValueError count as no.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        ValueError: The name is taken by another function, or the registration is incomplete.
    """

    def register(function: _Function) -> _Function:
        known = _SOURCES.get(name)
        if known is not None and _location(known.open) != _location(function):
            raise ValueError(f"the source '{name}' is already registered by {known.open.__module__}")
        if not description.strip() or not description.isprintable():
            raise ValueError(f"the source '{name}' needs a description in one line, such as 'a .npz file'")
        if not callable(matches):
            raise ValueError(f"the source '{name}' needs a function `matches` of the source string")
        parameters = tuple(inspect.signature(function).parameters)
        if len(parameters) not in (1, 2) or parameters[1:] not in ((), ("patient_pattern",)):
            raise ValueError(f"the source '{name}' needs a function of (source) or (source, patient_pattern=None)")
        _SOURCES[name] = Source(name, description, matches, function, takes_patterns=len(parameters) == 2)
        return function

    return register


def open_dataset(
    source: str, *, patient_pattern: str | None = None, positive: str | None = None, hold_out: str | None = None
) -> Dataset:
    """Open the data set that `source` names.

    Args:
        source: What one of the registered sources matches: "phantom", "digits", a folder, a manifest, a .npz file,
            "kaggle:OWNER/NAME" or the string of a plug-in.
        patient_pattern: A regular expression for file names whose named groups form the patient's key. It is matched
            against the path below the folder if it contains a slash.
        positive: The positive class of two. By default, the last class of the source.
        hold_out: COLUMN=VALUE; the images with this value become the test part, all others the part to train on.

    Returns:
        The data set.

    Raises:
        DataError: No source matches, or the source cannot be used.
    """
    from benchmark.data.dataset import DataError, Dataset
    from benchmark.data.hold_out import with_held_out
    from benchmark.data.positive_class import with_positive
    from benchmark.data.sources.checked import checked, failures, guarded

    kind = _source_of(source)
    if patient_pattern is not None and not kind.takes_patterns:
        raise DataError(f"--patients: {source} already defines its patients; the pattern is for file names")
    options = {} if patient_pattern is None else {"patient_pattern": patient_pattern}
    with failures(kind.where(source), patient_pattern) if kind.foreign else nullcontext():
        dataset = kind.open(source, **options)
    if not isinstance(dataset, Dataset):
        raise DataError(f"{kind.where(source)} returned {dataset!r:.80}; a Dataset is needed")
    dataset = replace(checked(dataset, kind.where(source)), patient_pattern=patient_pattern)
    dataset = guarded(dataset, kind.where(source)) if kind.foreign else dataset
    dataset = dataset if hold_out is None else with_held_out(dataset, hold_out)
    return dataset if positive is None else with_positive(dataset, positive)


def check_source(source: str) -> None:
    """Raise DataError, with the nearest names, if no source matches. Nothing is opened."""
    _source_of(source)


def source_descriptions() -> str:
    """What the registered sources accept, as an enumeration: "phantom, a folder, or a .npz file"."""
    *others, last = (source.description for source in _SOURCES.values())
    return f"{', '.join(others)}, or {last}"


def _source_of(text: str) -> Source:
    """The first source that matches. Raises DataError, with the nearest names."""
    from benchmark.data.dataset import DataError
    from zoo.config import plugins

    if (source := _match(text)) is not None:
        return source
    broken = plugins.load(plugins.SOURCES).broken
    if (source := _match(text)) is not None:
        return source
    try:
        problem = "not a data source" if text.strip() and Path(text).expanduser().exists() else "no such source"
    except (OSError, RuntimeError, ValueError) as error:
        problem = f"not a valid path: {getattr(error, 'strerror', None) or error}"
    nearest = difflib.get_close_matches(text, [name for name in _SOURCES if _match(name)], n=1, cutoff=0.6)
    hints = (*(f"Did you mean {name}?" for name in nearest), *broken)
    quoted = text[:300] if text.strip() else repr(text)
    raise DataError(". ".join((f"{quoted}: {problem}; give {source_descriptions()}", *hints)))


def _match(text: str) -> Source | None:
    for source in _SOURCES.values():
        try:
            with suppress(OSError, RuntimeError, ValueError):  # not a valid path: a name too long, an unknown user
                if source.matches(text):
                    return source
        except (Exception, SystemExit) as error:
            from benchmark.data.sources.checked import failures

            with failures(source.where(text)):
                raise error
    return None


def _location(function: Callable[..., object]) -> tuple[str, str]:
    return function.__module__, function.__qualname__

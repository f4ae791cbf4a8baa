"""Checks the types of arguments, one function per kind; each wrong argument is a ConfigError of one line."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from zoo.config.errors import ConfigError

PATH: tuple[type, ...] = (str, PathLike)
"""The types of a path."""

_LONGEST_SHOWN = 60
_Kind = TypeVar("_Kind")


def wrong(name: str, value: object, right: str) -> ConfigError:
    """The error for an argument.

    Args:
        name: The name of the argument.
        value: Its value.
        right: What it may be: `a folder`.

    Returns:
        An error that quotes the value, shortened.
    """
    return ConfigError(f"{name}: is {quoted(value)}; give {right}")


def quoted(value: object) -> str:
    """The value on one line, shortened."""
    line = " ".join(repr(value).split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[: _LONGEST_SHOWN - 3]}..."


def one_of_types(name: str, value: _Kind, types: type | tuple[type, ...], right: str) -> _Kind:
    """Check that an argument has one of several types.

    Args:
        name: The name of the argument.
        value: Its value.
        types: The types that are allowed.
        right: What it may be, for the error.

    Returns:
        `value` itself.

    Raises:
        ConfigError: `value` has another type.
    """
    if not isinstance(value, types):
        raise wrong(name, value, right)
    return value


def text(name: str, value: str, right: str = "text") -> str:
    """Check that an argument is text.

    Args:
        name: The name of the argument.
        value: Its value.
        right: What it may be, for the error.

    Returns:
        `value` itself.

    Raises:
        ConfigError: `value` is no text.
    """
    return one_of_types(name, value, str, right)


def optional_text(name: str, value: str | None, right: str = "text or None") -> str | None:
    """Check that an argument is text or None.

    Args:
        name: The name of the argument.
        value: Its value.
        right: What it may be, for the error.

    Returns:
        `value` itself.

    Raises:
        ConfigError: `value` is neither.
    """
    return None if value is None else text(name, value, right)


def flag(name: str, value: bool) -> bool:
    """`value` itself. Raises ConfigError if it is neither True nor False."""
    return one_of_types(name, value, bool, "True or False")


def path(name: str, value: str | PathLike[str], right: str = "a folder") -> Path:
    """Make a path of an argument.

    Args:
        name: The name of the argument.
        value: Its value.
        right: What it may be, for the error.

    Returns:
        The path.

    Raises:
        ConfigError: `value` is no path.
    """
    return Path(one_of_types(name, value, PATH, right))


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """A whole number.

    Args:
        name: The name of the argument.
        value: A whole number of Python or NumPy.
        least: The least that is allowed.
        most: The greatest that is allowed; None for no limit.

    Returns:
        The number.

    Raises:
        ConfigError: `value` is no whole number, or is out of range.
    """
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or value < least or (most is not None and value > most):
        raise wrong(name, value, f"a whole number, {least} or more" if most is None else f"{least} to {most}")
    return operator.index(value)


def real(name: str, value: Any, right: str) -> float:
    """Check that an argument is a number.

    Args:
        name: The name of the argument.
        value: Its value.
        right: What it may be, for the error.

    Returns:
        `value` itself; a whole number stays one.

    Raises:
        ConfigError: `value` is no number.
    """
    if type(value) is bool or not isinstance(value, Real):
        raise wrong(name, value, right)
    number: Any = value
    return number  # type: ignore[no-any-return]


def several(
    name: str, value: Any, types: type | tuple[type, ...], right: str, *, may_be_empty: bool = True
) -> list[Any]:
    """One item or several as a list.

    Args:
        name: The name of the argument.
        value: One item, or an iterable of items.
        types: The types of an item.
        right: What the argument may be: `a folder or a list of folders`.
        may_be_empty: Whether no item is allowed.

    Returns:
        The items.

    Raises:
        ConfigError: `value` or an item has another type, or there is no item where one is needed.
    """
    if isinstance(value, types):
        return [value]
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise wrong(name, value, right)
    items = list(value)
    for item in items:
        one_of_types(name, item, types, right)
    if not items and not may_be_empty:
        raise ConfigError(f"{name}: is empty; give {right}")
    return items

"""Names of classes: which are the same but for case, in which order they come, and how many are plausible."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

MOST_CLASSES = 1000
"""The largest number of classes of a data set."""

FEWEST_IMAGES = 3
"""The smallest mean number of images per class at which labels are taken for classes. Each of three parts needs one."""

_FEWEST_CLASSES: ContextVar[int] = ContextVar("fewest_classes", default=2)


@contextmanager
def one_class_is_enough() -> Iterator[None]:
    """Let sources open with a single class in the block: a stored model can be applied to them, and nothing trained.

    The function of a registered source has a fixed signature, so that this cannot be one of its arguments.

    Yields:
        Nothing.
    """
    token = _FEWEST_CLASSES.set(1)
    try:
        yield
    finally:
        _FEWEST_CLASSES.reset(token)


def fewest_classes() -> int:
    """The smallest number of classes of a source that is opened: two, except in `one_class_is_enough`."""
    return _FEWEST_CLASSES.get()


def same_but_for_case(names: Iterable[str]) -> tuple[str, str] | None:
    """Find the first two different names that differ only in case; None if there are none."""
    spellings: dict[str, str] = {}
    for name in names:
        first = spellings.setdefault(name.casefold(), name)
        if first != name:
            return first, name
    return None


def natural_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort names, by value if all of them are whole numbers: 2 before 10."""
    unsorted = list(names)
    if all(re.fullmatch(r"-?\d{1,18}", name, re.ASCII) for name in unsorted):
        return tuple(sorted(unsorted, key=lambda name: (int(name), name)))
    return tuple(sorted(unsorted))


def listed(names: Sequence[str], most: int = 8) -> str:
    """The first names, separated by commas: "A, B, C, ..."."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")

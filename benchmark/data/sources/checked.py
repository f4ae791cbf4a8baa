"""Checks of the data set that a source returns, and of the pixels that it reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any, get_args

import numpy as np

from benchmark.data.classes import MOST_CLASSES, fewest_classes, same_but_for_case
from benchmark.data.dataset import DataError, Dataset, Image, Part, Pixels

_TEXTS = ("name", "patient", "digest")


def checked(dataset: Dataset, where: str) -> Dataset:
    """Check a data set, and make its `read` check the pixels that it returns.

    Args:
        dataset: What a source returned.
        where: Source string and source, which begin each message.

    Returns:
        The data set with the checking `read`.

    Raises:
        DataError: A field has a wrong type or value, or names are not unique or not sorted.
    """
    classes, images = dataset.classes, dataset.images
    texts = isinstance(classes, tuple | list) and all(isinstance(name, str) and name for name in classes)
    if not texts or not fewest_classes() <= len(set(classes)) == len(classes):
        raise DataError(f"{where}: classes is {_short(classes)}; it must be two or more different names")
    if (pair := same_but_for_case(classes)) is not None:
        raise DataError(f"{where}: the classes '{pair[0]}' and '{pair[1]}' differ only in case: give them one name")
    if len(classes) > MOST_CLASSES:
        raise DataError(f"{where}: it has {len(classes)} classes; at most {MOST_CLASSES} are supported")
    if type(dataset.ordered) is not bool:
        raise DataError(f"{where}: ordered is {_short(dataset.ordered)}; it must be True or False")
    if dataset.channels not in (1, 3):
        raise DataError(f"{where}: channels is {_short(dataset.channels)}; it must be 1 or 3")
    if not callable(dataset.read):
        raise DataError(f"{where}: read is {_short(dataset.read)}; it must be a function of (images, size)")
    if not isinstance(images, tuple | list) or not images:
        raise DataError(f"{where}: images is {_short(images)}; it must be a tuple of at least one Image")
    for image in images:
        _check_image(image, where, len(classes))
    for before, after in pairwise(images):
        if before.name > after.name:
            raise DataError(f"{where}: '{after.name}' comes after '{before.name}'; images must be sorted by name")
        if before.name == after.name:
            raise DataError(f"{where}: two images have the name '{after.name}'; each name must be unique")
    return replace(dataset, read=_checking(dataset, where))


def guarded(dataset: Dataset, where: str) -> Dataset:
    """Make each failure of the functions of a foreign data set a DataError in one line that begins with `where`."""
    size, region = dataset.original_size, dataset.region
    return replace(
        dataset,
        read=_guarded(dataset.read, where),
        original_size=None if size is None else _guarded(size, where),
        region=None if region is None else replace(region, mask=_guarded(region.mask, where)),
    )


@contextmanager
def failures(where: str, patient_pattern: str | None = None) -> Iterator[None]:
    """Turn each failure of a foreign source's function in the block into a DataError in one line.

    Args:
        where: Source string and source, which begin the message.
        patient_pattern: The value of `--patients` that the function gets.

    Yields:
        Nothing.

    Raises:
        DataError: The block failed. KeyboardInterrupt and MemoryError pass.
    """
    try:
        yield
    except (DataError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, re.error) and error.pattern == patient_pattern:
            raise DataError(f"--patients '{patient_pattern}': not a regular expression: {error}") from error
        problem = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise DataError(f"{where} fails: {problem}; fix its package") from error


def _check_image(image: Any, where: str, classes: int) -> None:
    if not isinstance(image, Image):
        raise DataError(f"{where}: images contains {_short(image)}; each entry must be an Image")
    for field in _TEXTS:
        value = getattr(image, field)
        if not isinstance(value, str) or not value:
            raise DataError(f"{where}: image {_short(image.name)}: {field} is {_short(value)}; it must be a text")
    if image.part not in get_args(Part):
        parts = ", ".join(get_args(Part))
        raise DataError(f"{where}: image '{image.name}': part is {_short(image.part)}; it must be one of {parts}")
    if type(image.label) is not int or image.label not in range(classes):
        right = "the int 0 or 1" if classes == 2 else f"an int from 0 to {classes - 1}"
        raise DataError(f"{where}: image '{image.name}': label is {_short(image.label)}; it must be {right}")


def _checking(dataset: Dataset, where: str) -> Callable[[Sequence[Image], int], Pixels]:
    read, channels = dataset.read, dataset.channels

    def read_checked(images: Sequence[Image], size: int) -> Pixels:
        pixels = read(images, size)
        shape = (len(images), size, size, channels)
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape != shape:
            wrong = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise DataError(f"{where}: read returned {wrong}; pixels must be uint8 {shape}")
        return pixels

    return read_checked


def _guarded(function: Callable[..., Any], where: str) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        with failures(where):
            return function(*arguments)

    return call


def _short(value: object) -> str:
    return " ".join(f"{value!r:.80}".split())

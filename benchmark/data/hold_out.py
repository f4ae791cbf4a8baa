"""Holds the images with one value of a fact out for the test, such as those of one site."""

from __future__ import annotations

import difflib
from dataclasses import replace

from benchmark.data.classes import listed, natural_order
from benchmark.data.dataset import DataError, Dataset
from benchmark.data.text import plural


def with_held_out(dataset: Dataset, request: str) -> Dataset:
    """Make the images with one value the test part, and all others the part to train on.

    The parts of the source are dropped: validation is drawn from the part to train on. Images without a value are left
    out of both.

    Args:
        dataset: The data set; its attributes contain the column.
        request: COLUMN=VALUE. Both may contain `=`.

    Returns:
        The data set with two parts.

    Raises:
        DataError: There is no such column or value, a patient has images on both sides, or a side lacks a class.
    """
    where = f"--hold-out {request}"
    column, value = _column_and_value(dataset, request, where)
    values = dataset.attributes[column]
    if value not in values.values():
        raise DataError(
            f"{where}: no image has {column} '{value}'. {_nearest(value, natural_order(set(values.values())))}"
        )
    images = tuple(
        replace(image, part="test" if values[image.name] == value else "train")
        for image in dataset.images
        if image.name in values
    )
    inside = {image.patient for image in images if image.part == "test"}
    both = sorted({image.patient for image in images if image.part == "train"} & inside)
    if both:
        raise DataError(
            f"{where}: {plural(len(both), 'patient')} with images on both sides, such as {both[0]}; hold out a column "
            "that is the same for all images of a patient"
        )
    for part, side in (("test", f"with {column}={value}"), ("train", f"without {column}={value}")):
        labels = {image.label for image in images if image.part == part}
        missing = [name for label, name in enumerate(dataset.classes) if label not in labels]
        if missing:
            raise DataError(f"{where}: no image {side} is of {listed(missing)}; both sides need every class")
    count = sum(image.part == "test" for image in images)
    notes = [f"test is the {plural(count, 'image')} with {column}={value}, held out; the others are to train on"]
    if without := len(dataset.images) - len(images):
        notes.append(f"{plural(without, 'image')} without {column} left out")
    return replace(dataset, images=images, notes=(*dataset.notes, *notes), hold_out=f"{column}={value}")


def _column_and_value(dataset: Dataset, request: str, where: str) -> tuple[str, str]:
    """The column and the value of a request, at the `=` before which there is a column. Raises DataError."""
    cuts = [place for place, letter in enumerate(request) if letter == "="]
    pairs = [(request[:cut].strip(), request[cut + 1 :].strip()) for cut in cuts]
    pairs = [(column, value) for column, value in pairs if column and value]
    if not pairs:
        raise DataError(f"{where}: give COLUMN=VALUE, such as site=B")
    if not dataset.attributes:
        raise DataError(f"{where}: {dataset.source} has no columns; give a manifest (.csv, .parquet) with this column")
    known = [pair for pair in pairs if pair[0] in dataset.attributes]
    if not known:
        column = pairs[0][0]
        raise DataError(f"{where}: there is no column '{column}'. {_nearest(column, tuple(dataset.attributes))}")
    present = [(column, value) for column, value in known if value in dataset.attributes[column].values()]
    if len(present) > 1:
        readings = " or ".join(f"column '{column}' with value '{value}'" for column, value in present)
        raise DataError(f"{where}: may mean {readings}; rename a column so that it means one")
    return (present or known)[0]


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    near = near or [other for other in known if other.casefold() == name.casefold()]
    return f"Did you mean {' or '.join(near)}?" if near else f"There is {listed(known)}."

"""Folds of a cross-validation over all images of a source: each image is in the test part of one fold."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from benchmark.data.dataset import DataError, Dataset, Image
from benchmark.data.splits import Sampling, Seed, Split, groups, make_split
from benchmark.data.text import plural

_STREAM = 5  # differs from the streams of other draws from the same seed


def folds_problem(dataset: Dataset, folds: int) -> str | None:
    """Return why a data set cannot be divided into test folds.

    Args:
        dataset: The images.
        folds: Number of folds.

    Returns:
        One line that says what would be right; None if it can be divided.
    """
    where = f"{dataset.source}: test_folds: {folds}"
    if dataset.hold_out is not None:
        return f"{where}: --hold-out {dataset.hold_out} already names the test images; drop one of the two"
    if count := sum(image.part == "test" for image in dataset.images):
        return f"{where}: the source has its own test part of {plural(count, 'image')}; leave test_folds out"
    members = groups(_consistent(dataset)[0])
    for label, name in enumerate(dataset.classes):
        units = sum(any(image.label == label for image in group) for group in members)
        if units < folds:
            return f"{where}: needs {folds} {dataset.unit}s of every class, and {name} has {units}; use fewer folds"
    return None


def make_test_fold(dataset: Dataset, sampling: Sampling, folds: int, index: int, seed: Seed) -> Split:
    """Make the split of one fold.

    The images of the fold are its test part. Validation and training are drawn from all other images as `make_split`
    draws them from a source with a test part. Patients and byte-identical images stay together; classes keep their
    shares (scikit-learn's StratifiedGroupKFold). Identical images with different labels are in no fold.

    Args:
        dataset: The images; a part `val` of the source is used like the others.
        sampling: The size of train and val.
        folds: Number of folds, at least 2.
        index: The fold, from 0.
        seed: Decides the draw.

    Returns:
        The split.

    Raises:
        DataError: The source has a test part, or there are too few patients.
    """
    if (problem := folds_problem(dataset, folds)) is not None:
        raise DataError(problem)
    images, contradictory = _consistent(dataset)
    tested = _images_of_fold(images, folds, index, seed)
    if len({image.label for image in images if image.name in tested}) < len(dataset.classes):
        raise DataError(f"{dataset.source}: test_folds: fold {index + 1} of {folds} lacks a class; use fewer folds")
    parts = tuple(replace(image, part="test" if image.name in tested else "train") for image in images)
    split = make_split(replace(dataset, images=parts), sampling, seed)
    notes = [
        f"fold {index + 1} of {folds} of a cross-validation by {dataset.unit}: it tests {plural(len(tested), 'image')}",
        *split.notes,
    ]
    if contradictory:
        differ = "both labels" if len(dataset.classes) == 2 else "different labels"
        notes.append(f"{plural(contradictory, 'image')} left out: identical images have {differ}")
    return replace(split, notes=tuple(notes))


def _images_of_fold(images: list[Image], folds: int, index: int, seed: Seed) -> set[str]:
    group = {image.name: number for number, members in enumerate(groups(images)) for image in members}
    labels, keys = [image.label for image in images], [group[image.name] for image in images]
    state = int(np.random.default_rng([*np.atleast_1d(seed), _STREAM]).integers(2**31))
    from sklearn.model_selection import StratifiedGroupKFold  # here, because it loads slowly

    divided = StratifiedGroupKFold(folds, shuffle=True, random_state=state).split(labels, labels, keys)
    return {images[row].name for row in list(divided)[index][1]}


def _consistent(dataset: Dataset) -> tuple[list[Image], int]:
    """The images by name without those whose content has different labels, and the number of the latter."""
    labels: dict[str, set[int]] = defaultdict(set)
    for image in dataset.images:
        labels[image.digest].add(image.label)
    images = sorted((image for image in dataset.images if len(labels[image.digest]) == 1), key=lambda i: i.name)
    return images, len(dataset.images) - len(images)

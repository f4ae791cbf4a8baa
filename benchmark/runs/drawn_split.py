"""The split of a run: drawn from the data by the protocol, the seed, the fold and the subset of its specification."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from benchmark.data.cross_validation import make_test_fold
from benchmark.data.dataset import Dataset, Image
from benchmark.data.splits import Split, make_fold, make_split
from benchmark.data.training_subset import draw_training_subset
from benchmark.runs.run import RunSpec


def split_key(spec: RunSpec) -> Hashable:
    """A key that is equal for runs on the same data whose splits are the same before a subset is drawn."""
    return spec.split_seed, spec.protocol.sampling, spec.protocol.test_folds, spec.fold


def draw_split(dataset: Dataset, spec: RunSpec) -> Split:
    """Draw the split of a run, with the training images that it trains on.

    Args:
        dataset: The images.
        spec: The run.

    Returns:
        The split.

    Raises:
        DataError: The data cannot be split as the protocol requests, or there are too few training images.
    """
    return with_subset(draw_whole_split(dataset, spec), spec)


def with_subset(split: Split, spec: RunSpec) -> Split:
    """Return `split` with the training images that a run trains on. Raises DataError if there are too few."""
    return split if spec.subset is None else replace(split, train=training_images(split.train, spec))


def training_images(train: Sequence[Image], spec: RunSpec) -> tuple[Image, ...]:
    """The training images of a run.

    Args:
        train: All training images of its split.
        spec: The run.

    Returns:
        The images by name: those of its subset, or all.

    Raises:
        DataError: The subset needs more images than there are.
    """
    if spec.subset is None:
        return tuple(train)
    classes = len(spec.dataset.classes)
    return draw_training_subset(train, spec.subset.images, spec.subset.draw, spec.split_seed, classes)


def draw_whole_split(dataset: Dataset, spec: RunSpec) -> Split:
    """Draw the split of a run, with all training images.

    Under `test_folds` each fold is the test part of one run. The folds of a search divide the train and val images.

    Args:
        dataset: The images.
        spec: The run.

    Returns:
        The split.

    Raises:
        DataError: The data cannot be split as the protocol requests.
    """
    sampling, seed = spec.protocol.sampling, spec.split_seed
    if spec.protocol.test_folds is not None and spec.fold is not None:
        return make_test_fold(dataset, sampling, *spec.fold, seed)
    split = make_split(dataset, sampling, seed)
    return split if spec.fold is None else make_fold(split, *spec.fold, seed)

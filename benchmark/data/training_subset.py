"""Nested draws of training images by patient, with the classes in their shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmark.data.dataset import DataError, Image
from benchmark.data.quotas import Counts, count_classes, pick, requested_of_each
from benchmark.data.splits import Seed, groups

_STREAM = 6  # differs from the streams of other draws from the same seed


def draw_training_subset(train: Sequence[Image], size: int, draw: int, seed: Seed, classes: int) -> tuple[Image, ...]:
    """Draw some of the training images.

    Each draw has one random order of the patients. A subset contains the first images of each class in this order, in
    the shares that the classes have among all training images. Subsets of one draw are therefore nested, and all but
    one patient of a class are in a subset with all or none of their images.

    Args:
        train: The training images, in any order.
        size: Number of images to draw.
        draw: The number of the draw, from 0.
        seed: The seed of the split.
        classes: Number of classes.

    Returns:
        The images by name.

    Raises:
        DataError: There are fewer than `size` images.
    """
    quotas = subset_counts(count_classes(train, classes), size)
    members = groups(train)
    order = np.random.default_rng([*np.atleast_1d(seed), _STREAM, draw]).permutation(len(members))
    return tuple(sorted(pick([members[index] for index in order], quotas), key=lambda image: image.name))


def subset_counts(present: Counts, size: int) -> Counts:
    """Divide a subset between the classes.

    Args:
        present: Training images of each class.
        size: Number of images to draw, at least one of each class.

    Returns:
        Images of each class in the subset.

    Raises:
        DataError: There are fewer than `size` images.
    """
    if size > sum(present):
        raise DataError(f"{size:,} training images were asked for, and the split has {sum(present):,}")
    return requested_of_each(present, size, balanced=False)

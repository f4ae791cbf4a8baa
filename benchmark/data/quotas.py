"""How many images of each class validation and test may take, so that training keeps at least half of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark.data.dataset import Image

Counts = tuple[int, ...]
"""Images of each class, in the order of the classes."""


@dataclass(frozen=True)
class Shares:
    """What each part gets of each class.

    Attributes:
        train: What the other parts leave for training, at least.
        val: What validation takes, at most.
        test: What test takes, at most.
        scaled: Classes with too few images for all requests.
    """

    train: Counts
    val: Counts
    test: Counts
    scaled: tuple[int, ...]


def share_out(present: Counts, train: Counts | None, val: Counts, test: Counts) -> Shares:
    """Divide the images of each class by the requests of the parts.

    Training keeps half of each class, or its request if that is less. Validation and test get their requests from the
    rest. If the rest is too small, they share it in proportion to their requests, with at least one image each.

    Args:
        present: Images of each class.
        train: Requested for training; None requests all.
        val: Requested for validation; a part that requests nothing gets nothing.
        test: Requested for test.

    Returns:
        The share of each part.
    """
    classes = range(len(present))
    parts = [_of_class(present[c], None if train is None else train[c], val[c], test[c]) for c in classes]
    scaled = tuple(c for c in classes if parts[c][1] < val[c] or parts[c][2] < test[c])
    of_train, of_val, of_test = (tuple(part[index] for part in parts) for index in range(3))
    return Shares(of_train, of_val, of_test, scaled)


def _of_class(present: int, train: int | None, val: int, test: int) -> tuple[int, int, int]:
    half = (present + 1) // 2
    of_train = half if train is None else min(train, half)
    others = (val > 0) + (test > 0)
    of_train = min(of_train, max(1, present - others))  # one image per part comes before half for training
    rest = present - of_train
    if val + test > rest and others == 2:
        test = min(max(1, round(rest * test / (val + test))), max(1, rest - 1))
        val = min(val, max(1, rest - test))
    elif val + test > rest:
        val, test = min(val, max(1, rest)), min(test, max(1, rest))
    return of_train, val, test


def requested_of_each(present: Counts, count: int, balanced: bool) -> Counts:
    """Divide a request of `count` images between the classes.

    Shares are rounded class after class, from the last to the first: each gets its share of the images that the classes
    after it left, at least one as far as `count` allows. So each share is within about one image of its exact value.

    Args:
        present: Images of each class.
        count: Images requested.
        balanced: Whether the classes get equal numbers; else they get their shares of `present`.

    Returns:
        Images requested of each class.
    """
    if balanced:
        return (count // len(present),) * len(present)
    if count >= sum(present):
        return present
    requested = list(present)
    images = sum(present)
    for c in range(len(present) - 1, 0, -1):
        share = round(count * present[c] / images) if images else 0
        requested[c] = min(present[c], count, max(1, min(count - c, share)))
        count, images = count - requested[c], images - present[c]
    requested[0] = min(present[0], count)
    return tuple(requested)


def fraction_of_each(present: Counts, share: float) -> Counts:
    """Round `share` of each class to images, at least one of a class with two or more."""
    return tuple(max(1, round(share * count)) if count > 1 else 0 for count in present)


def count_classes(images: Iterable[Image], classes: int = 2) -> Counts:
    """Count the images of each of `classes` classes, whose labels are 0 to `classes` - 1."""
    counts = [0] * classes
    for image in images:
        counts[image.label] += 1
    return tuple(counts)


def take_groups(
    shuffled: Sequence[list[Image]], requested: Counts, limit: Counts, parts_left: int
) -> tuple[list[list[Image]], list[list[Image]]]:
    """Choose the groups that a part takes.

    A group is taken while the part still needs images of a class in it. A group is passed over if the part would then
    exceed `limit`, or leave less than one group of each class for each of `parts_left`. A part that would lack a class
    takes the smallest group of it, even beyond `limit`.

    Args:
        shuffled: Groups of images that stay together. Each class must be in more than `parts_left` of them.
        requested: Images of each class that the part requests.
        limit: Images of each class that the part may take.
        parts_left: Number of parts that choose later.

    Returns:
        The groups that are taken and the others, both in the order of `shuffled`.
    """
    classes = range(len(requested))
    counts = [count_classes(group, len(classes)) for group in shuffled]
    groups_left = [sum(count[c] > 0 for count in counts) for c in classes]
    missing, allowed = list(requested), list(limit)
    chosen: list[int] = []

    def leaves_enough(index: int) -> bool:
        return all(groups_left[c] - 1 >= parts_left for c in classes if counts[index][c])

    def take(index: int) -> None:
        chosen.append(index)
        for c in classes:
            missing[c] -= counts[index][c]
            allowed[c] -= counts[index][c]
            groups_left[c] -= counts[index][c] > 0

    for index, count in enumerate(counts):
        needed = any(missing[c] > 0 for c in classes if count[c])
        if needed and all(count[c] <= allowed[c] for c in classes) and leaves_enough(index):
            take(index)
    for c in classes:
        if requested[c] and not any(counts[index][c] for index in chosen):
            candidates = [i for i in range(len(counts)) if counts[i][c] and i not in chosen]
            # With three or more classes, each group of this class can contain another that is scarce by now.
            candidates = [i for i in candidates if leaves_enough(i)] or candidates
            take(min(candidates, key=lambda index: sum(counts[index])))
    order = sorted(chosen)
    return [shuffled[index] for index in order], [g for index, g in enumerate(shuffled) if index not in set(chosen)]


def pick(shuffled: Iterable[list[Image]], quotas: Counts) -> list[Image]:
    """Take the first images of each class, up to its quota."""
    picked: list[Image] = []
    missing = list(quotas)
    for group in shuffled:
        for image in group:
            if missing[image.label]:
                missing[image.label] -= 1
                picked.append(image)
    return picked


def least(first: Counts, second: Counts) -> Counts:
    """The smaller count of each class."""
    return tuple(min(pair) for pair in zip(first, second, strict=True))


def minus(first: Counts, second: Counts) -> Counts:
    """The difference of the counts of each class."""
    return tuple(a - b for a, b in zip(first, second, strict=True))


def even(counts: Counts) -> Counts:
    """The count of the rarest class, for every class."""
    return (min(counts),) * len(counts)

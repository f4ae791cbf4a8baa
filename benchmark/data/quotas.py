"""How many images of each class validation and test may take, so that training keeps at least half of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark.data.dataset import Image

Counts = tuple[int, int]
"""Images of class 0 and of class 1."""


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
    parts = [_of_class(present[c], None if train is None else train[c], val[c], test[c]) for c in (0, 1)]
    scaled = tuple(c for c in (0, 1) if parts[c][1] < val[c] or parts[c][2] < test[c])
    of_train, of_val, of_test = ((parts[0][part], parts[1][part]) for part in range(3))
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

    Args:
        present: Images of each class.
        count: Images requested.
        balanced: Whether the classes get equal numbers; else they get their shares of `present`.

    Returns:
        Images requested of each class.
    """
    if balanced:
        return count // 2, count // 2
    if count >= sum(present):
        return present
    positive = min(present[1], max(1, min(count - 1, round(count * present[1] / sum(present)))))
    return min(present[0], count - positive), positive


def fraction_of_each(present: Counts, share: float) -> Counts:
    """Round `share` of each class to images, at least one of a class with two or more."""
    negative, positive = (max(1, round(share * count)) if count > 1 else 0 for count in present)
    return negative, positive


def count_classes(images: Sequence[Image]) -> Counts:
    """Count the images of each class."""
    positive = sum(image.label for image in images)
    return len(images) - positive, positive


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
    counts = [count_classes(group) for group in shuffled]
    groups_left = [sum(count[c] > 0 for count in counts) for c in (0, 1)]
    missing, allowed = list(requested), list(limit)
    chosen: list[int] = []

    def leaves_enough(index: int) -> bool:
        return all(groups_left[c] - 1 >= parts_left for c in (0, 1) if counts[index][c])

    def take(index: int) -> None:
        chosen.append(index)
        for c in (0, 1):
            missing[c] -= counts[index][c]
            allowed[c] -= counts[index][c]
            groups_left[c] -= counts[index][c] > 0

    for index, count in enumerate(counts):
        needed = any(missing[c] > 0 for c in (0, 1) if count[c])
        if needed and all(count[c] <= allowed[c] for c in (0, 1)) and leaves_enough(index):
            take(index)
    for c in (0, 1):
        if requested[c] and not any(counts[index][c] for index in chosen):
            candidates = [i for i in range(len(counts)) if counts[i][c] and i not in chosen and leaves_enough(i)]
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
    return min(first[0], second[0]), min(first[1], second[1])


def minus(first: Counts, second: Counts) -> Counts:
    """The difference of the counts of each class."""
    return first[0] - second[0], first[1] - second[1]


def even(counts: Counts) -> Counts:
    """The count of the rarer class, for both classes."""
    return min(counts), min(counts)

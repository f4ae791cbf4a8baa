"""How many images of each class validation and test may take, so that training keeps at least half of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark.data.dataset import Image

Counts = tuple[int, int]
"""Images of class 0 and of class 1."""


@dataclass(frozen=True)
class Shares:
    """What the parts get of each class. `train` is what the others leave it at least; `val` and `test` are what they
    take at most; `scaled` are the classes of which not all wishes fit."""

    train: Counts
    val: Counts
    test: Counts
    scaled: tuple[int, ...]


def share_out(held: Counts, train: Counts | None, val: Counts, test: Counts) -> Shares:
    """Divide `held` images of each class by the wishes of the parts; a `train` of None wishes for all there are, a part
    that wishes for nothing gets nothing.

    Training keeps half of each class, or its wish where that is less. Validation and test get their wishes from the
    rest. Where the rest is too small they share it in proportion to their wishes, one image each at least.
    """
    parts = [_of_class(held[c], None if train is None else train[c], val[c], test[c]) for c in (0, 1)]
    scaled = tuple(c for c in (0, 1) if parts[c][1] < val[c] or parts[c][2] < test[c])
    own, of_val, of_test = ((parts[0][place], parts[1][place]) for place in range(3))
    return Shares(own, of_val, of_test, scaled)


def _of_class(held: int, train: int | None, val: int, test: int) -> tuple[int, int, int]:
    half = (held + 1) // 2
    kept = half if train is None else min(train, half)
    others = (val > 0) + (test > 0)
    kept = min(kept, max(1, held - others))  # one image for each part comes before half for training
    spare = held - kept
    if val + test > spare and others == 2:
        test = min(max(1, round(spare * test / (val + test))), max(1, spare - 1))
        val = min(val, max(1, spare - test))
    elif val + test > spare:
        val, test = min(val, max(1, spare)), min(test, max(1, spare))
    return kept, val, test


def asked_of_each(held: Counts, count: int, balanced: bool) -> Counts:
    """`count` images as so many of each class: the same number, or in the shares of `held`."""
    if balanced:
        return count // 2, count // 2
    if count >= sum(held):
        return held
    positive = min(held[1], max(1, min(count - 1, round(count * held[1] / sum(held)))))
    return min(held[0], count - positive), positive


def fraction_of_each(held: Counts, share: float) -> Counts:
    """`share` of each class in images, at least one of a class with two or more."""
    negative, positive = (max(1, round(share * count)) if count > 1 else 0 for count in held)
    return negative, positive


def count_classes(images: Sequence[Image]) -> Counts:
    """Images of each class."""
    positive = sum(image.label for image in images)
    return len(images) - positive, positive


def take_groups(
    shuffled: Sequence[list[Image]], wanted: Counts, most: Counts, parts_left: int
) -> tuple[list[list[Image]], list[list[Image]]]:
    """Of groups of images that stay together, in their order, those that a part takes and the rest.

    A group is taken while its part wants images of a class in it. One that would leave the other parts less than is
    theirs (`most` is what may be taken of each class), or less than one group of each class for each of `parts_left`,
    is passed over. A part that would lack a class takes the smallest group of it even beyond `most`. Every class must
    stand in more than `parts_left` groups.
    """
    counts = [count_classes(group) for group in shuffled]
    bearing = [sum(count[c] > 0 for count in counts) for c in (0, 1)]
    missing, room = list(wanted), list(most)
    taken: list[int] = []

    def leaves_enough(place: int) -> bool:
        return all(bearing[c] - 1 >= parts_left for c in (0, 1) if counts[place][c])

    def take(place: int) -> None:
        taken.append(place)
        for c in (0, 1):
            missing[c] -= counts[place][c]
            room[c] -= counts[place][c]
            bearing[c] -= counts[place][c] > 0

    for place, count in enumerate(counts):
        needed = any(missing[c] > 0 for c in (0, 1) if count[c])
        if needed and all(count[c] <= room[c] for c in (0, 1)) and leaves_enough(place):
            take(place)
    for c in (0, 1):
        if wanted[c] and not any(counts[place][c] for place in taken):
            left = [place for place in range(len(counts)) if counts[place][c] and place not in taken]
            take(min((place for place in left if leaves_enough(place)), key=lambda place: sum(counts[place])))
    order = sorted(taken)
    return [shuffled[place] for place in order], [g for place, g in enumerate(shuffled) if place not in set(taken)]


def pick(shuffled: Iterable[list[Image]], quotas: Counts) -> list[Image]:
    """The first images of each class, up to its quota."""
    chosen: list[Image] = []
    left = list(quotas)
    for group in shuffled:
        for image in group:
            if left[image.label]:
                left[image.label] -= 1
                chosen.append(image)
    return chosen


def least(first: Counts, second: Counts) -> Counts:
    """The smaller count of each class."""
    return min(first[0], second[0]), min(first[1], second[1])


def minus(first: Counts, second: Counts) -> Counts:
    """What is left of each class."""
    return first[0] - second[0], first[1] - second[1]


def even(counts: Counts) -> Counts:
    """As many of each class as there are of the rarer."""
    return min(counts), min(counts)

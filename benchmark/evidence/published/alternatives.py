"""Which honest meanings figures of two classes can have, if no confusion matrix of the test set gives them as stated.

Reports print averages over both classes, figures of the other class, and means over folds or seeds, often without
saying so. Each such meaning is tried, with all figures rounded and with all figures cut. A mean counts only if folds or
seeds that resemble each other have it: very unlike ones have nearly any mean.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from benchmark.evidence.metrics.printed import PRINTED, averaged, of_other_class
from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.bounds import reaches
from benchmark.evidence.published.feasible import Range, Rounding, TooManyCandidates, feasible_matrices
from benchmark.evidence.published.means import Repeats, fits_as_mean
from benchmark.evidence.published.shares import feasible_at_any_size, rates_exist

Meaning = Literal["other class", "macro", "macro, F1 of the averages", "weighted", "positive class", "folds", "seeds"]
"""What the figures can be of."""

Ranges = Mapping[str, Range]
RangesByRounding = Mapping[Rounding, Ranges]
"""The values that each figure, and `auc` where it is printed, can have: by `rounded` and by `cut`."""

TRIED: tuple[tuple[Repeats, int], ...] = (("folds", 5), ("seeds", 3), ("seeds", 5))
"""The means that are tried where a row does not state its number of folds or seeds. More repeats than these give nearly
every figure of four decimals, so that fitting them says nothing."""

_OF_TWO = frozenset(
    {
        "specificity",
        "npv",
        "false_positive_rate",
        "false_negative_rate",
        "f1_of_negatives",
        "f2_of_negatives",
        "true_positives",
        "false_positives",
        "true_negatives",
        "false_negatives",
    }
)
"""Figures that only a positive class has: a row that prints one is not about averages over the classes."""


@dataclass(frozen=True)
class Alternative:
    """A meaning under which all figures fit.

    Attributes:
        meaning: What the figures would be of.
        rounding: Whether all figures would be `rounded` or `cut`.
        matrices: The confusion matrices that give them, with positives and negatives as stated; empty if they are not
            known.
        number: The number of folds or seeds; None for other meanings.
        example: For folds or seeds, one matrix each that together have these means.
    """

    meaning: Meaning
    rounding: Rounding
    matrices: tuple[Confusion, ...] = ()
    number: int | None = None
    example: tuple[Confusion, ...] = ()


def alternatives(printed: RangesByRounding, negatives: int, positives: int) -> tuple[Alternative, ...]:
    """Find the meanings under which printed figures fit a test set.

    Args:
        printed: The values that each figure can have.
        negatives: Number of negatives, at least 1.
        positives: Number of positives, at least 1.

    Returns:
        The meanings, each once: with rounded figures, or else with cut ones.
    """
    fitting: dict[tuple[str, int | None], Alternative] = {}
    for rounding, ranges in printed.items():
        decided = {name: bounds for name, bounds in ranges.items() if name != "auc"}
        area = ranges.get("auc")
        for meaning, renamed in _renamed(decided):
            matrices = _matrices(renamed, negatives, positives, area)
            if matrices is None or matrices:
                fitting.setdefault((meaning, None), Alternative(meaning, rounding, matrices or ()))
        for repeats, number in TRIED:
            mean = fits_as_mean(decided, negatives, positives, repeats, number, area)
            if mean.example:
                fit = Alternative(repeats, rounding, number=number, example=mean.example)
                fitting.setdefault((repeats, number), fit)
    return tuple(fitting.values())


def alternatives_at_any_size(printed: RangesByRounding) -> tuple[Alternative, ...]:
    """Find the meanings under which printed figures fit some test set. Means over folds and seeds are not tried.

    Args:
        printed: The values that each figure can have.

    Returns:
        The meanings, without matrices.
    """
    fitting: dict[str, Alternative] = {}
    for rounding, ranges in printed.items():
        for meaning, renamed in _renamed({name: bounds for name, bounds in ranges.items() if name != "auc"}):
            # Without class sizes the other class is no other meaning: its share is just as free.
            if meaning != "other class" and feasible_at_any_size(renamed) and rates_exist(renamed):
                fitting.setdefault(meaning, Alternative(meaning, rounding))
    return tuple(fitting.values())


def has_averages(names: Collection[str]) -> bool:
    """Return whether figures can be averages over both classes: one has an average, and none is of a positive class."""
    return not _OF_TWO & set(names) and any(averaged(name, "macro") != name for name in names)


def _renamed(ranges: Ranges) -> Iterator[tuple[Meaning, dict[str, Range]]]:
    """The figures under the names that they have with each meaning, where any name changes."""
    renamings: list[tuple[Meaning, Callable[[str], str]]] = [("other class", of_other_class)]
    if has_averages(ranges):
        renamings.append(("macro", partial(averaged, average="macro")))
        if "f1" in ranges:
            renamings.append(("macro, F1 of the averages", _with_f1_of_macro))
        renamings.append(("weighted", partial(averaged, average="weighted")))
    renamings.append(("positive class", _of_positives))
    for meaning, rename in renamings:
        renamed = {rename(name): bounds for name, bounds in ranges.items()}
        if len(renamed) == len(ranges) and set(renamed) != set(ranges):
            yield meaning, renamed


def _with_f1_of_macro(name: str) -> str:
    return "f1_of_macro" if name == "f1" else averaged(name, "macro")


def _of_positives(name: str) -> str:
    """The figure of the positive class for an average over both classes."""
    return (PRINTED[name].of if name in PRINTED else None) or name


def _matrices(ranges: Ranges, negatives: int, positives: int, area: Range | None) -> tuple[Confusion, ...] | None:
    """The matrices that give figures; None where rates exist, but there are too many matrices to list."""
    share = positives / (negatives + positives)
    if not feasible_at_any_size(ranges, share):
        return ()
    try:
        candidates = feasible_matrices(ranges, negatives, positives)
    except TooManyCandidates:
        return None if rates_exist(ranges, share) else ()
    return tuple(each for each in candidates if area is None or reaches(each, area))

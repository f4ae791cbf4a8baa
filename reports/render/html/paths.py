"""Paths and axes of charts that are drawn as inline SVG, in units of their view box."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.ticker import MaxNLocator

SIDE = 300
"""The width of a plot."""
_WIDE_RANGE = 5
"""A scale is logarithmic above this ratio of the largest to the smallest value."""
_LOG_STEPS = ((1, 2, 5), (1, 3), (1,))
_MOST_TICKS = 6
_STRAIGHT = 1e-6  # so far may a point be from the line through its neighbours, which rounding causes

Point = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    """A position on an axis, and its text."""

    at: float
    text: str


@dataclass(frozen=True)
class Scale:
    """A vertical scale with its ticks; `low` is at `height`, `high` at 0."""

    low: float
    high: float
    height: float
    logarithmic: bool
    ticks: tuple[Tick, ...]

    def at(self, value: float) -> float:
        """The position of `value`."""
        low, high, value = (math.log(x) if self.logarithmic else x for x in (self.low, self.high, value))
        return self.height * (1 - (value - low) / (high - low))


def ordinates(values: Sequence[float], height: float) -> Scale:
    """A scale that contains all values.

    Args:
        values: At least one finite value. If all are positive and differ by a factor of more than 5, the scale is
            logarithmic.
        height: The height of the plot.

    Returns:
        The scale, of positive height even if all values are equal.
    """
    low, high = min(values), max(values)
    if low > 0 and high / low > _WIDE_RANGE:
        low, high = low / 1.1, high * 1.1
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        choices = ([step * 10.0**power for power in powers for step in steps] for steps in _LOG_STEPS)
        inside = [[tick for tick in choice if low <= tick <= high] for choice in choices]
        ticks = next((each for each in inside if len(each) <= _MOST_TICKS), inside[-1])
        scale = Scale(low, high, height, True, ())
    else:
        spread = max(high - low, 0.05 * max(abs(low), abs(high)), 0.02)
        middle = (low + high) / 2
        low, high = middle - 0.54 * spread, middle + 0.54 * spread
        located = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        ticks = [float(tick) + 0.0 for tick in located if low <= tick <= high]
        scale = Scale(low, high, height, False, ())
    return Scale(low, high, height, scale.logarithmic, tuple(Tick(scale.at(tick), f"{tick:g}") for tick in ticks))


def shares(*, upward: bool = False) -> tuple[Tick, ...]:
    """Ticks of an axis from 0 to 1; `upward` is for the vertical one, whose 1 is at the top."""
    return tuple(Tick(SIDE * (1 - share if upward else share), f"{share:g}") for share in (0, 0.25, 0.5, 0.75, 1))


def whole_numbers(first: int, last: int) -> list[int]:
    """Round whole numbers between `first` and `last`, at most six, for an axis of epochs."""
    located = MaxNLocator(nbins=5, integer=True).tick_values(first, max(last, first + 1))
    return [round(tick) for tick in located if first <= tick <= last] or [first]


def path(points: Iterable[Point]) -> str:
    """The path through `points`, without repetitions and without points on a straight line between their neighbours."""
    corners = _corners([point for point, _ in groupby(points)])
    return "".join(f"{'L' if place else 'M'}{x:.1f} {y:.1f}" for place, (x, y) in enumerate(corners))


def _corners(points: Sequence[Point]) -> Iterator[Point]:
    for place, point in enumerate(points):
        if place in (0, len(points) - 1) or not _is_between(points[place - 1], point, points[place + 1]):
            yield point


def _is_between(before: Point, point: Point, after: Point) -> bool:
    (x, y), (ax, ay) = (point[0] - before[0], point[1] - before[1]), (after[0] - before[0], after[1] - before[1])
    length = math.hypot(ax, ay)
    return length > 0 and abs(x * ay - y * ax) / length < _STRAIGHT and 0 < x * ax + y * ay < length * length

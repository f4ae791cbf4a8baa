"""Positions of figures and intervals on an axis, in percent of its width."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

Interval = tuple[float, float]
_NARROW, _MARGIN = 1e-6, 0.05


@dataclass(frozen=True)
class Axis:
    """A scale from its first tick to its last; `zero` marks 0, where nothing changed."""

    ticks: tuple[float, ...]
    zero: bool = False

    def at(self, value: float) -> str:
        """The position of `value` in percent of the width, clipped to the axis."""
        share = (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])
        return f"{100 * min(1.0, max(0.0, share)):.2f}"


@dataclass(frozen=True)
class Bar:
    """The drawing of one cell: a measured point, its 95% interval, and a published figure or range."""

    axis: Axis
    value: float | None
    bounds: Interval | None = None
    published: Interval | None = None


def axis_over(values: Iterable[float | None], *, zero: bool = False) -> Axis | None:
    """Choose an axis with round ticks.

    Args:
        values: The values to cover; None is ignored.
        zero: Whether to cover and mark 0.

    Returns:
        The axis, of positive width even if all values are equal; None without values.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    known += [0.0] if zero else []
    low, high = min(known), max(known)
    if high - low < _NARROW * max(1.0, abs(low), abs(high)):
        low, high = low - _MARGIN, high + _MARGIN
    ticks = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return Axis(tuple(float(tick) + 0.0 for tick in ticks), zero)

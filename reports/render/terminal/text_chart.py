"""Draws a line chart in plain characters; series differ by mark, not by colour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

BOTH = "#"
_AXIS = 9  # columns of the vertical axis and its labels


def text_chart(
    series: Mapping[str, Sequence[float | None]], marks: str, *, width: int, height: int = 8, breaks: Sequence[int] = ()
) -> list[str]:
    """Draw series over the positions 1, 2, ...

    If there are more positions than columns, a column has the value of the last position in it.

    Args:
        series: Values by name, all of one length; None is a gap.
        marks: One character per series. Where two series meet, the mark is `#`.
        width: Columns of the chart, at most.
        height: Rows of the chart without its axis, at least 2.
        breaks: Positions with a `|` on the axis.

    Returns:
        `height` + 2 lines; none if there is no finite value.

    Raises:
        ValueError: The chart is too small, or the numbers of marks and series differ.
    """
    columns = width - _AXIS
    if columns < 1 or height < 2 or len(marks) != len(series):
        raise ValueError(f"{len(series)} series, {len(marks)} marks, {width} x {height} characters")
    values = [v for each in series.values() for v in each if v is not None and math.isfinite(v)]
    if not values:
        return []
    low, high = min(values), max(values)
    positions = max(len(each) for each in series.values())
    step = max(1, min(4, columns // positions))
    used = min(columns, (positions - 1) * step + 1)
    cells = [[" "] * used for _ in range(height)]
    for mark, each in zip(marks, series.values(), strict=True):
        for column, value in _columns(each, positions, used).items():
            share = 0.5 if high == low else (value - low) / (high - low)
            row = height - 1 - round(share * (height - 1))
            cells[row][column] = mark if cells[row][column] in (" ", mark) else BOTH
    labels = {0: high, height - 1: low, (height - 1) // 2: high - (high - low) * ((height - 1) // 2) / (height - 1)}
    if high == low:
        labels = {height - 1 - round(0.5 * (height - 1)): high}
    lines = [f"{_label(labels.get(row)):>7} |{''.join(line)}".rstrip() for row, line in enumerate(cells)]
    under = ["-"] * used
    for position in breaks:
        under[_column(position - 1, positions, used)] = "|"
    ends = f"1{positions!s:>{used - 1}}" if used > len(str(positions)) else "1"
    return [*lines, " " * 8 + "+" + "".join(under), " " * _AXIS + ends]


def _columns(values: Sequence[float | None], positions: int, used: int) -> dict[int, float]:
    return {
        _column(position, positions, used): value
        for position, value in enumerate(values)
        if value is not None and math.isfinite(value)
    }


def _column(position: int, positions: int, used: int) -> int:
    return 0 if positions == 1 else round(position * (used - 1) / (positions - 1))


def _label(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if abs(value) < 1000 else f"{value:.1e}"

"""A line chart in plain characters: told apart by mark, not by colour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

BOTH = "#"
_AXIS = 9  # columns of the labels of the vertical axis, with the axis


def text_chart(
    series: Mapping[str, Sequence[float | None]], marks: str, *, width: int, height: int = 8, breaks: Sequence[int] = ()
) -> list[str]:
    """`series` of one length over places 1, 2, ..., as lines of `width` columns at most, and `height` rows plus two.

    Each series is drawn with its own character of `marks`, places that two share with `#`; what is missing is left
    out. Where there are more places than columns, each column shows the last place that falls on it. A `|` in the
    lowest line stands below the place of each of `breaks`. Raises ValueError for a chart without room, or when marks
    and series do not agree in number. Without any finite value the answer is empty.
    """
    columns = width - _AXIS
    if columns < 1 or height < 2 or len(marks) != len(series):
        raise ValueError(f"{len(series)} series, {len(marks)} marks, {width} x {height} characters")
    values = [v for each in series.values() for v in each if v is not None and math.isfinite(v)]
    if not values:
        return []
    low, high = min(values), max(values)
    places = max(len(each) for each in series.values())
    step = max(1, min(4, columns // places))
    used = min(columns, (places - 1) * step + 1)
    cells = [[" "] * used for _ in range(height)]
    for mark, each in zip(marks, series.values(), strict=True):
        for column, value in _columns(each, places, used).items():
            share = 0.5 if high == low else (value - low) / (high - low)
            row = height - 1 - round(share * (height - 1))
            cells[row][column] = mark if cells[row][column] in (" ", mark) else BOTH
    labels = {0: high, height - 1: low, (height - 1) // 2: high - (high - low) * ((height - 1) // 2) / (height - 1)}
    if high == low:
        labels = {height - 1 - round(0.5 * (height - 1)): high}
    lines = [f"{_label(labels.get(row)):>7} |{''.join(line)}".rstrip() for row, line in enumerate(cells)]
    under = ["-"] * used
    for place in breaks:
        under[_column(place - 1, places, used)] = "|"
    ends = f"1{places!s:>{used - 1}}" if used > len(str(places)) else "1"
    return [*lines, " " * 8 + "+" + "".join(under), " " * _AXIS + ends]


def _columns(values: Sequence[float | None], places: int, used: int) -> dict[int, float]:
    return {
        _column(place, places, used): value
        for place, value in enumerate(values)
        if value is not None and math.isfinite(value)
    }


def _column(place: int, places: int, used: int) -> int:
    return 0 if places == 1 else round(place * (used - 1) / (places - 1))


def _label(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if abs(value) < 1000 else f"{value:.1e}"

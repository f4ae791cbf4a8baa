"""Renders a curve over training images for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from benchmark.evidence.estimate import Estimate
from reports.render.terminal.table import escape, plain_table
from reports.results.training_size.figures import TrainingSizeCurve
from reports.results.training_size.text import answers, cells, description, heads, notes
from reports.text import number

_WIDTH = 50


def curve_view(curve: TrainingSizeCurve) -> RenderableType:
    """Render the points as a table and a chart of intervals, then what more images would probably add."""
    *whole, last = heads(curve)
    table = plain_table(whole=(*whole, last), title=escape(curve.title))
    for column in table.columns[:-1]:
        column.justify = "right"
    for point in curve.points:
        table.add_row(*map(escape, cells(point)))
    lines = [*answers(curve), *(f"note: {note}" for note in notes(curve))]
    return Group(escape(description(curve)), table, *map(Text, interval_chart(curve)), *map(escape, lines))


def interval_chart(curve: TrainingSizeCurve, width: int = _WIDTH) -> list[str]:
    """Draw the interval of each size in plain characters: `o` measured, `~` extrapolated.

    Args:
        curve: The curve.
        width: Columns of the scale.

    Returns:
        A line per size and forecast, then the ends of the scale; none if there is no figure.
    """
    rows: list[tuple[int, str, Estimate]] = [(point.images, "o", point.figure) for point in curve.points]
    rows += [(forecast.images, "~", forecast.figure) for forecast in curve.extrapolation.forecasts]
    ends = [x for _, _, each in rows for x in (each.value, each.low, each.high) if x is not None]
    if not ends:
        return []
    least, greatest = min(ends), max(ends)
    label = max(len(f"{images:,}") for images, _, _ in rows)

    def column(value: float) -> int:
        return round((value - least) / (greatest - least) * (width - 1)) if greatest > least else width // 2

    lines = []
    for images, mark, figure in rows:
        line = [" "] * width
        if figure.bounds is not None:
            first, last = map(column, figure.bounds)
            line[first : last + 1] = "-" * (last + 1 - first)
        if figure.value is not None:
            line[column(figure.value)] = mark
        lines.append(f"{images:>{label},} |{''.join(line)}".rstrip())
    low, high = number(least), number(greatest)
    return [*lines, f"{'':{label}} +{'-' * width}", f"{'':{label}}  {low}{high:>{max(1, width - len(low))}}"]

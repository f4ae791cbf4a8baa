"""Curves over training images in a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.figures.drawn import drawn_svg
from reports.figures.svg import inline_svg
from reports.figures.training_size import training_size_figure
from reports.results.training_size.figures import TrainingSizeCurve
from reports.results.training_size.text import ALT, answers, cells, description, heading, heads, notes


@dataclass(frozen=True)
class TrainingSizeView:
    """One curve.

    Attributes:
        heading: The card, and where there are several of its curves, the data and the protocol.
        description: What it shows.
        heads: The heads of the table.
        rows: Its cells.
        svg: The picture.
        lines: What more images would probably add, and notes.
    """

    heading: str
    description: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    svg: Markup
    lines: tuple[str, ...]


def training_size_views(curves: Sequence[TrainingSizeCurve]) -> tuple[TrainingSizeView, ...]:
    """Render each curve of a report for a page."""
    return tuple(
        TrainingSizeView(
            heading=heading(curve, curves),
            description=description(curve),
            heads=heads(curve),
            rows=tuple(tuple(cells(point)) for point in curve.points),
            svg=Markup(
                inline_svg(drawn_svg(training_size_figure, curve), heading(curve, curves), ALT, key=f"curve-{number}")
            ),
            lines=(*answers(curve), *notes(curve)),
        )
        for number, curve in enumerate(curves)
    )

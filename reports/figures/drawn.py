"""Figures drawn once: the SVG of a figure is cached by the data that it shows.

Drawing takes most of the time of a report. The page, the files beside report.md, and the next report of the same runs
show the same figures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec

from reports.content_cache import ContentCache
from reports.figures.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KIND = "figures"
MOST = 4000
"""Most figures in the cache, about 40 MiB."""

_P = ParamSpec("_P")


def drawn_svg(draw: Callable[_P, Figure], *data: _P.args, **options: _P.kwargs) -> str:
    """Draw a figure, or read it from the cache if the same data were drawn by the same code before.

    Args:
        draw: A function of this package.
        data: What it draws.
        options: The same, by name.

    Returns:
        The figure as `reports.figures.svg.to_svg` writes it.
    """
    figures = ContentCache(KIND, ".svg", MOST)
    path = figures.path(f"{draw.__module__}.{draw.__qualname__}", (data, options))
    svg = figures.read(path)
    if svg.startswith("<svg") and svg.endswith("</svg>"):
        return svg
    svg = to_svg(draw(*data, **options))
    figures.write(path, svg)
    return svg

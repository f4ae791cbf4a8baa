"""A gallery as one picture beside a report: a row a group, each image beside its map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from reports.figures.glyphs import drawable, with_numbers
from reports.figures.svg import styled
from reports.gallery.gallery import Gallery, Tile
from reports.gallery.tiles import LARGE, colour_bar, pixels_of
from reports.text import one_line

_DPI = 110
_CELL = (3.05, 2.08)  # inches of an image beside its map, with its caption
_FITS = 56  # characters of a caption that fit below an image
_LONGEST = 38  # characters of a name that fit below an image


@styled
def grid(shown: Gallery) -> Figure:
    """The groups of `shown` that have images, a row each, with the caption below each image."""
    groups = [group for group in shown.groups if group.tiles]
    columns = max((len(group.tiles) for group in groups), default=1)
    rows = max(1, len(groups))
    width, head, row = 0.1 + columns * _CELL[0], 0.55, _CELL[1]
    figure = Figure(figsize=(width, head + rows * row))
    height = figure.get_figheight()
    _head(figure, shown, height)
    for number, group in enumerate(groups):
        top = height - head - number * row
        figure.text(0.1 / width, (top - 0.16) / height, group.title, weight="bold", fontsize=10)
        for place, tile in enumerate(group.tiles):
            left = 0.1 + place * _CELL[0]
            box = (left / width, (top - 0.26 - 1.4) / height, 2.85 / width, 1.4 / height)
            _draw(figure.add_axes(box), tile)
    return figure


def write_grid(shown: Gallery, path: Path) -> Path:
    """Write `grid(shown)` as PNG; folders are made.

    Raises OSError.
    """
    figure = grid(shown)
    figure.set_dpi(_DPI)
    figure.set_facecolor("white")
    canvas = FigureCanvasAgg(figure)
    with drawable(figure):
        canvas.draw()
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).save(path)
    return path


def _head(figure: Figure, shown: Gallery, height: float) -> None:
    width = figure.get_figwidth()
    title = f"{one_line(shown.card)}, seed {shown.seed}: test images, decided at {shown.threshold:.3g}"
    figure.text(0.1 / width, (height - 0.2) / height, title, fontsize=11.5, weight="bold")
    source = one_line(shown.data) + (" (SYNTHETIC)" if shown.synthetic else "")
    figure.text(0.1 / width, (height - 0.4) / height, source, fontsize=8.5)
    if shown.layer is not None:
        axes = figure.add_axes(((width - 2.2) / width, (height - 0.24) / height, 1.4 / width, 0.1 / height))
        axes.imshow(colour_bar(280, 20), aspect="auto")
        axes.set_axis_off()
        figure.text((width - 2.28) / width, (height - 0.24) / height, "Grad-CAM  weak", fontsize=8.5, ha="right")
        figure.text((width - 0.74) / width, (height - 0.24) / height, "strong", fontsize=8.5)


def _draw(axes: Axes, tile: Tile) -> None:
    image = _framed(pixels_of(tile.image))
    beside = np.full_like(image, 244) if tile.overlay is None else _framed(pixels_of(tile.overlay))
    gap = np.full((len(image), 4, 3), 255, np.uint8)
    axes.imshow(
        np.concatenate([image, gap, beside], axis=1),
        interpolation="bilinear",
        aspect="equal",
        extent=(0, 2.85, 0, 1.41),
    )
    axes.set_axis_off()
    mark = "\N{CHECK MARK} right" if tile.right else "\N{MULTIPLICATION X} WRONG"
    small = min(1.0, _FITS / max(1, len(with_numbers(tile.caption))))  # long class names would run into the next image
    axes.text(0, -0.05, tile.caption, fontsize=7.3 * small, va="top", transform=axes.transData)
    axes.text(0, -0.19, mark, fontsize=7.3, va="top", weight="bold")
    axes.text(
        0.78, -0.19, _name(tile.name) + (" (even map)" if tile.even else ""), fontsize=6.8, va="top", color="#52606d"
    )
    if tile.overlay is None and tile.overlay_reason:
        axes.text(2.14, 0.7, "empty map:\nnothing speaks for\nthe decision", fontsize=7.5, ha="center", va="center")


def _framed(image: np.ndarray) -> np.ndarray:
    """`image` scaled onto a square of one size, so that tiles line up."""
    return np.asarray(Image.fromarray(image).resize((2 * LARGE, 2 * LARGE), Image.Resampling.BICUBIC))


def _name(name: str) -> str:
    name = one_line(name.rsplit("/", 1)[-1])
    return name if len(name) <= _LONGEST else f"\N{HORIZONTAL ELLIPSIS}{name[-_LONGEST:]}"

"""Writes the pictures of a report as files beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from reports.figures.card import (
    decision_figure,
    history_figure,
    precision_recall_figure,
    reliability_figure,
    roc_figure,
)
from reports.figures.forest import forest_figure
from reports.figures.pictures import Picture, Pictures
from reports.figures.svg import svg_file
from reports.gallery.gallery import Gallery
from reports.report import Report, Section
from reports.results.curves import CardCurves
from reports.results.probabilities import Probabilities
from zoo.config.atomic import atomic_file
from zoo.config.leftovers import sweep

FOLDER = "figures"


def write_pictures(
    report: Report, folder: Path, galleries: Mapping[str, Gallery] | None = None
) -> tuple[Pictures, ...]:
    """Write the pictures of `report` to `folder`/figures, each file atomically.

    Args:
        report: The report to illustrate.
        folder: The folder of the report.
        galleries: Galleries by run id. Each becomes a folder of WebP tiles; all other pictures are SVG.

    Returns:
        The paths of the pictures, section by section.

    Raises:
        OSError: If a file cannot be written.
    """
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    sweep(folder / FOLDER)
    several = len(report.sections) > 1
    return tuple(
        _write_section(section, folder, f"{number}-" if several else "", galleries or {})
        for number, section in enumerate(report.sections, start=1)
    )


def _write_section(section: Section, folder: Path, prefix: str, galleries: Mapping[str, Gallery]) -> Pictures:
    comparison = None
    if any(card.at_half for card in section.cards):
        alt = (
            "Test accuracy and AUC per card with 95% intervals, and published values; the same figures as in the table."
        )
        comparison = Picture(_write_svg(forest_figure(section.cards), folder, f"{prefix}comparison"), alt)
    cards: dict[str, tuple[Picture, ...]] = {}
    for curves in section.curves:
        runs = [row for row in section.probabilities if row.card == curves.card]
        cards[curves.card] = tuple(
            Picture(_write_svg(figure, folder, f"{prefix}{curves.card}-{name}"), f"{alt} of {curves.card}")
            for name, alt, figure in _card_figures(curves, runs)
        )
    present = [galleries[run.run_id] for run in section.runs if run.run_id in galleries]
    return Pictures(comparison, cards, {each.run_id: _write_tiles(each, folder, prefix) for each in present})


def _card_figures(curves: CardCurves, runs: list[Probabilities]) -> Iterator[tuple[str, str, Figure]]:
    """Figures of a card, each with the end of its file name and the start of its alternative text."""
    yield "history", "Loss and accuracy by epoch, training and validation,", history_figure(curves)
    yield "roc", "ROC curve on test", roc_figure(curves)
    yield "precision-recall", "Precision-recall curve on test", precision_recall_figure(curves)
    if runs:
        yield "reliability", "Reliability diagram on test, before and after calibration,", reliability_figure(runs)
        yield "decision", "Decision curve on test", decision_figure(runs)


def _write_tiles(gallery: Gallery, folder: Path, prefix: str) -> str:
    """Write the tiles of `gallery` and return their folder, relative to `folder`."""
    path = f"{FOLDER}/{prefix}gallery-{gallery.folder}"
    for group in gallery.groups:
        for name, tile in group.named():
            _write(folder / path / f"{name}.webp", tile.image)
            if tile.overlay is not None:
                _write(folder / path / f"{name}-map.webp", tile.overlay)
    return path


def _write_svg(figure: Figure, folder: Path, name: str) -> str:
    """Write `figure` and return its path, relative to `folder`."""
    path = f"{FOLDER}/{name}.svg"
    _write(folder / path, svg_file(figure).encode("utf-8"))
    return path


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as part:
        part.write_bytes(content)

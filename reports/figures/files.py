"""The pictures of a report as files beside it."""

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


def draw(report: Report, folder: Path, galleries: Mapping[str, Gallery] | None = None) -> tuple[Pictures, ...]:
    """Write the pictures of `report` below `folder`/figures, each whole or not at all.

    Args:
        report: What the pictures show.
        folder: Where the report itself goes.
        galleries: Of some of its runs, by run id; a folder of WebP tiles each. All other pictures are SVG.

    Returns:
        Where the pictures of each section are.

    Raises:
        OSError: If a file cannot be written.
    """
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    sweep(folder / FOLDER)
    several = len(report.sections) > 1
    return tuple(
        _of_section(section, folder, f"{number}-" if several else "", galleries or {})
        for number, section in enumerate(report.sections, start=1)
    )


def _of_section(section: Section, folder: Path, before: str, galleries: Mapping[str, Gallery]) -> Pictures:
    comparison = None
    if any(card.at_half for card in section.cards):
        alt = (
            "Test accuracy and AUC of every card with 95% intervals, and what was published; the table above has them."
        )
        comparison = Picture(_svg(forest_figure(section.cards), folder, f"{before}comparison"), alt)
    cards: dict[str, tuple[Picture, ...]] = {}
    for curves in section.curves:
        runs = [row for row in section.probabilities if row.card == curves.card]
        drawn = _of_card(curves, runs)
        cards[curves.card] = tuple(
            Picture(_svg(figure, folder, f"{before}{curves.card}-{name}"), f"{alt} of {curves.card}")
            for name, alt, figure in drawn
        )
    shown = [galleries[run.run_id] for run in section.runs if run.run_id in galleries]
    return Pictures(comparison, cards, {gallery.run_id: _tiles(gallery, folder, before) for gallery in shown})


def _of_card(curves: CardCurves, runs: list[Probabilities]) -> Iterator[tuple[str, str, Figure]]:
    """The figures of a card with the end of their file's name and what they show."""
    yield "history", "Loss and accuracy by epoch, training and validation,", history_figure(curves)
    yield "roc", "ROC curve on test", roc_figure(curves)
    yield "precision-recall", "Precision-recall curve on test", precision_recall_figure(curves)
    if runs:
        yield "reliability", "Reliability diagram on test, before and after calibration,", reliability_figure(runs)
        yield "decision", "Decision curve on test", decision_figure(runs)


def _tiles(gallery: Gallery, folder: Path, before: str) -> str:
    """The path, relative to `folder`, of the folder with the pictures of `gallery` as files."""
    path = f"{FOLDER}/{before}gallery-{gallery.folder}"
    for group in gallery.groups:
        for name, tile in group.named():
            _write(folder / path / f"{name}.webp", tile.image)
            if tile.overlay is not None:
                _write(folder / path / f"{name}-map.webp", tile.overlay)
    return path


def _svg(figure: Figure, folder: Path, name: str) -> str:
    """The path, relative to `folder`, of `figure` as a file."""
    path = f"{FOLDER}/{name}.svg"
    _write(folder / path, svg_file(figure).encode("utf-8"))
    return path


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as part:
        part.write_bytes(content)

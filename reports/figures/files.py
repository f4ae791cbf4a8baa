"""The pictures of a report as files beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
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
from reports.figures.svg import save
from reports.gallery.gallery import Gallery
from reports.gallery.grid import write_grid
from reports.report import Report, Section
from reports.results.curves import CardCurves
from reports.results.probabilities import Probabilities
from zoo.config.atomic import atomic_file
from zoo.config.leftovers import sweep

FOLDER = "figures"


def draw(report: Report, folder: Path, galleries: Mapping[str, Gallery] | None = None) -> tuple[Pictures, ...]:
    """Write the pictures of `report` in `folder`/figures, each whole or not at all, and say where they are: SVG, and
    PNG of the `galleries` of its runs, by run id.

    Raises OSError.
    """
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    sweep(folder / FOLDER)
    found = []
    for place, section in enumerate(report.sections, start=1):
        before = "" if len(report.sections) == 1 else f"{place}-"
        found.append(_of_section(section, folder, before, galleries or {}))
    return tuple(found)


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
    grids = {
        run.run_id: _whole(folder, f"{before}gallery-{shown.file_name}", partial(write_grid, shown))
        for run in section.runs
        if (shown := galleries.get(run.run_id)) is not None
    }
    return Pictures(comparison, cards, grids)


def _of_card(curves: CardCurves, runs: list[Probabilities]) -> Iterator[tuple[str, str, Figure]]:
    """The figures of a card with the end of their file's name and what they show."""
    yield "history", "Loss and accuracy by epoch, training and validation,", history_figure(curves)
    yield "roc", "ROC curve on test", roc_figure(curves)
    yield "precision-recall", "Precision-recall curve on test", precision_recall_figure(curves)
    if runs:
        yield "reliability", "Reliability diagram on test, before and after calibration,", reliability_figure(runs)
        yield "decision", "Decision curve on test", decision_figure(runs)


def _svg(figure: Figure, folder: Path, name: str) -> str:
    return _whole(folder, f"{name}.svg", partial(save, figure))


def _whole(folder: Path, name: str, write: Callable[[Path], object]) -> str:
    """The path, relative to `folder`, of what `write` wrote beside its place before it was moved there."""
    with atomic_file(folder / FOLDER / name) as part:
        write(part)
    return f"{FOLDER}/{name}"

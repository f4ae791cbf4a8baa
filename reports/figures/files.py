"""Writes the pictures of a report as files beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from reports.figures.card import (
    decision_figure,
    history_figure,
    precision_recall_figure,
    reliability_figure,
    roc_figure,
)
from reports.figures.drawn import drawn_svg
from reports.figures.forest import forest_figure
from reports.figures.multiclass import (
    class_areas,
    class_roc_figure,
    matrix_figure,
    multiclass_forest_figure,
    top_label_figure,
)
from reports.figures.pictures import Picture, Pictures
from reports.figures.svg import svg_file
from reports.figures.training_size import training_size_figure
from reports.gallery.gallery import Gallery
from reports.report import Report, Section
from reports.results.comparison.card_figures import CardFigures
from reports.results.curves import CardCurves
from reports.results.multiclass.figures import MulticlassCard
from reports.results.probabilities import Probabilities
from reports.results.training_size.text import ALT, heading
from zoo.config.atomic import atomic_file
from zoo.config.leftovers import sweep

FOLDER = "figures"
_TWO_CLASSES = (
    "Test accuracy and AUC per card with 95% intervals, and published values; the same figures as in the table."
)
_SEVERAL_CLASSES = (
    "Test accuracy, balanced accuracy and macro AUC per card with 95% intervals, published values, and the recall of "
    "each class."
)


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


def write_curves(report: Report, folder: Path) -> dict[str, Picture]:
    """Write the pictures of curves over training images to `folder`/figures.

    Args:
        report: The report to illustrate.
        folder: The folder of the report.

    Returns:
        The picture of each curve by its heading.

    Raises:
        OSError: If a file cannot be written.
    """
    curves = report.training_sizes
    return {
        heading(curve, curves): Picture(
            _write_svg(drawn_svg(training_size_figure, curve), folder, f"training-images-{number}-{curve.card}"), ALT
        )
        for number, curve in enumerate(curves, start=1)
    }


def _write_section(section: Section, folder: Path, prefix: str, galleries: Mapping[str, Gallery]) -> Pictures:
    comparison = None
    if any(card.at_half for card in section.cards):
        several = len(section.classes) > 2
        alt = _SEVERAL_CLASSES if several else _TWO_CLASSES
        svg = drawn_svg(multiclass_forest_figure if several else forest_figure, section.cards)
        comparison = Picture(_write_svg(svg, folder, f"{prefix}comparison"), alt)
    cards = {
        card: tuple(
            Picture(_write_svg(svg, folder, f"{prefix}{card}-{name}"), f"{alt} of {card}") for name, alt, svg in figures
        )
        for card, figures in _figures_by_card(section)
    }
    present = [galleries[run.run_id] for run in section.runs if run.run_id in galleries]
    return Pictures(comparison, cards, {each.run_id: _write_tiles(each, folder, prefix) for each in present})


def _figures_by_card(section: Section) -> Iterator[tuple[str, Iterator[tuple[str, str, str]]]]:
    if section.multiclass is not None:
        by_name = {figures.card.name: figures for figures in section.cards}
        for part in section.multiclass.cards:
            yield part.card, _multiclass_figures(part, by_name[part.card], section.multiclass.classes)
        return
    for curves in section.curves:
        runs = tuple(row for row in section.probabilities if row.card == curves.card)
        yield curves.card, _card_figures(curves, runs)


def _multiclass_figures(
    part: MulticlassCard, figures: CardFigures, classes: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    """As `_card_figures`, for three or more classes."""
    yield "history", "Loss and accuracy by epoch, training and validation,", drawn_svg(history_figure, part)
    yield "matrix", "Confusion matrix on test", drawn_svg(matrix_figure, (part.chosen or part.argmax).total, classes)
    yield (
        "roc",
        "ROC curve of each class on test",
        drawn_svg(class_roc_figure, part.curves, class_areas(figures, classes)),
    )
    if part.probabilities:
        yield (
            "reliability",
            "Reliability of the predicted class on test,",
            drawn_svg(top_label_figure, part.probabilities),
        )


def _card_figures(curves: CardCurves, runs: tuple[Probabilities, ...]) -> Iterator[tuple[str, str, str]]:
    """Figures of a card, each with the end of its file name and the start of its alternative text."""
    yield "history", "Loss and accuracy by epoch, training and validation,", drawn_svg(history_figure, curves)
    yield "roc", "ROC curve on test", drawn_svg(roc_figure, curves)
    yield "precision-recall", "Precision-recall curve on test", drawn_svg(precision_recall_figure, curves)
    if runs:
        yield (
            "reliability",
            "Reliability diagram on test, before and after calibration,",
            drawn_svg(reliability_figure, runs),
        )
        yield "decision", "Decision curve on test", drawn_svg(decision_figure, runs)


def _write_tiles(gallery: Gallery, folder: Path, prefix: str) -> str:
    """Write the tiles of `gallery` and return their folder, relative to `folder`."""
    path = f"{FOLDER}/{prefix}gallery-{gallery.folder}"
    for group in gallery.groups:
        for name, tile in group.named():
            _write(folder / path / f"{name}.webp", tile.image)
            if tile.overlay is not None:
                _write(folder / path / f"{name}-map.webp", tile.overlay)
            if tile.true_overlay is not None:
                _write(folder / path / f"{name}-true-map.webp", tile.true_overlay)
    return path


def _write_svg(svg: str, folder: Path, name: str) -> str:
    """Write a figure and return its path, relative to `folder`."""
    path = f"{FOLDER}/{name}.svg"
    _write(folder / path, svg_file(svg).encode("utf-8"))
    return path


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as part:
        part.write_bytes(content)

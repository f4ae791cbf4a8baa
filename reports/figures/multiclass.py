"""Figures of three or more classes: the comparison of cards, ROC curves by class, and the matrix of decisions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.metrics.keys import MeasureKey
from reports.figures.card import draw_reliability_pair, placeholder, square
from reports.figures.forest import draw_forest
from reports.figures.style import COLOURS, new_figure, styled
from reports.results.comparison.card_figures import CardFigures
from reports.results.multiclass.figures import ClassCurves, ClassMatrix, MulticlassProbabilities

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_METRICS = (("accuracy", "accuracy"), ("balanced_accuracy", "balanced accuracy"), ("auc:macro", "macro AUC"))
_IN_ONE = 5
"""The largest number of classes whose curves are in one panel; more lines cannot be distinguished."""
_PANELS = 20
"""The largest number of small panels."""
_COLUMNS = 3  # as wide as a phone
_INCHES, _STEP_X, _STEP_Y = 1.3, 1.2, 1.25
"""The side of a small panel in inches, and the distances of their corners in sides."""
_GAP = (math.nan, math.nan)
_LETTERS = 20
"""The largest number of letters of the name of a class in a figure."""
_LINES = (
    (COLOURS["accent"], "-"),
    (COLOURS["accent-2"], (0, (5, 2))),
    (COLOURS["ink"], (0, (1, 1.5))),
    (COLOURS["muted"], (0, (5, 1.5, 1, 1.5))),
    (COLOURS["accent"], (0, (2, 2))),
)
"""Colour and dashes of the lines of one panel, which differ without colour too."""
_PAD = 0.03
"""Distance of the lowest recall from the edge of its panel, as a share."""
_DARK = 0.3
"""From this share on the text of a cell is light."""


@styled
def multiclass_forest_figure(cards: Sequence[CardFigures]) -> Figure:
    """Draw accuracy, balanced accuracy and macro AUC per card as means over seeds with 95% intervals.

    Small upright lines are the recalls of the classes, whose mean is the balanced accuracy.

    Args:
        cards: At least one card, from top to bottom.

    Returns:
        Three panels, one per metric.
    """
    figure = draw_forest(cards, _METRICS)
    axes = figure.axes[1]
    recalls = [
        (value, row)
        for row, card in enumerate(cards)
        for key, each in card.at_half.items()
        if _is_recall(key) and (value := each.value) is not None
    ]
    if recalls:
        label = "recall of each class"
        axes.set_xlim(left=min(axes.get_xlim()[0], min(value for value, _ in recalls) - _PAD))
        axes.plot(*zip(*recalls, strict=True), "|", color=COLOURS["muted"], markersize=7, zorder=1, label=label)
        figure.legends[0].remove()
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower left", ncols=3, borderaxespad=0.1)
    return figure


@styled
def class_roc_figure(classes: Sequence[ClassCurves], areas: Mapping[str, Estimate | None]) -> Figure:
    """Draw the ROC curve of each class against the rest, as the mean over seeds.

    Args:
        classes: The curves of each class.
        areas: The area under the curve by name of class.

    Returns:
        One panel for up to five classes; small panels for more, of at most 20 classes, those with the smallest areas.
    """
    with_curve = [each for each in classes if each.roc is not None]
    if not with_curve:
        return placeholder(new_figure(figsize=(4.0, 4.0)), next((each.reason for each in classes), None))
    if len(classes) <= _IN_ONE:
        return _one_panel(with_curve, areas)
    return _small_panels(sorted(with_curve, key=lambda each: _value(areas.get(each.name)))[:_PANELS], areas, classes)


@styled
def top_label_figure(runs: Sequence[MulticlassProbabilities]) -> Figure:
    """Draw the share of correct images against the mean score of the predicted class, before and after calibration.

    Top-label reliability after Guo et al. (2017).

    Args:
        runs: The runs of one card, at least one.

    Returns:
        A reliability diagram with 95% intervals, as scored on the left and calibrated on the right.
    """
    before = [run.before.top_label for run in runs]
    after = [run.after.top_label for run in runs if run.after is not None]
    return draw_reliability_pair(before, after, "share of correct images")


@styled
def matrix_figure(matrix: ClassMatrix, classes: Sequence[str]) -> Figure:
    """Draw the matrix of decisions: rows are true classes, columns predicted ones.

    The shade of a cell grows with the square root of its share of the row.

    Args:
        matrix: The counts and shares.
        classes: The names of the k classes.

    Returns:
        One panel; each cell has its share in percent and its count, and none if the count is 0.
    """
    abstains = any(matrix.abstained)
    from matplotlib.colors import LinearSegmentedColormap

    count, columns = len(classes), len(classes) + abstains
    names = [_short(name) for name in classes]
    longest = max(map(len, names))
    side = 0.52
    left, bottom = min(3.0, 0.75 + 0.075 * longest), min(3.0, 0.55 + 0.07 * longest)
    size = (left + side * columns + 0.15, bottom + side * count + 0.15)
    figure = new_figure(figsize=size)
    axes = figure.add_axes((left / size[0], bottom / size[1], side * columns / size[0], side * count / size[1]))
    shares = [
        [share or 0.0 for share in row] + ([_share(extra, sum(counts) + extra)] if abstains else [])
        for row, counts, extra in zip(matrix.by_row, matrix.counts, matrix.abstained, strict=True)
    ]
    roots = np.sqrt(shares)
    shades = LinearSegmentedColormap.from_list("shares", [COLOURS["paper"], COLOURS["accent"]])
    axes.pcolormesh(roots, cmap=shades, vmin=0, vmax=1, edgecolors=COLOURS["grid"], linewidth=0.6, antialiased=True)
    for row in range(count):
        counts = (*matrix.counts[row], *([matrix.abstained[row]] if abstains else []))
        for column, n in enumerate(counts):
            if n:
                _label_cell(axes, row, column, shares[row][column], n)
    axes.set_xticks([x + 0.5 for x in range(columns)], [*names, *(["abstained"] if abstains else [])])
    if longest > 4:
        axes.tick_params(axis="x", rotation=90)
    axes.set_yticks([y + 0.5 for y in range(count)], names)
    axes.set_ylim(count, 0)
    axes.grid(visible=False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    return figure


def class_areas(figures: CardFigures, classes: Sequence[str]) -> dict[str, Estimate | None]:
    """The area under the ROC curve of each class by its name; None where `figures` has none.

    Args:
        figures: The figures of a card.
        classes: The names of the classes.

    Returns:
        The areas.
    """
    return {name: figures.at_half.get(str(MeasureKey("auc", of_class=name))) for name in classes}


def _is_recall(key: str) -> bool:
    parsed = MeasureKey.parse(key)
    return parsed.metric == "recall" and parsed.of_class is not None


def _short(name: str) -> str:
    """A name of a class that fits in a figure, without characters that change the direction of text."""
    plain = "".join(c if c.isprintable() else " " for c in name)
    return plain if len(plain) <= _LETTERS else f"{plain[: _LETTERS - 1]}…"


def _value(area: Estimate | None) -> float:
    return 1.0 if area is None or area.value is None else area.value


def _share(count: int, total: int) -> float:
    return count / total if total else 0.0


def _label_cell(axes: Axes, row: int, column: int, share: float, count: int) -> None:
    colour = COLOURS["paper"] if share >= _DARK else COLOURS["ink"]
    weight = "bold" if row == column else "normal"
    percent = "<1%" if share < 0.005 else f"{100 * share:.0f}%"
    axes.text(column + 0.5, row + 0.42, percent, ha="center", va="center", color=colour, weight=weight, fontsize=8.5)
    axes.text(column + 0.5, row + 0.76, f"{count:,}", ha="center", va="center", color=colour, fontsize=6.5)


def _area_text(name: str, area: Estimate | None) -> str:
    if area is None or area.value is None:
        return name
    ends = "" if area.bounds is None else f" ({area.bounds[0]:.3f}–{area.bounds[1]:.3f})"
    return f"{name} {area.value:.3f}{ends}"


def _one_panel(classes: Sequence[ClassCurves], areas: Mapping[str, Estimate | None]) -> Figure:
    figure, axes = square("1 \N{MINUS SIGN} specificity (false positive rate)", "recall (sensitivity)")
    axes.plot([0, 1], [0, 1], color=COLOURS["muted"], linestyle=(0, (1, 2)), linewidth=1.2)
    for each, (colour, dashes) in zip(classes, _LINES, strict=False):
        assert each.roc is not None
        label = _area_text(_short(each.name), areas.get(each.name))
        axes.plot(each.roc.x, each.roc.y, color=colour, linestyle=dashes, label=label)
    axes.legend(loc="lower right", title="AUC against the rest", alignment="left", title_fontsize=8.5)
    return figure


def _small_panels(
    classes: Sequence[ClassCurves], areas: Mapping[str, Estimate | None], every: Sequence[ClassCurves]
) -> Figure:
    """Small panels in the order of `every`, drawn within one, which takes a fifth of the time."""
    names = {each.name for each in classes}
    ordered = [each for each in every if each.name in names]
    columns = min(_COLUMNS, len(ordered))
    rows = math.ceil(len(ordered) / columns)
    figure = new_figure(figsize=(_INCHES * (columns * _STEP_X + 0.2), _INCHES * (rows * _STEP_Y + 0.25)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-0.35, columns * _STEP_X - 0.15)
    axes.set_ylim(-(rows - 1) * _STEP_Y - 0.38, _STEP_Y - 0.13)
    frames: list[tuple[float, float]] = []
    chances: list[tuple[float, float]] = []
    curves: list[tuple[float, float]] = []
    small: dict[str, Any] = {"fontsize": 9, "color": COLOURS["muted"]}
    for place, each in enumerate(ordered):
        assert each.roc is not None
        x, y = place % columns * _STEP_X, -(place // columns) * _STEP_Y
        frames += [(x, y + 1), (x, y), (x + 1, y), _GAP]
        chances += [(x, y), (x + 1, y + 1), _GAP]
        curves += [(x + right, y + up) for right, up in zip(each.roc.x, each.roc.y, strict=True)] + [_GAP]
        axes.text(x, y + 1.05, _short(each.name), fontsize=10)
        area = areas.get(each.name)
        if area is not None and area.value is not None:
            axes.text(x + 0.97, y + 0.05, f"{area.value:.3f}", ha="right", fontsize=10)
        for at, tick in ((0, "0"), (0.5, "0.5"), (1, "1")):
            if place + columns >= len(ordered):
                axes.text(x + at, y - 0.04, tick, ha="center", va="top", **small)
            if place % columns == 0:
                axes.text(x - 0.04, y + at, tick, ha="right", va="center", **small)
    axes.plot(*zip(*frames, strict=True), color=COLOURS["muted"], linewidth=0.8)
    axes.plot(*zip(*chances, strict=True), color=COLOURS["muted"], linestyle=(0, (1, 2)), linewidth=1)
    axes.plot(*zip(*curves, strict=True), color=COLOURS["accent"], linewidth=1.3)
    axes.text(0.5, -(rows - 1) * _STEP_Y - 0.3, "1 \N{MINUS SIGN} specificity", ha="center", fontsize=10)
    axes.text(-0.3, 0.5, "recall", rotation=90, va="center", ha="center", fontsize=10)
    return figure

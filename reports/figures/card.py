"""Figures of one card: training history, ROC, precision-recall, reliability and decision curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from benchmark.evidence.calibration.reliability import Reliability
from benchmark.evidence.intervals.seeds import SeedFigure
from reports.figures.style import COLOURS, new_figure, styled
from reports.results.curves import CardCurves, Curve, SeedHistory
from reports.results.probabilities import Probabilities

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, ACCENT, SECOND, PAPER = (COLOURS[name] for name in ("ink", "muted", "accent", "accent-2", "paper"))
_DASHED = (0, (3.5, 2))
_DOTTED = (0, (1, 2))
_WIDE_RANGE = 20  # the loss axis is logarithmic above this ratio of the largest to the smallest loss
_LEGEND_BELOW = 0.4  # the legend fits below the curve if precision never falls below this
_GAP = 0.09  # least distance of the labels at the ends of lines, as a share of the axis


class HasHistory(Protocol):
    """A card with epochs by seed."""

    @property
    def history(self) -> Sequence[SeedHistory]:
        """The epochs of each seed, and of each fold."""


@styled
def history_figure(curves: HasHistory) -> Figure:
    """Draw loss and accuracy by epoch, training dashed and validation solid, one line per seed, or per fold of a seed.

    A dotted line marks the start of each later phase. The loss axis is logarithmic if the losses span more than a
    factor of 20.

    Args:
        curves: The card's epochs by seed and fold.

    Returns:
        Two panels, or a text if no epochs were recorded.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(figsize=(4.0, 4.0))
    loss, accuracy = figure.subplots(2, 1, sharex=True)
    figure.subplots_adjust(left=0.15, right=0.81, top=0.94, bottom=0.115, hspace=0.14)
    if not any(seed.epochs for seed in curves.history):
        return placeholder(figure, "no epochs were recorded")
    _lines(loss, curves.history, "loss")
    values = [v for seed in curves.history for v in (*seed.loss, *seed.val_loss) if v is not None]
    if values and min(values) > 0 and max(values) / min(values) > _WIDE_RANGE:
        loss.set_yscale("log")
    loss.set_ylabel("loss" + (", log scale" if loss.get_yscale() == "log" else ""))
    _lines(accuracy, curves.history, "accuracy")
    shares = [v for seed in curves.history for v in (*seed.accuracy, *seed.val_accuracy) if v is not None]
    accuracy.set_ylim(max(0.0, min([0.45, *(share - 0.05 for share in shares)])), 1.02)
    accuracy.set_ylabel("accuracy")
    accuracy.set_xlabel("epoch")
    accuracy.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    last = max(seed.epochs[-1] for seed in curves.history if seed.epochs)
    accuracy.set_xlim(*((1, last) if last > 1 else (0.5, 1.5)))
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        _mark_phases(axes, curves.history, named=axes is loss)
        _label_ends(axes, curves.history, name)
    return figure


@styled
def roc_figure(curves: CardCurves) -> Figure:
    """Draw recall against the false positive rate: mean over seeds, 95% band, operating points per seed."""
    figure, axes = square("1 \N{MINUS SIGN} specificity (false positive rate)", "recall (sensitivity)")
    if curves.roc is None:
        return placeholder(figure, curves.reason)
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=_DOTTED, linewidth=1.2)
    axes.text(0.58, 0.565, "chance", color=MUTED, rotation=45, ha="center", va="top", rotation_mode="anchor")
    _draw(axes, curves.roc, "AUC", curves.auc)
    for chosen in (False, True):
        positions = [
            (1 - point.specificity, point.recall)
            for point in curves.points
            if point.chosen == chosen and point.specificity is not None and point.recall is not None
        ]
        _mark_points(axes, positions, chosen)
    axes.legend(loc="lower right")
    return figure


@styled
def precision_recall_figure(curves: CardCurves) -> Figure:
    """Draw precision against recall: mean over seeds, its 95% band, and the prevalence as the baseline."""
    figure, axes = square("recall (sensitivity)", "precision (positive predictive value)")
    if curves.precision_recall is None:
        return placeholder(figure, curves.reason)
    axes.axhline(
        curves.prevalence, color=MUTED, linestyle=_DOTTED, linewidth=1.2, label=f"prevalence {curves.prevalence:.2f}"
    )
    _draw(axes, curves.precision_recall, "average precision", curves.average_precision)
    for chosen in (False, True):
        positions = [
            (point.recall, point.precision)
            for point in curves.points
            if point.chosen == chosen and point.recall is not None and point.precision is not None
        ]
        _mark_points(axes, positions, chosen)
    lowest = min(curves.prevalence, *curves.precision_recall.y)
    axes.legend(loc="lower left" if lowest > _LEGEND_BELOW else "best")
    return figure


@styled
def reliability_figure(runs: Sequence[Probabilities]) -> Figure:
    """Draw the share of positives against the mean score of each bin, before and after calibration, one line per run.

    Args:
        runs: The runs of one card, at least one.

    Returns:
        A reliability diagram with 95% intervals, as scored on the left and calibrated on the right.
    """
    calibrated = [run.after for run in runs if run.after is not None]
    return draw_reliability_pair([run.before for run in runs], calibrated, "share of positives")


@styled
def decision_figure(runs: Sequence[Probabilities]) -> Figure:
    """Draw net benefit against the threshold probability, one line per run, with "treat all" and "treat none".

    Decision curve analysis after Vickers and Elkin (2006).

    Args:
        runs: The runs of one card, at least one.

    Returns:
        One panel.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(figsize=(4.0, 2.55))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.15, right=0.97, top=0.88, bottom=0.17)
    curve = runs[0].curve
    thresholds = [point.threshold for point in curve.points]
    axes.axhline(0, color=INK, linestyle=_DOTTED, linewidth=1.2, label="treat none")
    axes.plot(
        thresholds, [point.treat_all for point in curve.points], color=MUTED, linestyle=_DASHED, label="treat all"
    )
    for index, run in enumerate(runs):
        label = "" if index else "model" + (f" ({len(runs)} seeds)" if len(runs) > 1 else "")
        axes.plot(
            [point.threshold for point in run.curve.points],
            [math.nan if point.model is None else point.model for point in run.curve.points],
            color=ACCENT,
            label=label or "_",
            linewidth=1.6 if len(runs) == 1 else 1.1,
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.2 * curve.prevalence, max(1.08 * curve.prevalence, 0.01))
    axes.set_xlabel("threshold probability")
    axes.set_ylabel("net benefit (TP per image)")
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, columnspacing=1.2)
    return figure


def draw_reliability_pair(before: Sequence[Reliability], after: Sequence[Reliability], share: str) -> Figure:
    """Draw two reliability diagrams side by side, one line per run.

    Args:
        before: The reliability of the scores of each run, at least one.
        after: The reliability of the calibrated scores of the runs that have some.
        share: The label of the vertical axis.

    Returns:
        Two panels, as scored on the left and calibrated on the right.
    """
    figure = new_figure(figsize=(4.0, 2.55))
    panels = [figure.add_axes((left, 0.205, 0.415, 0.651)) for left in (0.115, 0.565)]
    _draw_reliability(panels[0], before, "uncalibrated")
    title = "calibrated on validation" if len(after) == len(before) else f"{len(after)} calibrated"
    _draw_reliability(panels[1], after, title)
    if not after:
        panels[1].set_title("calibrated", loc="left")
        panels[1].text(0.5, 0.5, "not calibrated:\nno gain on validation", ha="center", va="center", color=MUTED)
    panels[0].set_ylabel(share)
    panels[1].set_yticklabels([])
    figure.text(0.547, 0.03, "mean score per bin", ha="center")
    return figure


def draw_spans(axes: Axes, spans: Sequence[tuple[float, float, float, float]], colour: str) -> None:
    """Draw straight lines as one line with gaps, which makes the file smaller.

    Args:
        axes: Where to draw.
        spans: Start and end of each line as (x, y, x, y), in data units.
        colour: A colour of matplotlib.
    """
    axes.plot(
        [x for start, _, end, _ in spans for x in (start, end, math.nan)],
        [y for _, start, _, end in spans for y in (start, end, math.nan)],
        color=colour,
        linewidth=1,
        solid_capstyle="butt",
    )


def placeholder(figure: Figure, reason: str | None) -> Figure:
    """Replace `figure` by the `reason` why there is none, and return it."""
    figure.clear()
    figure.text(0.5, 0.5, reason or "no data", ha="center", va="center", color=MUTED)
    return figure


def square(x: str, y: str) -> tuple[Figure, Axes]:
    """Return a figure with one square panel over [0, 1], whose axes are labelled `x` and `y`."""
    figure = new_figure(figsize=(4.0, 4.0))
    axes = figure.add_axes((0.125, 0.115, 0.85, 0.85))
    axes.set_aspect("equal")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def _draw(axes: Axes, curve: Curve, name: str, area: SeedFigure) -> None:
    lines = [] if area.seeds == 1 else [f"mean of {area.seeds} seeds"]
    if area.value is not None:
        ends = "" if area.bounds is None else f" ({area.bounds[0]:.3f}–{area.bounds[1]:.3f})"
        lines.append(f"{name} {area.value:.3f}{ends}")
    axes.plot(curve.x, curve.y, color=ACCENT, label="\n".join(lines))
    if curve.low is not None and curve.high is not None:
        axes.fill_between(curve.x, curve.low, curve.high, color=ACCENT, alpha=0.16, linewidth=0, label="95% band")


def _mark_points(axes: Axes, positions: Sequence[tuple[float, float]], chosen: bool) -> None:
    """Mark the operating point of every seed: a circle at 0.5, a filled diamond at the threshold from validation."""
    if positions:
        axes.plot(
            *zip(*positions, strict=True),
            linestyle="",
            marker="D" if chosen else "o",
            markersize=5 if chosen else 7,
            markerfacecolor=INK if chosen else PAPER,
            markeredgecolor=INK,
            markeredgewidth=1.1,
            label="threshold from validation" if chosen else "threshold 0.5",
            clip_on=False,
            zorder=4 if chosen else 3,
        )


def _lines(axes: Axes, history: Sequence[SeedHistory], name: str) -> None:
    thin = 0.7 if any(seed.fold is not None for seed in history) else 1.1
    width = 1.6 if len(history) == 1 else thin
    for seed in history:
        for column, colour, dashes in ((name, SECOND, _DASHED), (f"val_{name}", ACCENT, "-")):
            values = [math.nan if value is None else value for value in getattr(seed, column)]
            axes.plot(seed.epochs, values, color=colour, linestyle=dashes, linewidth=width)
            if len(values) == 1:
                axes.plot(seed.epochs, values, color=colour, marker="o")


def _mark_phases(axes: Axes, history: Sequence[SeedHistory], named: bool) -> None:
    """Draw a line at the start of every phase but the first; name the phases if there are several."""
    begins: dict[str, set[int]] = {}
    for seed in history:
        for first, name in seed.phases:
            begins.setdefault(name, set()).add(first)
    if len(begins) < 2:
        return
    for index, (name, firsts) in enumerate(begins.items()):
        for first in sorted(firsts) if index else ():
            axes.axvline(first - 0.5, color=MUTED, linestyle=_DOTTED, linewidth=1)
        if named:
            x = min(firsts) - 0.5 if index else 1
            axes.text(x, 1.02, name, transform=axes.get_xaxis_transform(), color=MUTED, fontsize=8.5)


def _label_ends(axes: Axes, history: Sequence[SeedHistory], name: str) -> None:
    """Name the lines at their right ends, without overlap."""
    labels = []
    for column, text, colour in ((name, "training", SECOND), (f"val_{name}", "validation", ACCENT)):
        last = [values[-1] for seed in history if (values := getattr(seed, column)) and values[-1] is not None]
        if last:
            height = axes.transAxes.inverted().transform(axes.transData.transform((1, sum(last) / len(last))))[1]
            labels.append([height, text, colour])
    labels.sort()
    if len(labels) == 2 and labels[1][0] - labels[0][0] < _GAP:
        middle = (labels[0][0] + labels[1][0]) / 2
        labels[0][0], labels[1][0] = middle - _GAP / 2, middle + _GAP / 2
    for height, text, colour in labels:
        axes.text(1.02, height, text, transform=axes.transAxes, color=colour, va="center", fontsize=8.5)


def _draw_reliability(axes: Axes, assessed: Sequence[Reliability], title: str) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=_DOTTED, linewidth=1.2)
    for each in assessed:
        scores, shares = [part.mean_score for part in each.curve], [part.share for part in each.curve]
        draw_spans(axes, [(part.mean_score, part.low, part.mean_score, part.high) for part in each.curve], ACCENT)
        axes.plot(scores, shares, color=ACCENT, marker="o", markersize=3.5, linewidth=1.2)
    errors = [each.ece for each in assessed]
    if errors:
        axes.set_title(title, loc="left")
        error = f"{errors[0]:.3f}" if len(errors) == 1 else f"{min(errors):.3f}–{max(errors):.3f}"
        axes.text(0.98, 0.03, f"ECE {error}", ha="right", transform=axes.transAxes, fontsize=8.5)
    axes.set_aspect("equal")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])

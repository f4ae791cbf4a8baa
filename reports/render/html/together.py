"""Charts with the curves of all cards: ROC, calibration and training, as paths that a legend switches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmark.evidence.calibration.reliability import Reliability
from reports.render.html.paths import SIDE, Tick, ordinates, path, shares, whole_numbers
from reports.report import Section
from reports.results.curves import Curve, SeedHistory
from reports.results.mean_curves import mean_roc
from reports.text import number

COLOURS, DASHES = 7, 4
"""The number of colours and of dash patterns in `together.css`; combined they differ for 28 cards."""
_ON_AT_FIRST, _FEW = 3, 4
"""The number of cards that are switched on at first; all cards if there are few."""
_MOST_LINES = 400
"""The largest number of curves of single classes; with more, only those over all classes are drawn."""
_TRAINING_HEIGHT = 220


@dataclass(frozen=True)
class Series:
    """A card of the legend: its place from 0, its AUC as text, and whether it is switched on at first."""

    place: int
    card: str
    title: str
    area: str
    on: bool

    @property
    def style(self) -> str:
        """The classes of its lines: neighbours differ in colour and in dashes."""
        return f"s{self.place} c{self.place % COLOURS} d{(self.place + 2 * (self.place // COLOURS)) % DASHES}"


@dataclass(frozen=True)
class Line:
    """A curve of one card: its path, the dots on it, and the text that a pointer shows."""

    series: Series
    path: str
    dots: tuple[tuple[str, str], ...]
    text: str


@dataclass(frozen=True)
class LineGroup:
    """The curves for one entry of the class switch; `of_class` is None for the entry over all classes."""

    of_class: str | None
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class CommonChart:
    """A chart with the curves of all cards; `term` is the word of the glossary for it, if any."""

    term: str | None
    title: str
    caption: str
    x: str
    y: str
    height: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    groups: tuple[LineGroup, ...]
    diagonal: bool


@dataclass(frozen=True)
class TogetherView:
    """The charts of a section, the cards of their legend and the classes of their switch."""

    series: tuple[Series, ...]
    charts: tuple[CommonChart, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class _CardLines:
    """What the charts show of one card: curves by class (None over all classes), bins by class, and epochs."""

    series: Series
    roc: Mapping[str | None, Curve]
    bins: Mapping[str | None, Sequence[Reliability]]
    history: Sequence[SeedHistory]


def together_view(section: Section, order: Sequence[str], titles: Mapping[str, str]) -> TogetherView | None:
    """The charts with all cards of `section`.

    Args:
        section: The section of the report.
        order: The names of its cards, best first.
        titles: Titles by name of card.

    Returns:
        The charts; None with fewer than two cards with scores.
    """
    cards = list(_lines_by_card(section, order, titles))
    if len(cards) < 2:
        return None
    charts = tuple(chart for chart in _charts(cards, len(section.classes) > 2) if chart.groups)
    classes = dict.fromkeys(group.of_class for chart in charts for group in chart.groups if group.of_class is not None)
    return TogetherView(tuple(each.series for each in cards), charts, tuple(classes))


def _lines_by_card(section: Section, order: Sequence[str], titles: Mapping[str, str]) -> Iterator[_CardLines]:
    areas = {figures.card.name: figures.at_half for figures in section.cards}
    two = {each.card: each for each in section.curves}
    several = {} if section.multiclass is None else {each.card: each for each in section.multiclass.cards}
    names = [name for name in order if name in two or name in several]
    of_classes = len(names) * len(section.classes) <= _MOST_LINES
    for place, name in enumerate(names):
        area = areas[name].get("auc:macro" if several else "auc")
        on = len(names) <= _FEW or place < _ON_AT_FIRST
        series = Series(place, name, titles[name], number(None if area is None else area.value), on)
        if name in two:
            curves = two[name]
            assessed = [each.after or each.before for each in section.probabilities if each.card == name]
            yield _CardLines(series, {} if curves.roc is None else {None: curves.roc}, {None: assessed}, curves.history)
        else:
            card = several[name]
            by_class: dict[str | None, Curve] = {each.name: each.roc for each in card.curves if each.roc is not None}
            mean = mean_roc(list(by_class.values()))
            served = [each.after or each.before for each in card.probabilities]
            roc: dict[str | None, Curve] = {} if mean is None else {None: mean}
            bins: dict[str | None, list[Reliability]] = {None: [each.top_label for each in served]}
            if of_classes:
                roc |= by_class
                bins |= {each: [run.by_class[each] for run in served] for each in section.classes}
            yield _CardLines(series, roc, bins, card.history)


def _charts(cards: Sequence[_CardLines], several: bool) -> Iterator[CommonChart]:
    yield CommonChart(
        term="ROC curve",
        title="ROC curve",
        caption=(
            "Means over seeds. "
            + ("All classes: the mean of their curves. " if several else "")
            + "The 95% bands are in the sections of the cards."
        ),
        x="1 − specificity",
        y="recall",
        height=SIDE,
        x_ticks=shares(),
        y_ticks=shares(upward=True),
        groups=_groups(cards, _roc_lines),
        diagonal=True,
    )
    yield CommonChart(
        term="calibration",
        title="Calibration",
        caption=(
            ("All classes: the share of right decisions by the highest score. " if several else "")
            + "On the diagonal a score is a probability. Calibrated scores where calibration on validation helped."
        ),
        x="mean score per bin",
        y="share of images" if several else "share of positives",
        height=SIDE,
        x_ticks=shares(),
        y_ticks=shares(upward=True),
        groups=_groups(cards, _bins_lines),
        diagonal=True,
    )
    for name, title in (("val_loss", "Validation loss"), ("val_accuracy", "Validation accuracy")):
        chart = _training(cards, name, title)
        if chart is not None:
            yield chart


def _groups(
    cards: Sequence[_CardLines], lines_of: Callable[[_CardLines, str | None], Sequence[Line]]
) -> tuple[LineGroup, ...]:
    """The lines of all cards for each class that some card has, those over all classes first."""
    classes = dict.fromkeys(name for each in cards for name in (*each.roc, *each.bins))
    groups = (LineGroup(name, tuple(line for each in cards for line in lines_of(each, name))) for name in classes)
    return tuple(group for group in groups if group.lines)


def _roc_lines(card: _CardLines, of_class: str | None) -> list[Line]:
    curve = card.roc.get(of_class)
    if curve is None:
        return []
    text = card.series.title if of_class else f"{card.series.title}: AUC {card.series.area}"
    return [
        Line(card.series, path((SIDE * x, SIDE * (1 - y)) for x, y in zip(curve.x, curve.y, strict=True)), (), text)
    ]


def _bins_lines(card: _CardLines, of_class: str | None) -> list[Line]:
    lines = []
    for reliability in card.bins.get(of_class, ()):
        points = [(SIDE * each.mean_score, SIDE * (1 - each.share)) for each in reliability.curve]
        text = f"{card.series.title}: expected calibration error {number(reliability.ece)}"
        lines.append(Line(card.series, path(points), tuple((f"{x:.1f}", f"{y:.1f}") for x, y in points), text))
    return lines


def _training(cards: Sequence[_CardLines], column: str, title: str) -> CommonChart | None:
    """A figure by epoch; None if no card has recorded it."""
    recorded = [
        (each.series, seed, points) for each in cards for seed in each.history if (points := _points(seed, column))
    ]
    if not recorded:
        return None
    folded = any(seed.fold is not None for _, seed, _ in recorded)
    last = max(points[-1][0] for _, _, points in recorded)
    scale = ordinates([value for _, _, points in recorded for _, value in points], _TRAINING_HEIGHT)
    wide = SIDE / max(last - 1, 1)
    lines = tuple(
        Line(
            series,
            path(((epoch - 1) * wide, scale.at(value)) for epoch, value in points),
            ((f"{(points[-1][0] - 1) * wide:.1f}", f"{scale.at(points[-1][1]):.1f}"),),
            f"{series.title}, {seed.label}",
        )
        for series, seed, points in recorded
    )
    return CommonChart(
        term=None,
        title=title,
        caption=f"A line per {'fold' if folded else 'seed'}; the dot is the last epoch."
        + (" The axis is logarithmic." if scale.logarithmic else ""),
        x="epoch",
        y=title.lower(),
        height=_TRAINING_HEIGHT,
        x_ticks=tuple(Tick((epoch - 1) * wide, f"{epoch}") for epoch in whole_numbers(1, last)),
        y_ticks=scale.ticks,
        groups=(LineGroup(None, lines),),
        diagonal=False,
    )


def _points(seed: SeedHistory, column: str) -> list[tuple[int, float]]:
    values: Sequence[float | None] = getattr(seed, column)
    return [
        (epoch, value)
        for epoch, value in zip(seed.epochs, values, strict=True)
        if value is not None and math.isfinite(value)
    ]

"""Views of the table of figures and of the ranking: the cards, best first, with bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmark.evidence.estimate import Estimate
from reports.render.html.bars import Axis, Bar, axis_over
from reports.report import Section
from reports.results.comparison.card_figures import CardFigures
from reports.results.comparison.pairs import Ranking
from reports.results.comparison.published import Comparison, final_test_figures
from reports.summary.model import Summary
from reports.text import number

COMPARED = ("auc", "recall", "specificity", "accuracy")
"""The metrics of the table for two classes."""
COMPARED_CLASSES = ("auc:macro", "accuracy", "balanced_accuracy")
"""The same for three or more classes; the recall of each class is in a table of its own."""
Place = Literal["best", "worse", "similar"]


@dataclass(frozen=True)
class Standing:
    """A card against the best one: `behind` is how much lower its figure is, as text; empty for the best."""

    place: Place
    behind: str = ""


@dataclass(frozen=True)
class MetricCell:
    """A metric of one card.

    Attributes:
        measured: The mean over seeds by the leading decision; None where it is missing.
        beside: The value at threshold 0.5, or for the class with the highest score, as text; None where that leads.
        published: The published figure, if any.
        bar: The drawing of `measured`, and of `published` where both are by the same decision.
    """

    measured: Estimate | None
    beside: str | None
    published: Comparison | None
    bar: Bar | None


@dataclass(frozen=True)
class ComparisonRow:
    """A card of the table; `number` is its place from 1, `standing` is None where it was not compared."""

    number: int
    figures: CardFigures
    title: str
    cells: Mapping[str, MetricCell]
    standing: Standing | None


@dataclass(frozen=True)
class ComparisonView:
    """The table of figures: rows, best first, axes by metric, and the metrics with published figures."""

    metrics: tuple[str, ...]
    rows: tuple[ComparisonRow, ...]
    axes: Mapping[str, Axis]
    published: frozenset[str]


@dataclass(frozen=True)
class RankingRow:
    """A card of the ranking: its title, its bar, and the letters of its groups."""

    card: str
    title: str
    bar: Bar | None
    letters: str


@dataclass(frozen=True)
class RankingView:
    """A ranking with the letters of all groups and the axis of the bars."""

    ranking: Ranking
    rows: tuple[RankingRow, ...]
    letters: str
    axis: Axis | None


def best_first(section: Section) -> tuple[str, ...]:
    """The names of the cards by AUC, or its macro mean, the best first and those without figures last."""
    area = "auc" if len(section.classes) == 2 else "auc:macro"

    def place(card: CardFigures) -> tuple[bool, float, str]:
        figure = card.at_half.get(area)
        value = None if figure is None else figure.value
        return value is None, -(value or 0.0), card.card.name

    return tuple(card.card.name for card in sorted(section.cards, key=place))


def comparison_view(section: Section, order: Sequence[str], titles: Mapping[str, str]) -> ComparisonView:
    """The table of figures of `section`.

    Decisions are the leading ones of the section; the figures of the default ones are beside them.

    Args:
        section: The section of the report.
        order: The names of its cards, best first.
        titles: Titles by name of card.

    Returns:
        The rows and axes.
    """
    metrics = COMPARED if len(section.classes) == 2 else COMPARED_CLASSES
    published = {
        (card, metric): comparison
        for (card, metric), comparison in final_test_figures(section.comparisons).items()
        if metric in metrics and comparison.published.upper is None
    }
    of = {card.card.name: card for card in section.cards}
    lead = section.leading
    leading = {name: {m: figure for m in metrics if (figure := lead.of_card(of[name], m))} for name in order}
    axes = {}
    for metric in metrics:
        measured = [figures[metric] for figures in leading.values() if metric in figures]
        ends = (x for figure in measured for x in (figure.value, figure.low, figure.high))
        axis = axis_over((*ends, *(c.published.value for (_, name), c in published.items() if name == metric)))
        if axis is not None:
            axes[metric] = axis
    standings = _standings(section.summary)
    rows = []
    for place, name in enumerate(order, start=1):
        cells = {
            m: _cell(leading[name].get(m), lead.beside_card(of[name], m), published.get((name, m)), axes.get(m))
            for m in metrics
        }
        rows.append(ComparisonRow(place, of[name], titles[name], cells, standings.get(name)))
    return ComparisonView(metrics, tuple(rows), axes, frozenset(metric for _, metric in published))


def _standings(summary: Summary | None) -> dict[str, Standing]:
    if summary is None or summary.best is None or summary.comparisons is None:
        return {}
    compared = summary.comparisons
    places = {summary.best.card.name: Standing("best")}
    for each in (*compared.worse, *compared.similar):
        places[each.card.name] = Standing("worse" if each.is_worse else "similar", number(each.behind.value))
    return places


def _cell(
    measured: Estimate | None, other: Estimate | None, published: Comparison | None, axis: Axis | None
) -> MetricCell:
    beside = None if other is None else number(other.value)
    printed = None if published is None or other is not None else published.published.value
    if axis is None or (printed is None and (measured is None or measured.value is None)):
        return MetricCell(measured, beside, published, None)
    value, bounds = (None, None) if measured is None else (measured.value, measured.bounds)
    between = None if printed is None else (printed, printed)
    return MetricCell(measured, beside, published, Bar(axis, value, bounds, between))


def ranking_view(ranking: Ranking, titles: Mapping[str, str]) -> RankingView:
    """`ranking` with its groups and bars; `titles` are by name of card."""
    axis = axis_over(x for f in ranking.figures.values() for x in (f.value, f.low, f.high))
    rows = tuple(
        RankingRow(name, titles[name], Bar(axis, f.value, f.bounds) if axis else None, ranking.letters[name])
        for name, f in ranking.figures.items()
    )
    return RankingView(ranking, rows, "".join(sorted({x for row in rows for x in row.letters})), axis)

"""Views of cards for the page: comparison, ranking, and a section per card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.metrics.registry import Weights, measures
from benchmark.evidence.scores import AnyScores
from benchmark.runs.run import Run
from reports.gallery.gallery import Gallery
from reports.render.html.bars import Axis, Bar, axis_over
from reports.render.html.charts import Chart, card_charts, multiclass_charts
from reports.render.html.finished import finished_runs
from reports.render.html.multiclass import ClassCardView, ClassesView
from reports.render.html.scores import slider_data
from reports.report import Section
from reports.results.card_figures import CardFigures
from reports.results.compare import Comparison, final_test_figures
from reports.results.pairs import Ranking
from reports.results.probabilities import Probabilities
from zoo.models.card import ModelCard

COMPARED = ("accuracy", "recall", "auc")
"""The metrics of the comparison; their bars fill the width of the page."""
_IN_SCRIPT = ("mcc",)
"""Metrics with a formula in `report.js`; it computes others as means of ratios of counts."""


@dataclass(frozen=True)
class SliderMetric:
    """A metric of the threshold slider: the mean of ratios, each with weights of TP, FP, TN and FN."""

    name: str
    label: str
    ratios: tuple[tuple[Weights, Weights], ...]


def slider_metrics(names: Sequence[str] | None = None) -> list[SliderMetric]:
    """The threshold-dependent metrics that the page can compute: all, or those of `names`."""
    return [
        SliderMetric(name, metric.label, tuple((ratio.numerator, ratio.denominator) for ratio in metric.ratios))
        for name, metric in measures(lambda metric: metric.uses_threshold).items()
        if (metric.ratios or name in _IN_SCRIPT) and (names is None or name in names)
    ]


@dataclass(frozen=True)
class MetricCell:
    """A metric of one card: mean over seeds, published figure, and both as a bar; None if missing."""

    measured: Estimate | None
    published: Comparison | None
    bar: Bar | None


@dataclass(frozen=True)
class ComparisonView:
    """The cards with their cells by metric, the axis per metric, and the metrics with published figures."""

    rows: tuple[tuple[CardFigures, Mapping[str, MetricCell]], ...]
    axes: Mapping[str, Axis]
    published: frozenset[str]


@dataclass(frozen=True)
class RankingRow:
    """A card of the ranking: its bar, and the letters of its groups."""

    card: str
    bar: Bar | None
    letters: str


@dataclass(frozen=True)
class RankingView:
    """A ranking with the letters of all groups and the axis of the bars."""

    ranking: Ranking
    rows: tuple[RankingRow, ...]
    letters: str
    axis: Axis | None


@dataclass(frozen=True)
class CardView:
    """The section of one card.

    Attributes:
        figures: Its figures over seeds.
        recipe: Its settings by part.
        runs: All of its runs.
        finished: The runs behind its figures.
        slider: Data of the threshold slider, one entry per run with scores of two classes.
        classwise: What only three or more classes have; None for two.
    """

    figures: CardFigures
    recipe: Mapping[str, Mapping[str, Any]]
    runs: tuple[Run, ...]
    finished: tuple[Run, ...]
    comparisons: tuple[Comparison, ...]
    probabilities: tuple[Probabilities, ...]
    charts: tuple[Chart, ...]
    slider: tuple[Mapping[str, Any], ...]
    galleries: tuple[Gallery, ...]
    classwise: ClassCardView | None = None

    @property
    def card(self) -> ModelCard:
        """The version of the card that the figures belong to."""
        return self.figures.card


def comparison_view(section: Section, compared: Sequence[str] = COMPARED) -> ComparisonView:
    """The comparison of the cards of `section` by the metrics of `compared`.

    The decisions are those at threshold 0.5, or those of the highest score for three or more classes.

    Args:
        section: The section of the report.
        compared: The keys of the metrics.

    Returns:
        The rows and axes.
    """
    published = {
        (card, metric): comparison
        for (card, metric), comparison in final_test_figures(section.comparisons).items()
        if metric in compared and comparison.published.upper is None
    }
    axes = {}
    for metric in compared:
        measured = [card.at_half[metric] for card in section.cards if metric in card.at_half]
        ends = (x for figure in measured for x in (figure.value, figure.low, figure.high))
        axis = axis_over((*ends, *(c.published.value for (_, name), c in published.items() if name == metric)))
        if axis is not None:
            axes[metric] = axis
    rows = []
    for figures in section.cards:
        name = figures.card.name
        rows.append(
            (figures, {m: _cell(figures.at_half.get(m), published.get((name, m)), axes.get(m)) for m in compared})
        )
    return ComparisonView(tuple(rows), axes, frozenset(metric for _, metric in published))


def ranking_view(ranking: Ranking) -> RankingView:
    """`ranking` with its groups and bars."""
    axis = axis_over(x for f in ranking.figures.values() for x in (f.value, f.low, f.high))
    rows = tuple(
        RankingRow(name, Bar(axis, f.value, f.bounds) if axis else None, ranking.letters[name])
        for name, f in ranking.figures.items()
    )
    return RankingView(ranking, rows, "".join(sorted({x for row in rows for x in row.letters})), axis)


def card_views(
    section: Section,
    scores: Mapping[str, AnyScores],
    galleries: Mapping[str, Gallery],
    key: str,
    classes: ClassesView | None = None,
) -> Iterator[CardView]:
    """The sections of the cards, in the order of `section`.

    Args:
        section: The section of the report.
        scores: Test scores by run id.
        galleries: Galleries by run id.
        key: Identifies the section in the ids of its pictures.
        classes: The views of the cards for three or more classes; None for two.

    Yields:
        One view per card.
    """
    for figures in section.cards:
        name = figures.card.name
        runs = tuple(run for run in section.runs if run.spec.card.name == name)
        finished = finished_runs(figures, runs)
        probabilities = tuple(row for row in section.probabilities if row.card == name)
        yield CardView(
            figures=figures,
            recipe=_recipe(figures.card),
            runs=runs,
            finished=finished,
            comparisons=tuple(c for c in section.comparisons if c.card == name),
            probabilities=probabilities,
            charts=_charts(figures, section, probabilities, f"{key}-{name}"),
            slider=tuple(slider_data(finished, scores)),
            galleries=tuple(galleries[run.run_id] for run in runs if run.run_id in galleries),
            classwise=None if classes is None else classes.of(name),
        )


def _charts(
    figures: CardFigures, section: Section, probabilities: Sequence[Probabilities], key: str
) -> tuple[Chart, ...]:
    name = figures.card.name
    if section.multiclass is not None:
        return multiclass_charts(section.multiclass.card(name), figures, key)
    return card_charts(next((c for c in section.curves if c.card == name), None), probabilities, key)


def _cell(measured: Estimate | None, published: Comparison | None, axis: Axis | None) -> MetricCell:
    printed = None if published is None else published.published.value
    if axis is None or (printed is None and (measured is None or measured.value is None)):
        return MetricCell(measured, published, None)
    value, bounds = (None, None) if measured is None else (measured.value, measured.bounds)
    between = None if printed is None else (printed, printed)
    return MetricCell(measured, published, Bar(axis, value, bounds, between))


def _recipe(card: ModelCard) -> dict[str, dict[str, Any]]:
    """The resolved settings by part, without those that are not set."""
    identity = card.identity()
    training = identity["recipe"]
    augmentation, finetune = (training.pop(name, None) for name in ("augmentation", "finetune"))
    parts = {"model": identity["model"], "training": training, "augmentation": augmentation, "fine-tuning": finetune}
    return {name: dict(_settings(part)) for name, part in parts.items() if part is not None}


def _settings(part: Mapping[str, Any], parent: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in part.items():
        label = f"{parent} {name}".removesuffix(" name").strip().replace("_", " ")
        if isinstance(value, Mapping):
            yield from _settings(value, label)
        elif value is not None:
            yield label, value

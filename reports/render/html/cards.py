"""Cards as a page shows them: a row of the comparison for each, and a section for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.metrics.definitions import Weights, measures
from benchmark.evidence.scores import Scores
from benchmark.runs.run import Run
from reports.gallery.gallery import Gallery
from reports.render.html.bars import Axis, Bar, axis_over
from reports.render.html.charts import Chart, card_charts
from reports.render.html.scores import slider_data
from reports.report import Section
from reports.results.card_figures import CardFigures
from reports.results.compare import Comparison, final_test_figures
from reports.results.pairs import Ranking
from reports.results.probabilities import Probabilities
from zoo.models.card import ModelCard

COMPARED = ("accuracy", "recall", "auc")
"""The metrics of the comparison: bars leave no room for more."""
_IN_SCRIPT = ("mcc",)
"""Metrics whose formula `report.js` holds; it computes a mean of ratios of counts from their weights."""


@dataclass(frozen=True)
class SliderMetric:
    """A metric that moves with the threshold slider, and the ratios of TP, FP, TN and FN that it is the mean of."""

    name: str
    label: str
    ratios: tuple[tuple[Weights, Weights], ...]


def slider_metrics() -> list[SliderMetric]:
    """The metrics of decisions that the page can compute."""
    return [
        SliderMetric(name, metric.label, tuple((ratio.numerator, ratio.denominator) for ratio in metric.ratios))
        for name, metric in measures(lambda metric: metric.uses_threshold).items()
        if metric.ratios or name in _IN_SCRIPT
    ]


@dataclass(frozen=True)
class MetricCell:
    """A metric of one card: the mean over its seeds, what was published, and both as a bar; None where missing."""

    measured: Estimate | None
    published: Comparison | None
    bar: Bar | None


@dataclass(frozen=True)
class ComparisonView:
    """The cards with their cells by metric, the axis of each metric's bars, and for which something was published."""

    rows: tuple[tuple[CardFigures, Mapping[str, MetricCell]], ...]
    axes: Mapping[str, Axis]
    published: frozenset[str]


@dataclass(frozen=True)
class RankingRow:
    """The place of one card: its bar and the groups that it shares, a letter each."""

    card: str
    bar: Bar | None
    letters: str


@dataclass(frozen=True)
class RankingView:
    """A ranking, all of its letters, and the axis of its bars."""

    ranking: Ranking
    rows: tuple[RankingRow, ...]
    letters: str
    axis: Axis | None


@dataclass(frozen=True)
class CardView:
    """Everything that is shown of one card. `finished` are the runs of its figures, `runs` all of them; `recipe` holds
    its settings by part. `slider` is what the threshold slider reads: empty without scores."""

    figures: CardFigures
    recipe: Mapping[str, Mapping[str, Any]]
    runs: tuple[Run, ...]
    finished: tuple[Run, ...]
    comparisons: tuple[Comparison, ...]
    probabilities: tuple[Probabilities, ...]
    charts: tuple[Chart, ...]
    slider: tuple[Mapping[str, Any], ...]
    galleries: tuple[Gallery, ...]

    @property
    def card(self) -> ModelCard:
        """The version of the card that its figures are of."""
        return self.figures.card


def comparison_view(section: Section) -> ComparisonView:
    """The cards of `section` side by side, at 0.5."""
    published = {
        (card, metric): comparison
        for (card, metric), comparison in final_test_figures(section.comparisons).items()
        if metric in COMPARED and comparison.published.upper is None
    }
    axes = {}
    for metric in COMPARED:
        measured = [card.at_half[metric] for card in section.cards if metric in card.at_half]
        ends = (x for found in measured for x in (found.value, found.low, found.high))
        axis = axis_over((*ends, *(c.published.value for (_, name), c in published.items() if name == metric)))
        if axis is not None:
            axes[metric] = axis
    rows = []
    for figures in section.cards:
        name = figures.card.name
        rows.append(
            (figures, {m: _cell(figures.at_half.get(m), published.get((name, m)), axes.get(m)) for m in COMPARED})
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
    section: Section, scores: Mapping[str, Scores], galleries: Mapping[str, Gallery], key: str
) -> Iterator[CardView]:
    """The cards of `section` in its order, with `scores` and `galleries` by run id; `key` sets their pictures apart
    from those of other sections."""
    for figures in section.cards:
        name = figures.card.name
        runs = tuple(run for run in section.runs if run.spec.card.name == name)
        finished = _counted(figures, runs)
        own = tuple(row for row in section.probabilities if row.card == name)
        yield CardView(
            figures=figures,
            recipe=_recipe(figures.card),
            runs=runs,
            finished=finished,
            comparisons=tuple(c for c in section.comparisons if c.card == name),
            probabilities=own,
            charts=card_charts(next((c for c in section.curves if c.card == name), None), own, f"{key}-{name}"),
            slider=tuple(slider_data(finished, scores)),
            galleries=tuple(galleries[run.run_id] for run in runs if run.run_id in galleries),
        )


def _cell(measured: Estimate | None, published: Comparison | None, axis: Axis | None) -> MetricCell:
    printed = None if published is None else published.published.value
    if axis is None or (printed is None and (measured is None or measured.value is None)):
        return MetricCell(measured, published, None)
    value, bounds = (None, None) if measured is None else (measured.value, measured.bounds)
    between = None if printed is None else (printed, printed)
    return MetricCell(measured, published, Bar(axis, value, bounds, between))


def _counted(figures: CardFigures, runs: Sequence[Run]) -> tuple[Run, ...]:
    """The finished runs that the card's figures count, a seed each."""
    identity = figures.card.identity()
    own = [run for run in runs if run.status == "ok" and run.spec.card.identity() == identity]
    return tuple(run for run in own if run.spec.seed in figures.seeds)


def _recipe(card: ModelCard) -> dict[str, dict[str, Any]]:
    """The resolved settings by part, those left out that are not set."""
    identity = card.identity()
    training = identity["recipe"]
    apart = {name: training.pop(name) for name in ("augmentation", "finetune")}
    parts = {"model": identity["model"], "training": training, "augmentation": apart["augmentation"]}
    parts["fine-tuning"] = apart["finetune"]
    return {name: dict(_settings(part)) for name, part in parts.items() if part is not None}


def _settings(part: Mapping[str, Any], below: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in part.items():
        said = f"{below} {name}".removesuffix(" name").strip().replace("_", " ")
        if isinstance(value, Mapping):
            yield from _settings(value, said)
        elif value is not None:
            yield said, value

"""Views of cards for the page: a section per card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.evidence.metrics.registry import Weights, measures
from benchmark.evidence.scores import AnyScores
from benchmark.runs.run import Run
from reports.gallery.gallery import Gallery
from reports.render.html.charts import Chart, card_charts, multiclass_charts
from reports.render.html.finished import finished_runs
from reports.render.html.multiclass import ClassCardView, ClassesView
from reports.render.html.scores import slider_data
from reports.report import Section
from reports.results.comparison.card_figures import CardFigures
from reports.results.comparison.published import Comparison
from reports.results.probabilities import Probabilities
from zoo.models.card import ModelCard

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


def card_views(
    section: Section,
    order: Sequence[str],
    scores: Mapping[str, AnyScores],
    galleries: Mapping[str, Gallery],
    key: str,
    classes: ClassesView | None = None,
) -> Iterator[CardView]:
    """The sections of the cards.

    Args:
        section: The section of the report.
        order: The names of its cards in the order to show.
        scores: Test scores by run id.
        galleries: Galleries by run id.
        key: Identifies the section in the ids of its pictures.
        classes: The views of the cards for three or more classes; None for two.

    Yields:
        One view per card.
    """
    for figures in sorted(section.cards, key=lambda card: order.index(card.card.name)):
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

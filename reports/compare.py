"""Published figures beside measured ones: both with intervals, and their difference."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from scipy.stats import norm

from benchmark.evidence.intervals import hanley_mcneil, newcombe, wilson_from_rate
from benchmark.evidence.metrics import Figure
from benchmark.runs.run import Run
from zoo.card import PublishedFigure, Source


@dataclass(frozen=True)
class Comparison:
    """One published figure and its measured counterpart.

    `measured` is None with a `note` when there is no counterpart. `difference` is measured minus published;
    against a printed range it is the distance to the range, 0.0 inside. Intervals are 95% and None where none can be
    computed. `other_data` is True when the run did not see the data of the source: no conclusion may be drawn.
    """

    card: str
    seed: int
    published: PublishedFigure
    published_interval: tuple[float, float] | None
    measured: float | None
    measured_interval: tuple[float, float] | None
    difference: float | None
    difference_interval: tuple[float, float] | None
    other_data: bool
    note: str | None


def compare_run(run: Run, history: list[dict[str, str]]) -> list[Comparison]:
    """Every published figure of the run's card against the run, at threshold 0.5, as the source did."""
    card = run.spec.card
    return [_compare(run, history, card.source, figure) for figure in card.published]


def final_test_figures(comparisons: Iterable[Comparison]) -> dict[tuple[str, int, str], Comparison]:
    """The comparisons of a finished model's test figures, by card, seed and metric."""
    return {
        (c.card, c.seed, c.published.metric): c
        for c in comparisons
        if c.published.split == "test" and c.published.epoch is None
    }


def is_other_data(run: Run) -> bool:
    """Whether the run saw other data than its card's source; unknown counts as other."""
    source = run.spec.card.source
    return source is None or source.data is None or run.spec.dataset.source != source.data


def _compare(run: Run, history: list[dict[str, str]], source: Source | None, published: PublishedFigure) -> Comparison:
    measured, interval, note = _measured(run, history, published)
    low, high = published.value, published.upper if published.upper is not None else published.value
    difference = None
    if measured is not None:
        difference = measured - low if measured < low else max(0.0, measured - high)
        if published.upper is None:
            difference = measured - published.value
    at_end = published.split == "test" and published.epoch is None and published.upper is None
    counts = (source.test_negatives, source.test_positives) if source and at_end else (None, None)
    figure = run.figures("test").get(published.metric) if at_end else None
    return Comparison(
        card=run.spec.card.name,
        seed=run.spec.seed,
        published=published,
        published_interval=_published_interval(published, *counts),
        measured=measured,
        measured_interval=interval,
        difference=difference,
        difference_interval=_difference_interval(run, published, figure, *counts),
        other_data=is_other_data(run),
        note=note,
    )


def _measured(
    run: Run, history: list[dict[str, str]], published: PublishedFigure
) -> tuple[float | None, tuple[float, float] | None, str | None]:
    if run.status != "ok":
        return None, None, run.error
    name = published.metric
    if published.epoch is None and published.split != "train":
        figure = run.figures("test" if published.split == "test" else "val").get(name)
        if figure is not None:
            return figure.value, _interval(figure), figure.reason if figure.value is None else None
    column = name if published.split == "train" else f"val_{name}"
    rows = [row for row in history if row.get(column)]
    if published.split != "test" and rows:
        row = rows[0] if published.epoch == "first" else rows[-1]
        if published.epoch == "every":  # said of all epochs: the one that is furthest from it decides
            row = max(rows, key=lambda row: abs(float(row[column]) - published.value))
        return float(row[column]), None, f"epoch {row['epoch']} of phase {row['phase']}"
    return None, None, "no measured counterpart"


def _interval(figure: Figure) -> tuple[float, float] | None:
    return None if figure.low is None or figure.high is None else (figure.low, figure.high)


def _published_interval(
    published: PublishedFigure, negatives: int | None, positives: int | None
) -> tuple[float, float] | None:
    if negatives is None or positives is None:
        return None
    n = _denominator(published.metric, negatives, positives)
    if n is not None:
        return wilson_from_rate(published.value, n, published.decimals)
    if published.metric == "auc":
        margin = float(norm.ppf(0.975)) * hanley_mcneil(published.value, positives, negatives)
        return max(0.0, published.value - margin), min(1.0, published.value + margin)
    return None


def _difference_interval(
    run: Run,
    published: PublishedFigure,
    measured: Figure | None,
    negatives: int | None,
    positives: int | None,
) -> tuple[float, float] | None:
    """Of two independent samples: Newcombe's for proportions, normal with both standard errors for AUCs."""
    if measured is None or measured.value is None or negatives is None or positives is None:
        return None
    figures = run.figures("test")
    tp, fp, tn, fn = (
        figures[name].value or 0.0
        for name in ("true_positives", "false_positives", "true_negatives", "false_negatives")
    )
    n_published = _denominator(published.metric, negatives, positives)
    n_measured = _denominator(published.metric, int(tn + fp), int(tp + fn))
    if n_published is not None and n_measured is not None:
        if wilson_from_rate(published.value, n_published, published.decimals) is None:
            return None  # no number of images prints as this figure
        return newcombe(
            round(measured.value * n_measured), n_measured, round(published.value * n_published), n_published
        )
    if published.metric == "auc" and 0 < measured.value < 1:
        errors = (
            hanley_mcneil(measured.value, int(tp + fn), int(tn + fp)),
            hanley_mcneil(published.value, positives, negatives),
        )
        margin = float(norm.ppf(0.975)) * math.hypot(*errors)
        difference = measured.value - published.value
        return difference - margin, difference + margin
    return None


def _denominator(metric: str, negatives: int, positives: int) -> int | None:
    """Images a proportion counts over; None for precision, whose denominator a publication rarely states."""
    return {"accuracy": negatives + positives, "recall": positives, "specificity": negatives}.get(metric)

"""Published figures beside measured ones: both with intervals, and their difference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark.evidence.intervals.formulas import mover, printed_auc_interval, wilson_from_rate
from benchmark.evidence.metrics.definitions import Figure
from benchmark.runs.history import History
from benchmark.runs.run import Run
from reports.claims.model import Claims
from reports.results.recognised import is_data, turned
from reports.text import MISSING, interval, is_count
from zoo.models.card import PublishedFigure, Source


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


def compare_run(run: Run, history: History, claims: Sequence[Claims] = ()) -> list[Comparison]:
    """Every published figure of the run's card against the run, at threshold 0.5, as the source did. `claims` may say
    by what the source's data are recognised."""
    card = run.spec.card
    other = is_other_data(run, claims)
    return [_compare(run, history, card.source, figure, other) for figure in card.published]


def final_test_figures(comparisons: Iterable[Comparison]) -> dict[tuple[str, int, str], Comparison]:
    """The comparisons of a finished model's test figures, by card, seed and metric."""
    return {
        (c.card, c.seed, c.published.metric): c
        for c in comparisons
        if c.published.split == "test" and c.published.epoch is None
    }


def is_other_data(run: Run, claims: Sequence[Claims] = ()) -> bool:
    """Whether the run saw other data than its card's source; unknown counts as other, and so do the same images with
    the other class as the positive one."""
    source = run.spec.card.source
    if source is None or source.data is None:
        return True
    return not is_data(run.spec.dataset, source.data, claims) or turned(run.spec.dataset, source.data, claims)


def _compare(run: Run, history: History, source: Source | None, published: PublishedFigure, other: bool) -> Comparison:
    measured, interval, note = _measured(run, history, published)
    low, high = published.value, published.upper if published.upper is not None else published.value
    difference = None
    if measured is not None:
        difference = measured - low if measured < low else max(0.0, measured - high)
        if published.upper is None:
            difference = measured - published.value
    at_end = published.split == "test" and published.epoch is None and published.upper is None
    counts = (source.test_negatives, source.test_positives) if source and at_end else (None, None)
    own = _published_interval(published, *counts)
    return Comparison(
        card=run.spec.card.name,
        seed=run.spec.seed,
        published=published,
        published_interval=own,
        measured=measured,
        measured_interval=interval,
        difference=difference,
        difference_interval=_difference_interval(published, own, measured, interval),
        other_data=other,
        note=note,
    )


def _measured(
    run: Run, history: History, published: PublishedFigure
) -> tuple[float | None, tuple[float, float] | None, str | None]:
    if run.status != "ok":
        return None, None, run.error
    name = published.metric
    if published.epoch is None and published.split != "train":
        figure = run.figures("test" if published.split == "test" else "val").get(name)
        if figure is not None:
            return figure.value, _interval(figure), figure.reason if figure.value is None else None
    column = name if published.split == "train" else f"val_{name}"
    epochs = [epoch for epoch in history.epochs if column in epoch.values]
    if published.split != "test" and epochs:
        epoch = epochs[0] if published.epoch == "first" else epochs[-1]
        if published.epoch == "every":  # said of all epochs: the one that is furthest from it decides
            epoch = max(epochs, key=lambda epoch: abs(epoch.values[column] - published.value))
        return epoch.values[column], None, f"epoch {epoch.epoch} of phase {epoch.phase}"
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
        return printed_auc_interval(published.value, published.value, published.decimals, positives, negatives)
    return None


def _difference_interval(
    published: PublishedFigure, own: tuple[float, float] | None, measured: float | None, its: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Of two independent samples, square and add: Newcombe's for proportions of independent images."""
    if measured is None or its is None or own is None:
        return None
    return mover((measured, published.value), its, own, 0.0)


def _denominator(metric: str, negatives: int, positives: int) -> int | None:
    """Images a proportion counts over; None for precision, whose denominator a publication rarely states."""
    return {"accuracy": negatives + positives, "recall": positives, "specificity": negatives}.get(metric)


def published_text(comparison: Comparison | None) -> str:
    """A printed figure or range, with the decimals it was printed with."""
    if comparison is None:
        return ""
    figure = comparison.published
    text = f"{figure.value:.{figure.decimals}f}"
    return text if figure.upper is None else f"{text}–{figure.upper:.{figure.decimals}f}"


def difference_text(comparison: Comparison | None, with_interval: bool = True) -> str:
    """Measured minus published, in the metric's unit."""
    if comparison is None or comparison.difference is None:
        return "" if comparison is None else MISSING
    text = f"{comparison.difference:+z.{0 if is_count(comparison.published.metric) else 3}f}"
    bounds = interval(comparison.difference_interval, sign=True) if with_interval else ""
    return f"{text} {bounds}".rstrip()

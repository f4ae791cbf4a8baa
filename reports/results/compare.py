"""Published figures beside measured ones: both with intervals, and their difference."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.formulas import Bounds, mover
from benchmark.evidence.intervals.seeds import PairedScores, seed_figure
from benchmark.evidence.metrics.definitions import find_metric
from benchmark.runs.history import Histories
from benchmark.runs.run import Run
from reports.audit.audit import AuditRow, audit_row
from reports.claims.model import Claims, row_of_card
from reports.results.card_figures import recorded
from reports.results.measured import CardResults
from reports.results.pairs import figure
from reports.results.recognised import is_data, turned
from reports.text import decimals_of, estimate, listed
from zoo.models.card import PublishedFigure

NO_COUNTERPART = "no measured counterpart"


@dataclass(frozen=True)
class Comparison:
    """One published figure of a card and its measured counterpart, over the seeds of the card.

    Attributes:
        card: Name of the card.
        seeds: Of the finished runs.
        published: The printed figure.
        published_interval: Its 95% interval; None where none can be computed.
        measured: Without a value, with the reason, where there is no counterpart.
        difference: Measured minus published; against a printed range the distance to the range, 0.0 inside.
        other_data: Whether the runs did not see the data of the source: no conclusion may be drawn.
        note: Where in training a figure was read, or why there is no counterpart.
    """

    card: str
    seeds: tuple[int, ...]
    published: PublishedFigure
    published_interval: Bounds | None
    measured: SampleEstimate
    difference: SampleEstimate
    other_data: bool
    note: str | None


def compare_card(
    runs: Sequence[Run], history: Histories, results: CardResults | None = None, claims: Sequence[Claims] = ()
) -> list[Comparison]:
    """Every published figure of a card against its runs.

    Args:
        runs: Those of one card, on the same data under the same protocol.
        history: The epochs of a run.
        results: The scores of the finished runs. Without them, test figures are means of those that runs recorded.
        claims: What else was published about the card: at which threshold, and how the data are recognised.

    Returns:
        A comparison for each figure, in the order of the card.
    """
    finished = [run for run in runs if run.status == "ok"] if results is None else list(results.runs)
    card = (finished or runs)[-1].spec.card
    if not card.published:
        return []
    row, matrix = row_of_card(card, claims)
    audited = audit_row(row, matrix)
    compared = []
    for published in card.published:
        if finished:
            measured, note = _counterpart(published, finished, history, results, row.threshold)
        else:
            measured, note = SampleEstimate.missing(1, runs[-1].error or "no run finished"), None
        interval = published_interval(published, measured, audited)
        compared.append(
            Comparison(
                card=card.name,
                seeds=tuple(run.spec.seed for run in finished),
                published=published,
                published_interval=interval,
                measured=measured,
                difference=minus_published(measured, published, interval),
                other_data=is_other_data((finished or runs)[-1], claims),
                note=measured.reason if measured.value is None else note,
            )
        )
    return compared


def final_test_figures(comparisons: Iterable[Comparison]) -> dict[tuple[str, str], Comparison]:
    """The comparisons of a finished model's test figures, by card and metric."""
    return {
        (c.card, c.published.metric): c
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


def has_counterpart(published: PublishedFigure) -> bool:
    """Whether a printed figure is one number about the finished model on test that scores give too."""
    final = published.split == "test" and published.epoch is None and published.upper is None
    return final and (published.metric == "loss" or find_metric(published.metric) is not None)


def measured_on_test(results: CardResults, metric: str, threshold: float) -> SampleEstimate:
    """A test figure at the threshold that was published with it, mean over seeds."""
    if metric == "loss":
        return _loss(results)
    record = find_metric(metric)
    if threshold == 0.5 or record is None or not record.uses_threshold:
        return figure(results, metric)
    n = len(results.test[0])
    if record.kind == "count":
        return SampleEstimate.missing(n, "a count has no interval")
    scores = PairedScores(results.test, (threshold,) * len(results.test))
    return SampleEstimate.of(seed_figure(metric, scores, class_sizes=results.class_sizes), n)


def is_open_loss(metric: str) -> bool:
    """Whether a printed figure is a loss that may exceed 1, so that margins and axes are relative."""
    record = find_metric(metric)
    return metric == "loss" if record is None else record.kind == "loss" and not record.is_fraction


def published_interval(published: PublishedFigure, measured: SampleEstimate, audited: AuditRow) -> Bounds | None:
    """The 95% interval of a printed final test figure.

    Args:
        published: The printed figure.
        measured: Its counterpart: a printed loss is taken to be as uncertain as the measured one, image for image.
        audited: What follows from the printed row: the confusion matrices that print it, and its AUC.

    Returns:
        None for ranges, for other splits, and where the row does not say how many images were tested.
    """
    if not has_counterpart(published):
        return None
    interval = next((d.interval for d in audited.derived if d.metric == published.metric and d.interval), None)
    if interval is not None or not is_open_loss(published.metric) or audited.test is None:
        return interval
    if measured.value is None or measured.bounds is None:
        return None
    scale = math.sqrt(measured.n / (audited.test.negatives + audited.test.positives))
    low, high = measured.bounds
    return published.value - scale * (measured.value - low), published.value + scale * (high - measured.value)


def minus_published(measured: SampleEstimate, published: PublishedFigure, interval: Bounds | None) -> SampleEstimate:
    """Measured minus published of two independent samples.

    Args:
        measured: The counterpart of `published`.
        published: A printed figure, or a printed range: then the distance to the range counts.
        interval: That of the printed figure.

    Returns:
        The difference with its 95% interval by square and add, Newcombe's for proportions of independent images.
    """
    if measured.value is None:
        return measured
    value = measured.value - published.value
    if published.upper is not None and value > 0:
        value = max(0.0, measured.value - published.upper)
    if measured.bounds is None:
        return SampleEstimate(value, None, None, measured.n, measured.reason)
    if interval is None:
        return SampleEstimate(value, None, None, measured.n, "the published figure has no interval")
    low, high = mover((measured.value, published.value), measured.bounds, interval, 0.0)
    return SampleEstimate(value, low, high, measured.n)


def published_text(comparison: Comparison | None) -> str:
    """A printed figure or range, with the decimals it was printed with."""
    if comparison is None:
        return ""
    printed = comparison.published
    text = f"{printed.value:.{printed.decimals}f}"
    return text if printed.upper is None else f"{text}–{printed.upper:.{printed.decimals}f}"


def difference_text(comparison: Comparison | None) -> str:
    """Measured minus published, in the metric's unit."""
    if comparison is None:
        return ""
    return estimate(comparison.difference, decimals_of(comparison.published.metric), sign=True)


def _counterpart(
    published: PublishedFigure, runs: Sequence[Run], history: Histories, results: CardResults | None, threshold: float
) -> tuple[SampleEstimate, str | None]:
    metric, split = published.metric, published.split
    n = max(1, runs[0].split.sizes.get(split, 1))
    if published.epoch is None and split == "test":
        record = find_metric(metric)
        if record is None and metric != "loss":
            return SampleEstimate.missing(n, NO_COUNTERPART), None
        if results is not None:
            return measured_on_test(results, metric, threshold), None
        if threshold != 0.5 and record is not None and record.uses_threshold:
            return SampleEstimate.missing(n, f"figures at threshold {threshold:g} need the scores of every image"), None
        return recorded([run.figures("test").get(metric) for run in runs], n), None
    if published.epoch is None and split == "val":
        of_scores = None if results is None or find_metric(metric) is None else figure(results, metric, "val")
        if of_scores is not None and of_scores.value is not None:
            return of_scores, None
        of_runs = recorded([run.figures("val").get(metric) for run in runs], n)
        if of_runs.value is not None:
            return of_runs, None
    if split == "test":
        return SampleEstimate.missing(n, NO_COUNTERPART), None
    return _of_epochs(published, runs, history, n)


def _of_epochs(
    published: PublishedFigure, runs: Sequence[Run], history: Histories, n: int
) -> tuple[SampleEstimate, str | None]:
    """Mean over seeds of a figure that was read during training; of one said of every epoch, the furthest from it."""
    column = published.metric if published.split == "train" else f"val_{published.metric}"
    values, places = [], []
    for run in runs:
        epochs = [epoch for epoch in history(run).epochs if column in epoch.values]
        if not epochs:
            return SampleEstimate.missing(n, NO_COUNTERPART), None
        epoch = epochs[0] if published.epoch == "first" else epochs[-1]
        if published.epoch == "every":
            epoch = max(epochs, key=lambda epoch: abs(epoch.values[column] - published.value))
        values.append(epoch.values[column])
        places.append(f"epoch {epoch.epoch} of phase {epoch.phase}")
    mean = sum(values) / len(values)
    return SampleEstimate(mean, None, None, n, "figures of epochs have no interval"), listed(
        list(dict.fromkeys(places))
    )


def _loss(results: CardResults) -> SampleEstimate:
    """The test loss as it was reported: weight penalties, the same for every image, shift the interval of the mean
    cross-entropy. Another loss has no interval."""
    entropy = figure(results, "log_loss")
    reported = [run.figures("test").get("loss") for run in results.runs]
    known = [loss.value for loss in reported if loss is not None and loss.value is not None]
    if entropy.value is None or len(known) < len(reported):
        return SampleEstimate.missing(entropy.n, entropy.reason or "a run has no test loss")
    mean = sum(known) / len(known)
    if results.card.recipe.loss.name != "binary_crossentropy":
        return SampleEstimate(mean, None, None, entropy.n, "how a focal loss varies between images is not kept")
    added = mean - entropy.value
    low, high = (None if end is None else end + added for end in (entropy.low, entropy.high))
    return SampleEstimate(mean, low, high, entropy.n, entropy.reason)

"""Published and measured figures with intervals, and their difference."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.formulas import Bounds, mover
from benchmark.evidence.intervals.seeds import PairedScores, seed_figure
from benchmark.evidence.intervals.trainings import of_one_training
from benchmark.evidence.metrics.multiclass import find_multiclass, is_of_classes
from benchmark.evidence.metrics.registry import find_metric
from benchmark.runs.history import Histories
from benchmark.runs.run import Run
from reports.audit.audit import AuditRow, audit_row
from reports.claims.model import Claims, Row, row_of_card
from reports.results.comparison.card_figures import recorded
from reports.results.comparison.pairs import figure
from reports.results.conditions.recognised import has_different_classes, is_data
from reports.results.measured import AnyResults, CardResults, MulticlassResults, is_multiclass
from reports.results.multiclass.class_figures import class_figure
from reports.text import decimals_of, estimate, listed
from zoo.models.card import ModelCard
from zoo.models.published import PublishedFigure

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
        other_data: Whether the runs used different data than the publication: no conclusion may be drawn.
        note: The epoch that the measured figure is from, or why there is no counterpart.
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
    runs: Sequence[Run], history: Histories, results: AnyResults | None = None, claims: Sequence[Claims] = ()
) -> list[Comparison]:
    """Compares every published figure of a card with its runs.

    Args:
        runs: Runs of one card on the same data under the same protocol.
        history: Returns the epochs of a run.
        results: The scores of the finished runs. Without them, test figures are means of the recorded figures.
        claims: Claims that may state the threshold of the published figures and identify the data.

    Returns:
        A comparison for each figure, in the order of the card; none for figures about two classes and runs on three or
        more.
    """
    finished = [run for run in runs if run.status == "ok"] if results is None else list(results.runs)
    card = (finished or runs)[-1].spec.card
    if not card.published or (is_multiclass(runs[0]) and is_about_two(card, claims)):
        return []
    row, matrix = row_of_card(card, claims)
    audited = audit_row(row, matrix)
    compared = []
    for published in card.published:
        if finished:
            measured, note = _counterpart(published, finished, history, results, published_threshold(row))
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
                other_data=is_different_data((finished or runs)[-1], claims),
                note=measured.reason if measured.value is None else note,
            )
        )
    return compared


def is_about_two(card: ModelCard, claims: Sequence[Claims] = ()) -> bool:
    """Whether the figures published about a card are about two classes.

    Args:
        card: A card with published figures.
        claims: Claims that may state the test set of the figures.

    Returns:
        True if the test set has two classes, or a figure of one class, such as recall, does not say of which; False if
        figures have a class or an average, or are of all classes together.
    """
    row, _ = row_of_card(card, claims)
    return row.of_two is not None or any(
        figure.key == figure.metric and is_of_classes(figure.metric) for figure in card.published
    )


def final_test_figures(comparisons: Iterable[Comparison]) -> dict[tuple[str, str], Comparison]:
    """The comparisons of a finished model's test figures, by card and by metric or key."""
    return {
        (c.card, c.published.key): c for c in comparisons if c.published.split == "test" and c.published.epoch is None
    }


def is_different_data(run: Run, claims: Sequence[Claims] = ()) -> bool:
    """Whether a run used different data than the publication of its card.

    Args:
        run: A run.
        claims: Claims that may identify the data.

    Returns:
        True also where the data of the publication are unknown, and for the same images with other classes or with
        the other class as the positive one.
    """
    source = run.spec.card.source
    if source is None or source.data is None:
        return True
    return not is_data(run.spec.dataset, source.data, claims) or has_different_classes(
        run.spec.dataset, source.data, claims
    )


def has_counterpart(published: PublishedFigure) -> bool:
    """Whether a printed figure is a single value for the finished model on test that can be measured."""
    final = published.split == "test" and published.epoch is None and published.upper is None
    known = find_metric(published.metric) is not None or find_multiclass(published.key) is not None
    return final and (published.metric == "loss" or known)


def published_threshold(row: Row) -> float | None:
    """The threshold behind the printed figures of a row.

    A printed figure has a threshold of its own, which the protocol of other runs does not change: 0.5 where the source
    states none, as classifiers decide by default.

    Args:
        row: The row.

    Returns:
        The threshold, in [0, 1]; None where the source chose it on validation images.
    """
    return None if row.at == "chosen" else row.threshold


def measured_on_test(results: CardResults, metric: str, threshold: float | None) -> SampleEstimate:
    """A test figure at the published threshold.

    Args:
        results: The results of a card.
        metric: Name of the metric, or "loss" for the training loss.
        threshold: The published threshold, in [0, 1]; None for the thresholds that the runs chose on validation.

    Returns:
        The mean over seeds with its 95% interval.
    """
    if metric == "loss":
        return _loss(results)
    record = find_metric(metric)
    if threshold is None or threshold == 0.5 or record is None or not record.uses_threshold:
        return figure(results, metric, chosen=threshold is None)
    n = len(results.test[0])
    if record.kind == "count":
        return SampleEstimate.missing(n, "a count has no interval")
    scores = PairedScores(results.test, (threshold,) * len(results.test))
    return SampleEstimate.of(seed_figure(metric, scores, class_sizes=results.class_sizes), n)


def is_open_loss(metric: str) -> bool:
    """Whether a metric, or the key of a figure, is a loss that may exceed 1; its margins and axes are relative."""
    record = find_metric(metric) or find_multiclass(metric)
    return metric == "loss" if record is None else record.kind == "loss" and not record.is_fraction


def published_interval(published: PublishedFigure, measured: SampleEstimate, audited: AuditRow) -> Bounds | None:
    """The 95% interval of a printed final test figure.

    Args:
        published: The printed figure.
        measured: Its counterpart. A printed loss is assumed to vary between images as the measured one does.
        audited: The audit of the printed row, with the implied figures and their intervals.

    Returns:
        The interval; None for ranges, for other splits, and where the size of the test set is not stated.
    """
    if not has_counterpart(published):
        return None
    interval = next((d.interval for d in audited.derived if d.metric == published.key and d.interval), None)
    if interval is not None or not is_open_loss(published.metric) or audited.test is None:
        return interval
    if measured.value is None or measured.bounds is None:
        return None
    scale = math.sqrt(measured.n / audited.test.total)
    low, high = measured.bounds
    return max(0.0, published.value - scale * (measured.value - low)), published.value + scale * (high - measured.value)


def minus_published(measured: SampleEstimate, published: PublishedFigure, interval: Bounds | None) -> SampleEstimate:
    """The difference measured minus published, for two independent samples.

    The published figure is that of one training: the spread of the measured trainings widens its interval.

    Args:
        measured: The counterpart of `published`.
        published: A printed figure, or a printed range; for a range the difference is the distance to it.
        interval: The 95% interval of the printed figure.

    Returns:
        The difference with its 95% interval by square-and-add (MOVER; Newcombe 1998 for proportions).
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
    interval = of_one_draw(interval, published, measured)
    low, high = mover((measured.value, published.value), measured.bounds, interval, 0.0)
    return SampleEstimate(value, low, high, measured.n)


def of_one_draw(interval: Bounds, published: PublishedFigure, measured: SampleEstimate) -> Bounds:
    """The 95% interval of a printed figure as that of one training of its recipe.

    Args:
        interval: The interval of the printed figure that accounts for images alone.
        published: The printed figure.
        measured: Its counterpart, whose trainings show the spread; with one training the interval stays as it is.

    Returns:
        Both ends, in the range of the metric.
    """
    record = find_metric(published.metric) or find_multiclass(published.key)
    limits = (0.0, math.inf) if record is None else record.range
    return of_one_training(published.value, interval, measured.trainings, limits)


def published_text(comparison: Comparison | None) -> str:
    """A printed figure or range with the decimals it was printed with."""
    if comparison is None:
        return ""
    printed = comparison.published
    text = f"{printed.value:.{printed.decimals}f}"
    return text if printed.upper is None else f"{text}–{printed.upper:.{printed.decimals}f}"


def difference_text(comparison: Comparison | None) -> str:
    """Measured minus published as text, with its interval."""
    if comparison is None:
        return ""
    return estimate(comparison.difference, decimals_of(comparison.published.metric), sign=True)


def _counterpart(
    published: PublishedFigure,
    runs: Sequence[Run],
    history: Histories,
    results: AnyResults | None,
    threshold: float | None,
) -> tuple[SampleEstimate, str | None]:
    metric, split = published.metric, published.split
    n = max(1, runs[0].split.sizes.get(split, 1))
    if is_multiclass(runs[0]):
        return _class_counterpart(published, runs, history, results, n, threshold is None)
    if isinstance(results, MulticlassResults):
        raise TypeError("results of three or more classes belong to runs on as many")
    if published.epoch is None and split == "test":
        record = find_metric(metric)
        if record is None and metric != "loss":
            return SampleEstimate.missing(n, NO_COUNTERPART), None
        if results is not None:
            return measured_on_test(results, metric, threshold), None
        if threshold is not None and threshold != 0.5 and record is not None and record.uses_threshold:
            return SampleEstimate.missing(n, f"figures at threshold {threshold:g} need per-image scores"), None
        chosen = threshold is None and record is not None and record.uses_threshold
        return recorded([run.figures("test", chosen=chosen).get(metric) for run in runs], n), None
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


def _class_counterpart(
    published: PublishedFigure,
    runs: Sequence[Run],
    history: Histories,
    results: AnyResults | None,
    n: int,
    chosen: bool,
) -> tuple[SampleEstimate, str | None]:
    """The counterpart of a figure of three or more classes, by the chosen decision or for the highest score."""
    key, split = published.key, published.split
    if published.epoch is not None or split == "train":
        if key != published.metric:
            return SampleEstimate.missing(n, NO_COUNTERPART), None
        return _of_epochs(published, runs, history, n)
    if isinstance(results, MulticlassResults):
        return class_figure(results, key, split, chosen=chosen), None
    several = find_multiclass(key)
    chosen = chosen and several is not None and several.uses_decisions
    return recorded([run.figures(split, chosen=chosen).get(key) for run in runs], n), None


def _of_epochs(
    published: PublishedFigure, runs: Sequence[Run], history: Histories, n: int
) -> tuple[SampleEstimate, str | None]:
    """The mean over seeds of a figure of one epoch; for a claim about every epoch, that of the most distant epoch."""
    column = published.metric if published.split == "train" else f"val_{published.metric}"
    values, epochs_text = [], []
    for run in runs:
        epochs = [epoch for epoch in history(run).epochs if column in epoch.values]
        if not epochs:
            return SampleEstimate.missing(n, NO_COUNTERPART), None
        epoch = epochs[0] if published.epoch == "first" else epochs[-1]
        if published.epoch == "every":
            epoch = max(epochs, key=lambda epoch: abs(epoch.values[column] - published.value))
        values.append(epoch.values[column])
        epochs_text.append(f"epoch {epoch.epoch} of phase {epoch.phase}")
    mean = sum(values) / len(values)
    return SampleEstimate(mean, None, None, n, "figures of epochs have no interval"), listed(
        list(dict.fromkeys(epochs_text))
    )


def _loss(results: CardResults) -> SampleEstimate:
    """The reported test loss: the mean cross-entropy with its interval, shifted by the weight penalties.

    Another loss than cross-entropy has no interval.
    """
    entropy = figure(results, "log_loss")
    reported = [run.figures("test").get("loss") for run in results.runs]
    known = [loss.value for loss in reported if loss is not None and loss.value is not None]
    if entropy.value is None or len(known) < len(reported):
        return SampleEstimate.missing(entropy.n, entropy.reason or "a run has no test loss")
    mean = sum(known) / len(known)
    if results.card.recipe.loss.name != "binary_crossentropy":
        return SampleEstimate(mean, None, None, entropy.n, "the focal loss per image is not stored")
    added = mean - entropy.value
    low, high = (None if end is None else end + added for end in (entropy.low, entropy.high))
    return SampleEstimate(mean, low, high, entropy.n, entropy.reason, entropy.trainings)

"""All metrics of a card's scores over several classes, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmark.evidence.intervals.formulas import (
    Bounds,
    around,
    mean_of_proportions,
    nothing_varies,
    t_quantile,
    z_quantile,
)
from benchmark.evidence.intervals.uncertainty import Interval, interval, of_proportion, successes_and_trials
from benchmark.evidence.metrics.forms import HALF, MeanOfClasses, OfClass, Share
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Floats, Labels, cells, centred
from benchmark.evidence.metrics.multiclass import MulticlassMetric, multiclass_metrics
from benchmark.evidence.metrics.registry import UNDEFINED, Figure, MetricError
from benchmark.evidence.scores import MulticlassScores


def multiclass_figures(
    scores: MulticlassScores,
    decided: Labels,
    class_sizes: ClassSizes = "drawn",
    *,
    costs: Sequence[Sequence[float]] | None = None,
    abstains: bool = False,
) -> dict[str, Figure]:
    """Return every metric of `scores` and decisions with its 95% interval.

    Args:
        scores: Labels (n,) and scores (n, k) of one split. Intervals are by patient if a patient has several images.
        decided: Decisions (n,), class indices, or -1 where the program abstained.
        class_sizes: `fixed` for a test set whose class shares were chosen, as in a balanced test set.
        costs: Costs (k, k) of an image of the class of the row that is called the class of the column; None: there is
            no expected cost.
        abstains: Whether decisions may abstain; then there are coverage and selective accuracy.

    Returns:
        A figure per key, in table order. It is missing, with the reason, where the metric is undefined.

    Raises:
        ValueError: If decisions do not fit the images or classes, or as `multiclass_metrics` does.
    """
    count = len(scores.classes)
    if decided.shape != (len(scores),) or not ((decided >= -1) & (decided < count)).all():
        raise ValueError(f"decisions {decided.shape} must be ({len(scores)},), class indices up to {count - 1} or -1")

    clusters = Clusters(scores.y_true, scores.patient)

    def figure(metric: MulticlassMetric) -> Figure:
        value, reason = metric.evaluate(scores, decided)
        if value is None:
            return Figure(metric.key, None, reason=reason)
        bounds = multiclass_interval(metric, value, scores, decided, clusters, class_sizes=class_sizes)
        return Figure(metric.key, value, bounds.low, bounds.high, bounds.method, bounds.reason)

    records = multiclass_metrics(scores.classes, ordered=scores.ordered, costs=costs, abstains=abstains)
    return {key: figure(metric) for key, metric in records.items()}


def check_decisions(scores: MulticlassScores, decided: Labels) -> None:
    """Check that `decided` has a class index or -1 per image of `scores`. Raises ValueError if it has not."""
    last = len(scores.classes) - 1
    if decided.shape != (len(scores),) or not ((decided >= -1) & (decided <= last)).all():
        raise ValueError(f"decisions {decided.shape} must be ({len(scores)},), class indices up to {last} or -1")


def multiclass_interval(
    metric: MulticlassMetric,
    value: float,
    scores: MulticlassScores,
    decided: Labels,
    clusters: Clusters,
    *,
    class_sizes: ClassSizes = "drawn",
    level: float = 0.95,
) -> Interval:
    """Return the confidence interval of a metric of several classes.

    A metric of one class against the rest has the interval of the binary metric. A proportion has Wilson's interval,
    and the macro mean of proportions has the score interval of a mean (`mean_of_proportions`). All others use the
    variance of the linearised metric with a t quantile, as binary metrics do.

    Args:
        metric: The metric.
        value: Its value on these scores.
        scores: Labels (n,) and scores (n, k).
        decided: Decisions (n,), class indices, or -1 where the program abstained.
        clusters: Labels of the images, and which of them belong to one patient.
        class_sizes: With `drawn`, the shares of the classes are part of the sample. With `fixed`, the interval is about
            a population with exactly these shares.
        level: Confidence level, in (0, 1).

    Returns:
        The interval, or the reason why there is none.
    """
    if clusters.repeated and clusters.count < 2:
        return Interval(None, None, None, "one patient alone shows no spread")
    form = metric.form
    if isinstance(form, OfClass):
        return _of_class(form, value, scores, decided, clusters, class_sizes, level)
    by = ", by patient" if clusters.repeated else ""
    try:
        if isinstance(form, Share) and metric.scale == "Wilson":
            return Interval(*_of_share(form, metric, scores, decided, clusters, class_sizes, level), f"Wilson{by}")
        if isinstance(form, MeanOfClasses) and not form.by_size and _are_proportions(form):
            return Interval(*_of_mean(form, scores, decided, clusters, class_sizes, level), f"score{by}")
        influence = metric.influence_values(scores, decided)
    except MetricError as failure:
        return Interval(None, None, None, str(failure))
    if influence is None:
        return Interval(None, None, None, UNDEFINED)
    influence = centred(influence, scores.y_true, class_sizes)
    quantile = t_quantile(level, clusters.degrees_of_freedom(influence))
    ends = around(metric, value, clusters.variance(influence), quantile)
    if ends is None:
        reason = "linearisation gives no interval at the end of the range, or where nothing varies"
        return Interval(None, None, None, reason)
    return Interval(*ends, f"linearised, {metric.scale}{by}")


def _of_class(
    form: OfClass,
    value: float,
    scores: MulticlassScores,
    decided: Labels,
    clusters: Clusters,
    class_sizes: ClassSizes,
    level: float,
) -> Interval:
    pair = form.pair(scores, decided)
    bounds = interval(
        form.record.name,
        value,
        pair.y_score,
        HALF,
        Clusters(pair.y_true, clusters.index),
        class_sizes=class_sizes,
        level=level,
        strata=scores.y_true,
    )
    return replace(
        bounds, reason=bounds.reason and bounds.reason.replace("of each class", "of the class and of the rest")
    )


def _of_share(
    form: Share,
    metric: MulticlassMetric,
    scores: MulticlassScores,
    decided: Labels,
    clusters: Clusters,
    class_sizes: ClassSizes,
    level: float,
) -> Bounds:
    success, trial = form.parts(scores, decided)
    influence = form.influence_values(scores, decided)
    assert influence is not None  # the share is defined
    influence = centred(influence, scores.y_true, class_sizes)
    exact = class_sizes == "drawn"
    return of_proportion(metric, success, trial, influence, clusters, exact=exact, level=level)


def _are_proportions(form: MeanOfClasses) -> bool:
    record = form.classes[0].record
    return record.ratio is not None and record.scale in ("Wilson", "Dice")


def _of_mean(
    form: MeanOfClasses,
    scores: MulticlassScores,
    decided: Labels,
    clusters: Clusters,
    class_sizes: ClassSizes,
    level: float,
) -> Bounds:
    """Return the score interval of the macro mean of proportions, from their effective sample sizes."""
    record = form.classes[0].record
    assert record.ratio is not None  # as _are_proportions says
    dice = record.scale == "Dice"
    exact = not clusters.repeated and (class_sizes == "drawn" or record.ratio.population == "positives")
    rates, sizes, units, influences = [], [], [], []
    for each in form.classes:
        pair = each.pair(scores, decided)
        success, trial = successes_and_trials(record.ratio, cells(pair.y_true, pair.y_score, HALF))
        influence = each.influence_values(scores, decided)
        assert influence is not None  # the mean is defined, so each class is
        influence = centred(influence, scores.y_true, class_sizes)
        images_per_patient, trials = clusters.sums(trial[None])[0], float(trial.sum())
        rate = float(success.sum()) / trials
        variance = clusters.variance(influence) * ((1 + rate) ** 4 / 4 if dice else 1)
        if exact:
            size = trials
        elif nothing_varies(variance) or not 0 < rate < 1:
            size = trials**2 / float(images_per_patient @ images_per_patient)
        else:
            size = rate * (1 - rate) / variance
        rates.append(rate)
        sizes.append(size)
        units.append(np.count_nonzero(images_per_patient))
        influences.append(influence)
    p, n = np.array(rates), np.array(sizes)
    covariance = clusters.covariance(np.stack(influences))
    alone = float(np.trace(covariance))
    inflation = max(0.0, float(covariance.sum())) / alone if not nothing_varies(alone) else 1.0
    quantile = z_quantile(level) if exact else t_quantile(level, _satterthwaite(p, n, np.array(units)))
    return mean_of_proportions(p, n, quantile, dice=dice, inflation=inflation)


def _satterthwaite(proportions: Floats, sizes: Floats, units: Floats) -> float:
    """Return the degrees of freedom of a sum of variances of proportions (Satterthwaite 1946), at least 1."""
    inside = (sizes * proportions + 1) / (sizes + 2)  # a proportion of 0 or 1 is not known without error
    variances = inside * (1 - inside) / sizes
    return max(1.0, float(variances.sum() ** 2 / (variances**2 / np.maximum(1, units - 1)).sum()))

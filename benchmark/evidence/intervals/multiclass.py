"""All metrics of a card's scores over several classes, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmark.evidence.intervals.formulas import (
    Bounds,
    around,
    mean_of_proportions,
    newcombe_auc,
    nothing_varies,
    t_quantile,
    z_quantile,
)
from benchmark.evidence.intervals.uncertainty import Interval, interval, of_proportion, successes_and_trials
from benchmark.evidence.metrics.forms import HALF, Form, MeanOfClasses, OfClass, Share
from benchmark.evidence.metrics.influence import (
    ClassSizes,
    Clusters,
    Floats,
    Labels,
    cells,
    centred,
    fold_inflation,
    satterthwaite,
)
from benchmark.evidence.metrics.multiclass import MulticlassMetric, multiclass_metrics
from benchmark.evidence.metrics.per_image import correct_decisions
from benchmark.evidence.metrics.registry import UNDEFINED, Figure, MetricError, get_metric
from benchmark.evidence.scores import MulticlassScores

FEWEST = 10
"""With fewer images, or patients, of a class, average precision and weighted precision have no interval."""
STEADY = 10
"""Patients, or images, of a class from which DeLong's variance is more certain than Newcombe's assumption."""
CAUTIOUS = 20
"""With fewer images, or patients, of a class, the intervals of its figures may cover up to all test sets."""


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
    check_decisions(scores, decided)
    clusters = Clusters(scores.y_true, scores.patient)

    def figure(metric: MulticlassMetric) -> Figure:
        value, reason = metric.evaluate(scores, decided)
        if value is None:
            return Figure(metric.key, None, reason=reason)
        bounds = multiclass_interval(metric, value, scores, decided, clusters, class_sizes=class_sizes)
        return Figure(metric.key, value, bounds.low, bounds.high, bounds.method, bounds.reason)

    records = multiclass_metrics(scores.classes, ordered=scores.ordered, costs=costs, abstains=abstains)
    return {key: figure(metric) for key, metric in records.items()}


def few_units(scores: MulticlassScores) -> dict[str, tuple[int, int]]:
    """Return the classes whose intervals are cautious, because they have few images or patients.

    In simulations such intervals, and those of macro averages over such classes, covered 93 to 100% instead of 95%.

    Args:
        scores: Labels (n,) and patients of one split.

    Returns:
        The number of images and of patients (images where patients are not known) by class, if the latter is 1 to 19.
    """
    counts = Clusters(scores.y_true, scores.patient).counts
    images = np.bincount(scores.y_true, minlength=len(scores.classes))
    units = zip(scores.classes, images, counts, strict=False)  # classes after the last one with images have no count
    return {name: (int(count), patients) for name, count, patients in units if 0 < patients < CAUTIOUS}


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
    accuracy on fixed classes of one size that of macro recall, and the macro mean of proportions has the score interval
    of a mean (`mean_of_proportions`). The AUC of a class, which may have few images, and their macro mean have
    Newcombe's interval with an effective sample size. All others use the variance of the linearised metric with a t
    quantile, as binary metrics do.

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
    by = ", by patient" if clusters.repeated else ""
    refusal = _too_few(form, scores, clusters)
    if refusal is not None:
        return Interval(None, None, None, refusal)
    try:
        if isinstance(form, OfClass) and form.record.variance != "DeLong":
            return _of_class(form, value, scores, decided, clusters, class_sizes, level)
        if isinstance(form, OfClass):
            return Interval(*_of_aucs((form,), scores, decided, clusters, class_sizes, level), f"Newcombe{by}")
        if isinstance(form, MeanOfClasses) and not form.by_size and form.classes[0].record.variance == "DeLong":
            return Interval(*_of_aucs(form.classes, scores, decided, clusters, class_sizes, level), f"Newcombe{by}")
        if isinstance(form, Share) and class_sizes == "fixed" and _is_macro_recall(form, scores):
            recalls = MeanOfClasses(tuple(OfClass(get_metric("recall"), label) for label in range(len(scores.classes))))
            return Interval(*_of_mean(recalls, scores, decided, clusters, class_sizes, level), f"score{by}")
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
    return interval(
        form.record.name,
        value,
        pair.y_score,
        HALF,
        Clusters(pair.y_true, clusters.index),
        class_sizes=class_sizes,
        level=level,
        strata=scores.y_true,
        fold=pair.fold,
    )


def _too_few(form: Form, scores: MulticlassScores, clusters: Clusters) -> str | None:
    """Return why a class has too few images for the interval of an average precision or of a weighted precision."""
    of_classes = form.classes if isinstance(form, MeanOfClasses) else (form,) if isinstance(form, OfClass) else ()
    needing = "precision" if isinstance(form, MeanOfClasses) and form.by_size else "average_precision"
    return next(
        (_refusal(e, scores, clusters) for e in of_classes if e.record.name == needing and _few(e, clusters)), None
    )


def too_few_for_seeds(metric: MulticlassMetric, scores: MulticlassScores, clusters: Clusters) -> str | None:
    """Return why a class has too few images for the interval of a mean over seeds; None if it has enough.

    Beside the figures that have no interval with one seed, this is the AUC of a class, whose interval over seeds
    follows DeLong's variance: in simulations it covered 90 to 93% with 4 to 9 images or patients of the class.

    Args:
        metric: The metric.
        scores: Labels (n,) and scores (n, k) of one seed.
        clusters: Labels of the images, and which of them belong to one patient.

    Returns:
        The reason.
    """
    form = metric.form
    if isinstance(form, OfClass) and form.record.variance == "DeLong" and _few(form, clusters):
        return _refusal(form, scores, clusters)
    return _too_few(form, scores, clusters)


def _few(form: OfClass, clusters: Clusters) -> bool:
    return form.label >= len(clusters.counts) or clusters.counts[form.label] < FEWEST


def _refusal(form: OfClass, scores: MulticlassScores, clusters: Clusters) -> str:
    units = "patients" if clusters.repeated else "images"
    name, count = scores.classes[form.label], dict(enumerate(clusters.counts)).get(form.label, 0)
    words = {"precision": "weighted precision", "auc": "the AUC of a class over several seeds"}
    metric = words.get(form.record.name, form.record.name.replace("_", " "))
    return f"{metric} needs {FEWEST} {units} of each class for an interval; {name} has {count}"


def _of_aucs(
    of_classes: tuple[OfClass, ...],
    scores: MulticlassScores,
    decided: Labels,
    clusters: Clusters,
    class_sizes: ClassSizes,
    level: float,
) -> Bounds:
    """Return the score interval of a mean of AUCs, or of one AUC, with Newcombe's variance (Newcombe 2006).

    His variance assumes a shape of the scores, and DeLong's does not, but is uncertain with few images. So the ratio of
    both enters as far as there are images: of p patients of the class it has the weight p / (p + STEADY).

    By patient the quantile is Student's, since that ratio is estimated. Its degrees of freedom are the effective number
    of patients less one (Kish 1965), over the weight of the ratio.
    """
    values, positives, scales, influences, freedoms = [], [], [], [], []
    for each in of_classes:
        pair = each.pair(scores, decided)
        value, influence = each.evaluate(scores, decided)[0], each.influence_values(scores, decided)
        assert value is not None  # the mean is defined, so each class is
        assert influence is not None
        influence = centred(influence, scores.y_true, class_sizes)
        count = int(pair.y_true.sum())
        units = clusters.counts[each.label]
        variance = clusters.variance(influence)
        effective = clusters.effective_count(pair.y_true.astype(np.float64))
        known = units / (units + STEADY)
        if 0 < value < 1 and not nothing_varies(variance):
            within = max(1.0, variance / Clusters(clusters.y_true).variance(influence)) if clusters.repeated else 1.0
            expected = newcombe_auc(np.array([count]), np.array([len(scores) - count]))(np.array([value]))[0]
            scale = known * variance / expected + (1 - known) * within * fold_inflation(scores.fold)
        else:  # as if all images of a patient were equal (Kish 1965)
            scale = count / effective * fold_inflation(scores.fold)
        values.append(value)
        positives.append(count)
        scales.append(scale)
        influences.append(influence)
        freedoms.append(max(1.0, effective - 1) / known)
    aucs, m = np.array(values), np.array(positives, dtype=np.float64)
    newcombe = newcombe_auc(m, len(scores) - m)

    def variances(true: Floats) -> Floats:
        return np.array(scales) * newcombe(true)

    at = np.clip(aucs, 0.01, 0.99)
    sizes = at * (1 - at) / variances(at)
    inflation = _inflation(clusters, np.stack(influences))
    df = satterthwaite(variances(at), np.array(freedoms))
    quantile = t_quantile(level, df) if clusters.repeated else z_quantile(level)
    return mean_of_proportions(aucs, sizes, quantile, inflation=inflation, variances=variances)


def _inflation(clusters: Clusters, influences: Floats) -> float:
    """Return the variance of a mean of metrics with influence values (k, n), as a multiple of that of independent ones.

    If the mean is the same for every cluster, its uncertainty is unknown, and the metrics count as independent.
    """
    covariance = clusters.covariance(influences)
    alone, together = float(np.trace(covariance)), float(covariance.sum())
    least = clusters.rounding(influences)
    return 1.0 if nothing_varies(alone) or alone <= least or together <= least else together / alone


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
    inflation = fold_inflation(scores.fold)
    return of_proportion(metric, success, trial, influence, clusters, exact=exact, level=level, inflation=inflation)


def _is_macro_recall(form: Share, scores: MulticlassScores) -> bool:
    """Return whether a share is accuracy on equally many images of each class, which is the macro recall."""
    sizes = np.bincount(scores.y_true, minlength=len(scores.classes))
    return form.per_image is correct_decisions and form.trial is None and bool((sizes == sizes[0]).all())


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
    rates, sizes, effectives, influences = [], [], [], []
    for each in form.classes:
        pair = each.pair(scores, decided)
        success, trial = successes_and_trials(record.ratio, cells(pair.y_true, pair.y_score, HALF))
        influence = each.influence_values(scores, decided)
        assert influence is not None  # the mean is defined, so each class is
        influence = centred(influence, scores.y_true, class_sizes)
        trials, effective = float(trial.sum()), clusters.effective_count(trial)
        rate = float(success.sum()) / trials
        variance = clusters.variance(influence) * ((1 + rate) ** 4 / 4 if dice else 1)
        if exact:
            size = trials / fold_inflation(scores.fold)
        elif nothing_varies(variance) or not 0 < rate < 1:
            size = effective / fold_inflation(scores.fold)
        else:
            size = rate * (1 - rate) / variance
        rates.append(rate)
        sizes.append(size)
        effectives.append(effective)
        influences.append(influence)
    p, n = np.array(rates), np.array(sizes)
    inflation = _inflation(clusters, np.stack(influences))
    inside = (n * p + 1) / (n + 2)  # a proportion of 0 or 1 is not known without error
    df = satterthwaite(inside * (1 - inside) / n, np.maximum(1, np.array(effectives) - 1))
    quantile = z_quantile(level) if exact else t_quantile(level, df)
    return mean_of_proportions(p, n, quantile, dice=dice, inflation=inflation)

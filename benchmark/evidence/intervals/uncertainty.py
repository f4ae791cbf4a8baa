"""Confidence interval of a metric on one card's scores: its uncertainty over images or patients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmark.evidence.intervals.formulas import (
    Bounds,
    Scaled,
    around,
    effective_wilson,
    f1_of_jaccard,
    mover,
    newcombe_auc,
    nothing_varies,
    t_quantile,
    z_quantile,
)
from benchmark.evidence.metrics.influence import (
    ClassSizes,
    Clusters,
    Cut,
    Floats,
    Labels,
    cells,
    centred,
    fold_inflation,
)
from benchmark.evidence.metrics.registry import UNDEFINED, Metric, MetricError, Ratio, get_metric

FEW = 20
"""With fewer images of a class, or effective patients, metrics under fixed class sizes follow from recall and
specificity, whose intervals are exact enough."""
FEWEST_NEGATIVES = 10
"""With fewer negative images, or patients, less than a quarter of all, average precision has no interval: it covered 84
to 91%."""
_PRIOR = 8  # degrees of freedom that Newcombe's variance of an AUC is worth beside DeLong's
_ROUNDING = 1e-9  # an end may differ from the value by this where they are equal


@dataclass(frozen=True)
class Interval:
    """Bounds of a metric and the `method` that gave them; None with a `reason` where there are none."""

    low: float | None
    high: float | None
    method: str | None
    reason: str | None = None

    @property
    def bounds(self) -> Bounds | None:
        """Both ends; None where there is no interval."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def interval(
    metric: str,
    value: float,
    y_score: Floats,
    threshold: Cut,
    clusters: Clusters,
    *,
    class_sizes: ClassSizes = "drawn",
    level: float = 0.95,
    strata: Labels | None = None,
    fold: Labels | None = None,
) -> Interval:
    """Return the confidence interval of a metric.

    Independent images have Wilson's interval for proportions. A share of all images, such as accuracy, adds the squares
    of its parts in the classes if their sizes were fixed. All other intervals use the variance of the linearised metric
    with a t quantile; for the AUC, DeLong's variance is moderated by Newcombe's. Its degrees of freedom are those of
    `Clusters.design_freedom` for proportions (Korn and Graubard 1998) and for the AUC, and those of
    `Clusters.degrees_of_freedom` otherwise (Pan and Wall 2002).

    Where a linearised variance fails: an AUC of 0 or 1 has an exact interval. If a class is small or all its decisions
    are right, and its size was fixed, a metric of decisions follows from recall and specificity by square and add (Zou
    and Donner 2008).

    Args:
        metric: Name of the metric.
        value: Its value on these scores.
        y_score: Scores (n,) in [0, 1].
        threshold: Scores at or above it are called positive; one for all images, or one per image (n,).
        clusters: Labels of the images, and which of them belong to one patient.
        class_sizes: With `drawn`, the share of positives is part of the sample. With `fixed`, the interval is about a
            population with exactly this share.
        level: Confidence level, in (0, 1).
        strata: For one of several classes against the rest, the class of each image (n,), since the size of each class
            may be fixed; None: the labels of `clusters`.
        fold: The fold whose model scored each image (n,); None for the scores of one model.

    Returns:
        The interval, or the reason why there is none. An interval that does not contain the value is left out: then
        the functions of the metric contradict each other.

    Raises:
        KeyError: If the metric is unknown or a count.
    """
    try:
        record = get_metric(metric)
        influence = record.influence_values(clusters.y_true, y_score, threshold, fold, clusters.index)
        computed = _computed(record, value, y_score, threshold, clusters, class_sizes, level, strata, fold, influence)
    except MetricError as failure:
        return Interval(None, None, None, str(failure))
    if computed.low is None or computed.high is None or computed.low - _ROUNDING <= value <= computed.high + _ROUNDING:
        return computed
    ends = f"{computed.low:g} to {computed.high:g}"
    return Interval(None, None, None, f"the interval of {metric}, {ends}, does not contain its value {value:g}")


def _computed(
    record: Metric,
    value: float,
    y_score: Floats,
    threshold: Cut,
    clusters: Clusters,
    class_sizes: ClassSizes,
    level: float,
    strata: Labels | None,
    fold: Labels | None,
    influence: Floats | None,
) -> Interval:
    y_true = clusters.y_true
    if influence is None:
        return Interval(None, None, None, UNDEFINED)
    if clusters.repeated and clusters.count < 2:
        return Interval(None, None, None, "one patient alone shows no spread")
    by = ", by patient" if clusters.repeated else ""
    cell = cells(y_true, y_score, threshold)
    if record.ratio is not None and record.ratio.population == "images" and class_sizes == "fixed" and strata is None:
        share = float(y_true.mean())
        if 0 < share < 1:
            bounds = _of_mean(_of_each_class(record.ratio), record, cell, clusters, level, fold, (share, 1 - share))
            return Interval(*bounds, f"square-and-add{by}")
    by_rates = class_sizes == "fixed" and strata is None and _rates_needed(record, cell, clusters)
    if record.ratio is not None and record.scale in ("Wilson", "Dice") and not by_rates:
        bounds = _of_proportion(record.ratio, record, cell, influence, clusters, class_sizes, level, strata, fold)
        return Interval(*bounds, f"Wilson{by}")
    if record.mean_of is not None and record.scale == "square-and-add":
        return Interval(*_of_mean(record.mean_of, record, cell, clusters, level, fold), f"square-and-add{by}")
    if by_rates:
        return Interval(*_of_rates(record, value, cell, clusters, level, fold), f"square-and-add{by}")
    delong = record.variance == "DeLong"
    if delong and min(clusters.counts) < 2:
        return Interval(None, None, None, f"DeLong needs two {'patients' if by else 'images'} of each class")
    if record.name == "average_precision" and clusters.counts[0] < min(FEWEST_NEGATIVES, clusters.count / 4):
        units = "patients" if clusters.repeated else "images"
        needed = f"average precision needs {FEWEST_NEGATIVES} negative {units} for an interval if most are positive"
        return Interval(None, None, None, f"{needed}; there are {clusters.counts[0]}")
    if delong and abs(value - 0.5) >= 0.5 - _ROUNDING:
        return Interval(*_of_separated_classes(value, clusters, fold, level), f"exact pairs{by}")
    influence = centred(influence, y_true if strata is None else strata, class_sizes)
    variance = clusters.variance(influence)
    if delong:
        variance, df = _moderated(value, variance, influence, clusters, fold)
    else:
        df = clusters.degrees_of_freedom(influence)
    ends = around(record, value, variance, t_quantile(level, df))
    if ends is None:
        name = "DeLong gives" if delong else "linearisation gives"
        return Interval(None, None, None, f"{name} no interval at the end of the range, or where nothing varies")
    return Interval(*ends, f"{record.variance}, {record.scale}{by}")


def _moderated(
    auc: float, variance: float, influence: Floats, clusters: Clusters, fold: Labels | None
) -> tuple[float, float]:
    """Return the moderated variance of an AUC, and its degrees of freedom (Smyth 2004).

    DeLong's variance assumes nothing about the scores, but is uncertain, and mostly too small, if a class is small or
    the AUC is near 1. Newcombe's follows from the AUC and the class sizes, and assumes a shape of the scores. Both are
    averaged by their degrees of freedom, which add up; so Newcombe's is of no account in a large test set.

    Args:
        auc: The AUC, within (0, 1).
        variance: DeLong's variance.
        influence: Influence values (n,).
        clusters: The patients of the images.
        fold: The fold whose model scored each image (n,); None for the scores of one model.

    Returns:
        The variance and its degrees of freedom; 0 and infinity if nothing varies.
    """
    if nothing_varies(variance):
        return 0.0, math.inf
    df = clusters.design_freedom(influence)
    negatives, positives = np.bincount(clusters.y_true, minlength=2)[:, None].astype(np.float64)
    prior = float(newcombe_auc(positives, negatives)(np.array([auc]))[0]) * fold_inflation(fold)
    if clusters.repeated:
        alone = Clusters(clusters.y_true).variance(influence)
        prior *= max(1.0, 1.0 if nothing_varies(alone) else variance / alone)
    return (df * variance + _PRIOR * prior) / (df + _PRIOR), df + _PRIOR


def _rates_needed(metric: Metric, cell: Labels, clusters: Clusters) -> bool:
    """Return whether linearisation fails under fixed class sizes: a class is small, or all its decisions are equal."""
    of_one_class = metric.ratio is not None and metric.ratio.population in ("positives", "negatives")
    if of_one_class or not metric.uses_threshold:
        return False
    tp, fp, tn, fn = np.bincount(cell, minlength=4).tolist()
    if not tp + fn or not tn + fp:
        return False
    return not (tp and fn and tn and fp) or min(clusters.effective_counts()) < FEW


def _of_rates(
    metric: Metric, value: float, cell: Labels, clusters: Clusters, level: float, fold: Labels | None
) -> Bounds:
    """Return the interval of a function of recall and specificity, at fixed class sizes, by square and add.

    The metric moves by so much if one of the rates moves to an end of its interval. The squares of these moves add up,
    as the variances of both rates do (Zou and Donner 2008).
    """
    counts = np.bincount(cell, minlength=4).astype(np.float64)
    tp, fp, tn, fn = counts
    rates = np.array([tp / (tp + fn), tn / (tn + fp)])
    bounds, influences = [], []
    for name in ("recall", "specificity"):
        ratio = get_metric(name).ratio
        assert ratio is not None
        gradient = ratio.gradient(counts)
        assert gradient is not None  # both classes are present
        influence = gradient[cell] * np.sqrt(fold_inflation(fold))
        bounds.append(_of_proportion(ratio, get_metric(name), cell, influence, clusters, "drawn", level, fold=fold))
        influences.append(influence)
    (low, high), (specificity_low, specificity_high) = bounds
    recall = np.array([low, high, rates[0], rates[0]])
    specificity = np.array([rates[1], rates[1], specificity_low, specificity_high])
    matrices = [recall * (tp + fn), (1 - specificity) * (tn + fp), specificity * (tn + fp), (1 - recall) * (tp + fn)]
    with np.errstate(divide="ignore", invalid="ignore"):
        moves = metric.of_weighted_counts(np.stack(matrices)) - value
    if np.isnan(moves).any():
        raise MetricError(f"no interval: {metric.label} is undefined at an end of the interval of a rate")
    moves = moves.reshape(2, 2)
    agree = 1 if (moves[0, 1] >= moves[0, 0]) == (moves[1, 1] >= moves[1, 0]) else -1
    correlation = agree * clusters.correlation(influences[0], influences[1])
    down, up = -np.minimum(moves.min(axis=1), 0), np.maximum(moves.max(axis=1), 0)
    below, above = (math.sqrt(max(0.0, a * a + b * b + 2 * correlation * a * b)) for a, b in (down, up))
    least, greatest = metric.range
    return max(least, value - below), min(greatest, value + above)


def effective_sample_sizes(
    y_true: Labels, y_score: Floats, threshold: Cut, clusters: Clusters, level: float = 0.95
) -> tuple[float, float] | None:
    """Return the effective sample sizes of specificity and recall (Rao and Scott 1992, Korn and Graubard 1998).

    Args:
        y_true: Labels (n,), 0 or 1.
        y_score: Scores (n,) in [0, 1].
        threshold: Scores at or above it are called positive.
        clusters: Which images belong to one patient.
        level: Confidence level at which the sizes are used; a t quantile makes them smaller.

    Returns:
        The number of independent negatives and positives with the same variance, at most the actual numbers; None if no
        patient has several images or a class is missing.
    """
    if not clusters.repeated or len(set(y_true.tolist())) < 2:
        return None
    sizes = []
    for metric in ("specificity", "recall"):
        record, cell = get_metric(metric), cells(y_true, y_score, threshold)
        influence = record.influence_values(y_true, y_score, threshold)
        assert influence is not None  # both classes are present
        assert record.ratio is not None
        successes, trials = successes_and_trials(record.ratio, cell)
        rate = float(successes.sum() / trials.sum())
        variance = clusters.variance(influence)
        if 0 < rate < 1 and not nothing_varies(variance):
            narrowing = (z_quantile(level) / t_quantile(level, clusters.design_freedom(influence, trials))) ** 2
            sizes.append(min(float(trials.sum()), rate * (1 - rate) / variance * narrowing))
        else:  # as if all images of a patient were equal (Kish 1965)
            sizes.append(clusters.effective_count(trials))
    return sizes[0], sizes[1]


def successes_and_trials(ratio: Ratio, cell: Labels) -> tuple[Floats, Floats]:
    """Return successes and trials, (n,) of 0 and 1, of a proportion or of the Jaccard index J of a Dice coefficient."""
    above, below = (np.array(part, dtype=np.float64).clip(max=1)[cell] for part in (ratio.numerator, ratio.denominator))
    return above, below


def _of_proportion(
    ratio: Ratio,
    metric: Metric,
    cell: Labels,
    influence: Floats,
    clusters: Clusters,
    class_sizes: ClassSizes,
    level: float,
    strata: Labels | None = None,
    fold: Labels | None = None,
) -> Bounds:
    """Return Wilson's interval, with an effective sample size if images or models are related, or sizes were fixed."""
    success, trial = successes_and_trials(ratio, cell)
    fixed = ("positives", "negatives") if strata is None else ("positives",)  # the rest has several classes
    exact = class_sizes == "drawn" or ratio.population in fixed
    labels = clusters.y_true if strata is None else strata
    influence = influence if exact and not clusters.repeated else centred(influence, labels, class_sizes)
    inflation = fold_inflation(fold)
    return of_proportion(metric, success, trial, influence, clusters, exact=exact, level=level, inflation=inflation)


def of_proportion(
    metric: Scaled,
    success: Floats,
    trial: Floats,
    influence: Floats,
    clusters: Clusters,
    *,
    exact: bool,
    level: float = 0.95,
    inflation: float = 1.0,
) -> Bounds:
    """Return Wilson's interval of a proportion, with an effective sample size where it needs one.

    Args:
        metric: A metric of the scale `Wilson` or `Dice`; the latter is 2J / (1 + J) of the proportion J.
        success: Whether each image is a success (n,), 0 or 1, at most `trial`.
        trial: Whether each image is a trial (n,), 0 or 1, at least one of them.
        influence: Influence values (n,) of the metric, centred if class sizes were fixed.
        clusters: The patients of the images.
        exact: Whether independent images have the binomial variance, since class sizes do not change it.
        level: Confidence level, in (0, 1).
        inflation: A factor, at least 1, on the variance, which `influence` has already: that of a cross-validation.

    Returns:
        Both ends, in [0, 1].
    """
    successes, trials = int(success.sum()), int(trial.sum())
    dice = metric.scale == "Dice"
    if not clusters.repeated and exact:
        bounds = effective_wilson(successes / trials, trials / inflation, z_quantile(level))
    else:
        rate = f1_of_jaccard(successes / trials) if dice else successes / trials
        # Not the degrees of freedom of the variance: a few errors make them few, and Wilson's interval allows for that.
        quantile = t_quantile(level, clusters.design_freedom(influence, trial))
        linearised = around(metric, rate, clusters.variance(influence), quantile)
        if linearised is not None:
            return linearised
        # Nothing varies, as if one class is called only: take all images of a patient as equal (Kish 1965).
        bounds = effective_wilson(successes / trials, clusters.effective_count(trial) / inflation, z_quantile(level))
    return (f1_of_jaccard(bounds[0]), f1_of_jaccard(bounds[1])) if dice else bounds


def _of_each_class(ratio: Ratio) -> tuple[Ratio, Ratio]:
    """Return the parts of a share of all images in the positives and in the negatives, as recall and specificity."""
    tp, fp, tn, fn = ratio.numerator
    return Ratio((tp, 0, 0, fn), (1, 0, 0, 1)), Ratio((0, fp, tn, 0), (0, 1, 1, 0))


def _of_mean(
    ratios: tuple[Ratio, Ratio],
    metric: Metric,
    cell: Labels,
    clusters: Clusters,
    level: float,
    fold: Labels | None,
    weights: tuple[float, float] = (0.5, 0.5),
) -> Bounds:
    """Return the interval of a weighted mean of two ratios a and b, as a - (-b), from the interval of each."""
    counts = np.bincount(cell, minlength=4).astype(np.float64)
    rates, bounds, influences = [], [], []
    for ratio, weight in zip(ratios, weights, strict=True):
        gradient = ratio.gradient(counts)
        assert gradient is not None  # the mean is defined, so both are
        success, trial = successes_and_trials(ratio, cell)
        influence = gradient[cell] * np.sqrt(fold_inflation(fold))
        low, high = _of_proportion(ratio, metric, cell, influence, clusters, "drawn", level, fold=fold)
        rates.append(weight * float(success.sum() / trial.sum()))
        bounds.append((weight * low, weight * high))
        influences.append(influence)
    low, high = bounds[1]
    correlation = -clusters.correlation(influences[0], influences[1])
    return mover((rates[0], -rates[1]), bounds[0], (-high, -low), correlation)


def _of_separated_classes(value: float, clusters: Clusters, fold: Labels | None, level: float) -> Bounds:
    """Return the exact interval of an AUC of 0 or 1, whatever the distributions of the scores.

    Pair each unit of the smaller class with one of the other: these pairs are independent, and each is right with the
    probability that is the AUC. All of them are right with probability AUC^pairs, so the lower end is that of Clopper
    and Pearson 1934 for as many successes. The images of a patient count as one unit (Kish 1965); with folds, pairs are
    within a fold.
    """
    folds = np.zeros(len(clusters.y_true), dtype=np.int64) if fold is None else fold
    parts = [folds == index for index in np.unique(folds)]
    pairs = sum(max(1.0, min(clusters.effective_counts(part.astype(np.float64)))) for part in parts)
    pairs = min(pairs, clusters.count / 2)  # a patient with images of both classes is in one pair
    end = ((1 - level) / 2) ** (1 / pairs)
    return (end, 1.0) if value > 0.5 else (0.0, 1 - end)

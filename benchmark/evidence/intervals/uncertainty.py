"""The interval of a metric on one card's scores: how far it would move with other images, or other patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.evidence.intervals.formulas import (
    Bounds,
    around,
    effective_wilson,
    f1_of_jaccard,
    mover,
    nothing_varies,
    t_quantile,
    wilson,
    z_quantile,
)
from benchmark.evidence.metrics.definitions import UNDEFINED, Metric, Ratio, get_metric
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Floats, Labels, cells, centred


@dataclass(frozen=True)
class Interval:
    """Bounds of a metric and the `method` they come from; None with a `reason` where there are none."""

    low: float | None
    high: float | None
    method: str | None
    reason: str | None = None


def interval(
    metric: str,
    value: float,
    y_score: Floats,
    threshold: float,
    units: Clusters,
    *,
    class_sizes: ClassSizes = "drawn",
    level: float = 0.95,
) -> Interval:
    """Interval of `metric`, which is `value` on the labels of `units` and the `y_score` (n,) in [0, 1].

    Several images of one patient count as the related observations that they are. With `class_sizes="drawn"` the
    images are a sample with its own share of positives, and the interval is about the population; with "fixed" it is
    about a population with just this share. Independent images have Wilson's interval for proportions and DeLong's
    for the AUC; all else rests on the variance of the linearised metric with a t quantile: for proportions with the
    number of patients less one (Korn and Graubard 1998), else as `Units.degrees_of_freedom` says (Pan and Wall 2002).
    Raises KeyError for a metric without influences, such as a count.
    """
    y_true = units.y_true
    record = get_metric(metric)
    moved = record.influences(y_true, y_score, threshold)
    if moved is None:
        return Interval(None, None, None, UNDEFINED)
    if units.repeated and units.count < 2:
        return Interval(None, None, None, "one patient alone shows no spread")
    by = ", by patient" if units.repeated else ""
    cell = cells(y_true, y_score, threshold)
    if record.ratio is not None and record.scale in ("Wilson", "Dice"):
        bounds = _of_proportion(record.ratio, record, cell, moved, units, class_sizes, level)
        return Interval(*bounds, f"Wilson{by}")
    if record.mean_of is not None and record.scale == "square-and-add":
        return Interval(*_of_mean(record.mean_of, record, cell, units, level), f"square-and-add{by}")
    delong = record.variance == "DeLong"
    if delong and min(units.counts) < 2:
        return Interval(None, None, None, f"DeLong needs two {'patients' if by else 'images'} of each class")
    moved = centred(moved, y_true, class_sizes)
    independent = delong and not units.repeated
    quantile = z_quantile(level) if independent else t_quantile(level, units.degrees_of_freedom(moved))
    ends = around(record, value, units.variance(moved), quantile)
    if ends is None:
        name = "DeLong gives" if delong else "linearisation gives"
        return Interval(None, None, None, f"{name} no interval at the end of the range, or where nothing varies")
    return Interval(*ends, f"{record.variance}, {record.scale}{by}")


def effective_sample_sizes(
    y_true: Labels, y_score: Floats, threshold: float, units: Clusters, level: float = 0.95
) -> tuple[float, float] | None:
    """How many independent images the negatives and the positives are worth for the shares of them that are called
    right, at `level` (Rao and Scott 1992, Korn and Graubard 1998), never more than there are; None where no patient
    has several, or a class is missing."""
    if not units.repeated or len(set(y_true.tolist())) < 2:
        return None
    found = []
    for metric in ("specificity", "recall"):
        record, cell = get_metric(metric), cells(y_true, y_score, threshold)
        moved = record.influences(y_true, y_score, threshold)
        assert moved is not None  # both classes are there
        assert record.ratio is not None
        right, of_class = _counted(record.ratio, cell)
        shares, rate = units.sums(of_class[None])[0], float(right.sum() / of_class.sum())
        variance = units.variance(moved)
        if 0 < rate < 1 and not nothing_varies(variance):
            freedom = max(1, int(np.count_nonzero(shares)) - 1)
            narrowed = (z_quantile(level) / t_quantile(level, freedom)) ** 2
            found.append(min(float(of_class.sum()), rate * (1 - rate) / variance * narrowed))
        else:  # as if all images of a patient were alike (Kish 1965)
            found.append(float(of_class.sum() ** 2 / (shares @ shares)))
    return found[0], found[1]


def _counted(ratio: Ratio, cell: Labels) -> tuple[Floats, Floats]:
    """Which images are a success, and which count at all (n,), of a proportion or of the J of a Dice coefficient."""
    above, below = (np.array(part, dtype=np.float64).clip(max=1)[cell] for part in (ratio.numerator, ratio.denominator))
    return above, below


def _of_proportion(
    ratio: Ratio,
    metric: Metric,
    cell: Labels,
    moved: Floats,
    units: Clusters,
    class_sizes: ClassSizes,
    level: float,
) -> Bounds:
    """Wilson's interval; with an effective sample size where images are related or class sizes were fixed."""
    success, counts = _counted(ratio, cell)
    successes, images = int(success.sum()), int(counts.sum())
    dice = metric.scale == "Dice"
    if not units.repeated and (class_sizes == "drawn" or ratio.population in ("positives", "negatives")):
        bounds = wilson(successes, images, level)
    else:
        moved = centred(moved, units.y_true, class_sizes)
        shares = units.sums(counts[None])[0]
        rate = f1_of_jaccard(successes / images) if dice else successes / images
        # Not those of the variance itself: a few errors make them few, and Wilson's interval already allows for that.
        quantile = t_quantile(level, max(1, int(np.count_nonzero(shares)) - 1))
        spread = around(metric, rate, units.variance(moved), quantile)
        if spread is not None:
            return spread
        # Nothing varies, as where one class is called: as if all images of a patient were alike (Kish 1965).
        bounds = effective_wilson(successes / images, images**2 / float(shares @ shares), z_quantile(level))
    return (f1_of_jaccard(bounds[0]), f1_of_jaccard(bounds[1])) if dice else bounds


def _of_mean(ratios: tuple[Ratio, Ratio], metric: Metric, cell: Labels, units: Clusters, level: float) -> Bounds:
    """Half of a - (-b), from the interval of each of the two ratios a and b."""
    counts = np.bincount(cell, minlength=4).astype(np.float64)
    rates, bounds, influences = [], [], []
    for ratio in ratios:
        gradient = ratio.gradient(counts)
        assert gradient is not None  # the mean is defined, so both are
        success, counted = _counted(ratio, cell)
        rates.append(float(success.sum() / counted.sum()))
        bounds.append(_of_proportion(ratio, metric, cell, gradient[cell], units, "drawn", level))
        influences.append(gradient[cell])
    low, high = bounds[1]
    correlation = -units.correlation(influences[0], influences[1])
    low, high = mover((rates[0], -rates[1]), bounds[0], (-high, -low), correlation)
    return low / 2, high / 2

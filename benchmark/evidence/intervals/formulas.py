"""Formulas of confidence intervals: of proportions, of areas under the ROC curve, and of a metric from its variance."""

from __future__ import annotations

import math

from scipy.special import ndtri, stdtrit

from benchmark.evidence.metrics.definitions import Metric

Bounds = tuple[float, float]
_ROUNDING = 1e-24  # a variance no larger comes from adding up equal numbers


def wilson(successes: int, n: int, level: float = 0.95) -> Bounds:
    """Wilson's score interval of a proportion (Wilson 1927). Raises ValueError unless 0 <= successes <= n, n > 0."""
    if not 0 <= successes <= n or n <= 0:
        raise ValueError(f"{successes} of {n} is not a proportion")
    return effective_wilson(successes / n, n, z_quantile(level))


def effective_wilson(proportion: float, n: float, quantile: float) -> Bounds:
    """Wilson's interval with an effective sample size `n` in place of a count, at a `quantile` of the normal or t
    distribution (Korn and Graubard 1998, Dean and Pacheco 2009)."""
    squared = quantile * quantile
    scale = 1 + squared / n
    centre = (proportion + squared / (2 * n)) / scale
    half = quantile / scale * math.sqrt(proportion * (1 - proportion) / n + squared / (4 * n * n))
    low = 0.0 if proportion == 0 else max(0.0, centre - half)
    high = 1.0 if proportion == 1 else min(1.0, centre + half)
    return low, high


def wilson_from_rate(value: float, n: int, decimals: int, level: float = 0.95) -> Bounds | None:
    """Wilson's interval of a printed proportion of n; None when no whole number of n prints as `value`."""
    successes = round(value * n)
    if not 0 <= successes <= n or abs(successes / n - value) > 0.5 * 10.0**-decimals + 1e-12:
        return None
    return wilson(successes, n, level)


def newcombe(k1: int, n1: int, k2: int, n2: int, level: float = 0.95) -> Bounds:
    """Interval of p1 - p2 of two independent proportions (Newcombe 1998, method 10)."""
    p1, p2 = k1 / n1, k2 / n2
    (l1, u1), (l2, u2) = wilson(k1, n1, level), wilson(k2, n2, level)
    difference = p1 - p2
    return (
        difference - math.hypot(p1 - l1, u2 - p2),
        difference + math.hypot(u1 - p1, p2 - l2),
    )


def hanley_mcneil(auc: float, positives: int, negatives: int) -> float:
    """Standard error of an AUC from its value and the class sizes alone (Hanley and McNeil 1982)."""
    if not 0 <= auc <= 1 or positives < 1 or negatives < 1:
        raise ValueError(f"AUC {auc} with {positives} + {negatives} images is not possible")
    q1 = auc / (2 - auc)
    q2 = 2 * auc * auc / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc * auc) + (negatives - 1) * (q2 - auc * auc)
    return math.sqrt(max(0.0, variance) / (positives * negatives))


def printed_auc_interval(low: float, high: float, decimals: int, positives: int, negatives: int) -> Bounds:
    """95% interval of an AUC printed as `low` to `high` (the same for one figure) with `decimals`, from the class sizes
    alone (Hanley and McNeil 1982). A printed 0 or 1 has no standard error; it gets that of what is rounded to it."""
    rounding = 0.5 * 10.0**-decimals
    errors = [
        hanley_mcneil(min(max(end, rounding), 1 - rounding) if end in (0, 1) else end, positives, negatives)
        for end in (low, high)
    ]
    z = z_quantile(0.95)
    return max(0.0, low - z * errors[0]), min(1.0, high + z * errors[1])


def mover(values: Bounds, first: Bounds, second: Bounds, correlation: float) -> Bounds:
    """Interval of a difference from the two `values`, the interval of each and the correlation of their estimates
    (Zou and Donner 2008; for two proportions Newcombe 1998's square-and-add)."""
    a, b = values
    below = (a - first[0], second[1] - b)
    above = (first[1] - a, b - second[0])
    low, high = (math.sqrt(max(0.0, x * x + y * y - 2 * correlation * x * y)) for x, y in (below, above))
    return a - b - low, a - b + high


def around(metric: Metric, value: float, variance: float, quantile: float) -> Bounds | None:
    """Interval of `metric` from its variance, on its scale.

    Args:
        metric: What `value` is of, not a count.
        value: The estimate.
        variance: Its variance.
        quantile: Of the normal or t distribution.

    Returns:
        Both ends; None where the value lies at the end of its range or nothing varies.
    """
    low, high = metric.range
    if nothing_varies(variance) or not low < value < high:
        return None
    half = quantile * math.sqrt(variance)
    if metric.scale == "logit":
        logit, half = math.log(value / (1 - value)), half / (value * (1 - value))
        return _expit(logit - half), _expit(logit + half)
    if metric.scale == "log":
        factor = math.exp(half / value)
        return value / factor, min(value * factor, high)
    if metric.scale == "Fisher z":
        z, half = math.atanh(value), half / (1 - value * value)
        return math.tanh(z - half), math.tanh(z + half)
    if metric.scale == "Dice":
        jaccard = value / (2 - value)
        low, high = effective_wilson(jaccard, jaccard * (1 - jaccard) / (variance * (1 + jaccard) ** 4 / 4), quantile)
        return f1_of_jaccard(low), f1_of_jaccard(high)
    return effective_wilson(value, value * (1 - value) / variance, quantile)


def nothing_varies(variance: float) -> bool:
    """Whether a variance is 0 but for rounding."""
    return variance <= _ROUNDING


def f1_of_jaccard(jaccard: float) -> float:
    """F1 from J = TP / (TP + FP + FN)."""
    return 2 * jaccard / (1 + jaccard)


def t_quantile(level: float, degrees_of_freedom: float) -> float:
    """What a t variable stays below, in size, with probability `level`."""
    if math.isinf(degrees_of_freedom):
        return z_quantile(level)
    return float(stdtrit(degrees_of_freedom, 0.5 + level / 2))


def z_quantile(level: float) -> float:
    """What a normal variable stays below, in size, with probability `level`."""
    if not 0 < level < 1:
        raise ValueError(f"level {level} must be within (0, 1)")
    return float(ndtri(0.5 + level / 2))


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))

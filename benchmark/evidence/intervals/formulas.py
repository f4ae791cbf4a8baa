"""Formulas of confidence intervals for proportions, AUCs, differences, and metrics with a known variance."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
import scipy
from scipy.special import betaincinv, ndtri, stdtrit

from benchmark.evidence.metrics.influence import Floats
from benchmark.evidence.metrics.registry import Scale

Bounds = tuple[float, float]
_ROUNDING = 1e-24  # rounding alone gives equal numbers a variance up to this


class Scaled(Protocol):
    """What `around` needs of a metric: its range, and the scale on which its estimate is nearly normal."""

    @property
    def range(self) -> tuple[float, float]:
        """Least and greatest value."""

    @property
    def scale(self) -> Scale | None:
        """The scale; not for counts."""


def wilson(successes: int, n: int, level: float = 0.95) -> Bounds:
    """Return Wilson's score interval of a proportion (Wilson 1927).

    Args:
        successes: From 0 to `n`.
        n: The number of independent trials, at least 1.
        level: Confidence level, in (0, 1).

    Returns:
        Both ends, in [0, 1].

    Raises:
        ValueError: If `successes` is not within 0 and `n`, or `n` is not positive.
    """
    if not 0 <= successes <= n or n <= 0:
        raise ValueError(f"{successes} of {n} is not a proportion")
    return effective_wilson(successes / n, n, z_quantile(level))


def exact_binomial(successes: int, n: int, level: float = 0.95) -> Bounds:
    """Return the exact interval of a proportion (Clopper and Pearson 1934).

    At 0 and at `n` successes the interval has one end, which has the whole error: 0 of 3 leaves 63%.

    Args:
        successes: From 0 to `n`.
        n: The number of independent trials, at least 1.
        level: Confidence level, in (0, 1).

    Returns:
        Both ends, in [0, 1].
    """
    error = 1 - level if successes in (0, n) else (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, error))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - error))
    return low, high


def effective_wilson(proportion: float, n: float, quantile: float) -> Bounds:
    """Return Wilson's interval with an effective sample size (Korn and Graubard 1998, Dean and Pacheco 2009).

    Args:
        proportion: The estimate, in [0, 1].
        n: Effective sample size, above 0, not necessarily an integer.
        quantile: Quantile of the normal or t distribution.

    Returns:
        Both ends, in [0, 1].
    """
    squared = quantile * quantile
    scale = 1 + squared / n
    centre = (proportion + squared / (2 * n)) / scale
    half = quantile / scale * math.sqrt(proportion * (1 - proportion) / n + squared / (4 * n * n))
    low = 0.0 if proportion == 0 else max(0.0, centre - half)
    high = 1.0 if proportion == 1 else min(1.0, centre + half)
    return low, high


def wilson_from_rate(value: float, n: int, decimals: int, level: float = 0.95) -> Bounds | None:
    """Return Wilson's interval of a printed proportion.

    Args:
        value: The printed proportion.
        n: The number of trials, at least 1.
        decimals: The number of printed decimals.
        level: Confidence level, in (0, 1).

    Returns:
        Both ends; None if no number of successes among `n` prints as `value`.
    """
    successes = round(value * n)
    if not 0 <= successes <= n or abs(successes / n - value) > 0.5 * 10.0**-decimals + 1e-12:
        return None
    return wilson(successes, n, level)


def newcombe(k1: int, n1: int, k2: int, n2: int, level: float = 0.95) -> Bounds:
    """Return the interval of the difference of two independent proportions (Newcombe 1998, method 10).

    Args:
        k1: Successes of the first sample.
        n1: Size of the first sample.
        k2: Successes of the second sample.
        n2: Size of the second sample.
        level: Confidence level, in (0, 1).

    Returns:
        Both ends for first minus second, in [-1, 1].
    """
    p1, p2 = k1 / n1, k2 / n2
    (l1, u1), (l2, u2) = wilson(k1, n1, level), wilson(k2, n2, level)
    difference = p1 - p2
    return (
        difference - math.hypot(p1 - l1, u2 - p2),
        difference + math.hypot(u1 - p1, p2 - l2),
    )


def hanley_mcneil(auc: float, positives: int, negatives: int) -> float:
    """Return the standard error of an AUC from its value and the class sizes (Hanley and McNeil 1982).

    Args:
        auc: Area under the ROC curve, in [0, 1].
        positives: The number of positive images, at least 1.
        negatives: The number of negative images, at least 1.

    Returns:
        The standard error; 0 for an AUC of 0 or 1.

    Raises:
        ValueError: If an argument is out of range.
    """
    if not 0 <= auc <= 1 or positives < 1 or negatives < 1:
        raise ValueError(f"AUC {auc} with {positives} + {negatives} images is not possible")
    q1 = auc / (2 - auc)
    q2 = 2 * auc * auc / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc * auc) + (negatives - 1) * (q2 - auc * auc)
    return math.sqrt(max(0.0, variance) / (positives * negatives))


def newcombe_auc(positives: Floats, negatives: Floats) -> Callable[[Floats], Floats]:
    """Return the variance of AUCs as a function of their true values (Newcombe 2006, method 5).

    It is that of Hanley and McNeil 1982 for exponential scores, with both class sizes at their mean in the numerator.

    Args:
        positives: The numbers of positive images (k,), at least 1.
        negatives: The numbers of negative images (k,), at least 1.

    Returns:
        A function from true AUCs (k,) to variances (k,), 0 at 0 and at 1.
    """
    others = (positives + negatives) / 2 - 1

    def variances(auc: Floats) -> Floats:
        pairs = 1 + others * ((1 - auc) / (2 - auc) + auc / (1 + auc))
        values: Floats = np.maximum(auc * (1 - auc), 0) * pairs / (positives * negatives)
        return values

    return variances


def printed_auc_interval(low: float, high: float, decimals: int, positives: int, negatives: int) -> Bounds:
    """Return the 95% interval of a printed AUC from the class sizes (Hanley and McNeil 1982).

    A printed 0 or 1 has a standard error of 0. It gets the one of the value half a unit of the last decimal inside.

    Args:
        low: The printed AUC, or the lower end of a printed range.
        high: The printed AUC, or the upper end of a printed range.
        decimals: The number of printed decimals.
        positives: The number of positive images, at least 1.
        negatives: The number of negative images, at least 1.

    Returns:
        Both ends, in [0, 1].
    """
    rounding = 0.5 * 10.0**-decimals
    errors = [
        hanley_mcneil(min(max(end, rounding), 1 - rounding) if end in (0, 1) else end, positives, negatives)
        for end in (low, high)
    ]
    z = z_quantile(0.95)
    return max(0.0, low - z * errors[0]), min(1.0, high + z * errors[1])


def mover(values: Bounds, first: Bounds, second: Bounds, correlation: float) -> Bounds:
    """Return the interval of a difference from two intervals: MOVER, the method of variance estimates recovery.

    Zou and Donner 2008; for two proportions this is the square-and-add interval of Newcombe 1998.

    Args:
        values: The two estimates a and b.
        first: Interval of a.
        second: Interval of b.
        correlation: Correlation of the two estimates, in [-1, 1]; 0 if they are independent.

    Returns:
        Both ends of the interval of a - b.
    """
    a, b = values
    below = (a - first[0], second[1] - b)
    above = (first[1] - a, b - second[0])
    low, high = (math.sqrt(max(0.0, x * x + y * y - 2 * correlation * x * y)) for x, y in (below, above))
    return a - b - low, a - b + high


def mean_of_proportions(
    proportions: Floats,
    sizes: Floats,
    quantile: float,
    *,
    dice: bool = False,
    inflation: float = 1.0,
    variances: Callable[[Floats], Floats] | None = None,
) -> Bounds:
    """Return the score interval of a mean of proportions (Martín Andrés et al. 2011); for one of them, Wilson's.

    An end is the mean from which the estimate is `quantile` standard errors away. Its standard error is that of the
    most likely proportions with this mean. So a class with few images, all of them correct, does not make the interval
    too narrow, and many classes near 1 do not shift it.

    Args:
        proportions: The k estimates, in [0, 1].
        sizes: Their sample sizes (k,), effective ones if images are related; above 0.
        quantile: Quantile of the normal or t distribution.
        dice: Whether the mean is of 2J / (1 + J) of each proportion J, as of F1.
        inflation: Variance of the mean, as a multiple of the variance for independent proportions.
        variances: The variances (k,) of the estimates if these are the true values (k,), each 0 at 0 and at 1; None:
            those of proportions.

    Returns:
        Both ends, in [0, 1].
    """

    def variances_at(p: Floats) -> Floats:
        values: Floats = np.maximum(p * (1 - p), 0) / sizes if variances is None else variances(p)
        return values

    def distance(values: Floats, slope: Callable[[Floats], Floats], variances: Callable[[Floats], Floats]) -> float:
        """Return how far the lower end of the mean of `values` is below it, with `slope` from the value to an end."""
        if not values.any():
            return 0.0
        successes = sizes * values

        def likely(pull: float) -> Floats:
            # With this Lagrange multiplier of the mean, each proportion is a root of a quadratic equation.
            total = sizes + pull
            roots: Floats = 2 * successes / (total + np.sqrt(np.maximum(total * total - 4 * pull * successes, 0)))
            return roots

        def drop(p: Floats) -> float:
            return float((slope(p) * (values - p)).mean())

        def excess(pull: float) -> float:
            p = likely(pull)
            each = slope(p) ** 2 * variances(p)
            total = float(each.sum())
            # All but the mean is fitted: a proportion loses a degree of freedom as far as it is not the mean.
            fitted = each * (1 - each / total) / np.maximum(1, sizes - 1) if total else each
            variance = (total + float(fitted.sum())) / len(p) ** 2
            return drop(p) - quantile * math.sqrt(variance * inflation)

        # A proportion of 1 moves only from a pull above its size on.
        inside = ((values > 0) & (values < 1)).any()
        least = 0.0 if inside else float(sizes[values > 0].min()) * (1 + 1e-9)
        greatest = 4 * float(sizes.max())
        while excess(greatest) < 0:
            greatest *= 4
        return drop(likely(scipy.optimize.brentq(excess, least, greatest, rtol=1e-12))) if excess(least) < 0 else 0.0

    def mirrored(q: Floats) -> Floats:
        return variances_at(1 - q)

    opposite = 1 - proportions
    estimate = float((2 * proportions / (1 + proportions) if dice else proportions).mean())
    if dice:
        below = distance(proportions, lambda p: 2 / ((1 + proportions) * (1 + p)), variances_at)
        above = distance(opposite, lambda q: 2 / ((1 + proportions) * (2 - q)), mirrored)
    else:
        below = distance(proportions, np.ones_like, variances_at)
        above = distance(opposite, np.ones_like, mirrored)
    return max(0.0, estimate - below), min(1.0, estimate + above)


def around(metric: Scaled, value: float, variance: float, quantile: float) -> Bounds | None:
    """Return the interval of a metric from its variance, computed on the scale of the metric.

    Args:
        metric: A metric that is not a count.
        value: The estimate.
        variance: Variance of the estimate, at least 0.
        quantile: Quantile of the normal or t distribution.

    Returns:
        Both ends; None if the value is at the end of its range or the variance is 0.
    """
    low, high = metric.range
    if nothing_varies(variance) or not low < value < high:
        return None
    half = quantile * math.sqrt(variance)
    if metric.scale == "logit":
        logit, half = math.log(value / (1 - value)), half / (value * (1 - value))
        return _expit(logit - half), _expit(logit + half)
    if metric.scale == "log":
        factor = math.exp(min(half / value, 700))  # more would overflow
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
    """Return whether a variance is 0, up to rounding."""
    return variance <= _ROUNDING


def f1_of_jaccard(jaccard: float) -> float:
    """Return F1 from the Jaccard index TP / (TP + FP + FN)."""
    return 2 * jaccard / (1 + jaccard)


def t_quantile(level: float, degrees_of_freedom: float) -> float:
    """Return the bound that a t variable exceeds in absolute value with probability 1 - `level`."""
    if math.isinf(degrees_of_freedom):
        return z_quantile(level)
    return float(stdtrit(degrees_of_freedom, 0.5 + level / 2))


def z_quantile(level: float) -> float:
    """Return the bound that a standard normal variable exceeds in absolute value with probability 1 - `level`."""
    if not 0 < level < 1:
        raise ValueError(f"level {level} must be within (0, 1)")
    return float(ndtri(0.5 + level / 2))


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))

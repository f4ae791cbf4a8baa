"""Intervals of a figure of one training, from how much trainings of its recipe vary."""

from __future__ import annotations

import math

from scipy.special import chdtri

from benchmark.evidence.estimate import Trainings
from benchmark.evidence.intervals.formulas import Bounds, t_quantile, z_quantile

_BELOW_UPPER = 0.3  # probability that the upper limit of the seed variance lies below the true variance
_SAME = 1e-12  # rounding alone makes equal figures differ by up to this


def upper_seed_variance(variance: float, df: float) -> float:
    """Return the upper end of the one-sided 70% interval of a variance between seeds, at least the estimate itself.

    Args:
        variance: The estimated variance.
        df: Its degrees of freedom, above 0.

    Returns:
        The variance at this end.
    """
    return variance * max(1.0, df / float(chdtri(df, 1 - _BELOW_UPPER)))


def of_one_training(
    value: float, bounds: Bounds, trainings: Trainings | None, limits: Bounds, level: float = 0.95
) -> Bounds:
    """Return the interval of a figure of one training, around the mean of its recipe.

    The variance of the images is that behind each end of `bounds`; the variance between trainings is added to it. The
    degrees of freedom are those of `seeds.seed_variance`, Satterthwaite's (1946) with the upper end of the variance
    between trainings.

    Args:
        value: The figure.
        bounds: Its interval, which accounts for images alone.
        trainings: How much trainings of the recipe vary; None, or no spread, leaves `bounds` as they are.
        limits: Least and greatest value of the metric, at which the interval ends.
        level: Confidence level of `bounds`, in (0, 1).

    Returns:
        Both ends, which include `bounds`.
    """
    if trainings is None or trainings.spread <= _SAME:
        return bounds
    between, df = trainings.spread**2, trainings.seeds - 1
    upper = upper_seed_variance(between, df)

    def distance(to_end: float) -> float:
        images = (to_end / z_quantile(level)) ** 2
        quantile = t_quantile(level, (upper + images) ** 2 / (upper**2 / df))
        return max(to_end, quantile * math.sqrt(images + between))

    low, high = value - distance(value - bounds[0]), value + distance(bounds[1] - value)
    return max(limits[0], low), min(limits[1], high)

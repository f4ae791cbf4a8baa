"""Inverse power laws of a metric over the number of training images, fitted by weighted least squares.

The error of a classifier falls about as a power of the number of training images: Cortes et al. 1994; Mukherjee et al.
2003 and Figueroa et al. 2012 for medical data.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from benchmark.evidence.metrics.influence import Floats

LEAST_EXPONENT, GREATEST_EXPONENT = 0.05, 3.0
"""Exponents outside this range are not distinguishable from a logarithm or from a step."""
_EXPONENTS: Floats = np.geomspace(LEAST_EXPONENT, GREATEST_EXPONENT, 240)


@dataclass(frozen=True)
class PowerLaw:
    """The curve a - b n^-c for metrics of which higher is better, a + b n^-c for others.

    Attributes:
        limit: a, the value that the metric approaches with ever more images.
        scale: b, at least 0.
        exponent: c, above 0.
        rising: Whether higher values of the metric are better.
    """

    limit: float
    scale: float
    exponent: float
    rising: bool = True

    def at(self, images: float) -> float:
        """Return the value with this number of training images."""
        fall = self.scale * math.pow(images, -self.exponent)
        return self.limit - fall if self.rising else self.limit + fall


def fit_power_law(sizes: Floats, values: Floats, variances: Floats, best: float, *, rising: bool = True) -> PowerLaw:
    """Fit an inverse power law by weighted non-linear least squares, with bounds (SciPy's trust region).

    It starts from the best of a grid of exponents, so that it does not end in a local minimum.

    Args:
        sizes: Numbers of training images (k,), k at least 3.
        values: The metric at each size (k,).
        variances: Variance of each value (k,), above 0; only their ratios matter.
        best: The best value of the metric, which `limit` cannot pass.
        rising: Whether higher values of the metric are better.

    Returns:
        The curve.
    """
    sign = 1.0 if rising else -1.0
    goal = sign * values
    grid = profile_fits(sizes, goal[None], variances, sign * best)
    start = np.array([grid.limit[0], grid.scale[0], grid.exponent[0]])
    unit = float(sizes[0])

    def curve(n: Floats, limit: float, scale: float, exponent: float) -> Floats:
        return limit - scale * (n / unit) ** -exponent

    bounds = ([-np.inf, 0.0, LEAST_EXPONENT], [sign * best, np.inf, GREATEST_EXPONENT])
    first = np.clip(start * [1.0, unit ** -start[2], 1.0], bounds[0], bounds[1])
    with warnings.catch_warnings():  # the covariance of the parameters is not used
        warnings.simplefilter("ignore", scipy.optimize.OptimizeWarning)
        try:
            (limit, scale, exponent), _ = scipy.optimize.curve_fit(
                curve, sizes, goal, first, np.sqrt(variances), bounds=bounds
            )
        except RuntimeError:  # no convergence: the grid is within one percent of the minimum
            limit, scale, exponent = first
    return PowerLaw(sign * float(limit), float(scale * unit**exponent), float(exponent), rising)


@dataclass(frozen=True)
class ProfileFits:
    """Fitted rising power laws: limit, scale, exponent and the weighted mean of squared residuals, each (r,)."""

    limit: Floats
    scale: Floats
    exponent: Floats
    squares: Floats


def profile_fits(sizes: Floats, values: Floats, variances: Floats, best: float) -> ProfileFits:
    """Fit many rising power laws by variable projection (Golub and Pereyra 1973) over a grid of exponents.

    With a fixed exponent the law is a straight line, whose weighted least squares have a closed form.

    Args:
        sizes: Numbers of training images (k,).
        values: The metric at each size (r, k), one row per fit.
        variances: Variance of each value (k,), above 0; only their ratios matter.
        best: The greatest possible limit.

    Returns:
        The fits, one per row.
    """
    weights = 1 / variances
    weights = weights / weights.sum()
    lowest = np.full(len(values), np.inf)
    limit, scale, exponent = (np.zeros(len(values)) for _ in range(3))
    mean = values @ weights
    for c in _EXPONENTS:
        x = (sizes / sizes[0]) ** -c
        x_mean = float(x @ weights)
        deviation = x - x_mean
        slope = np.maximum(0.0, -((values - mean[:, None]) @ (weights * deviation)) / float(weights @ deviation**2))
        a = mean + slope * x_mean
        over = a > best
        a = np.where(over, best, a)
        slope = np.where(over, np.maximum(0.0, ((best - values) @ (weights * x)) / float(weights @ x**2)), slope)
        squares = ((values - a[:, None] + slope[:, None] * x) ** 2) @ weights
        better = squares < lowest
        lowest = np.where(better, squares, lowest)
        limit, exponent = np.where(better, a, limit), np.where(better, c, exponent)
        scale = np.where(better, slope * sizes[0] ** c, scale)
    return ProfileFits(limit, scale, exponent, lowest)


def smoothed_variances(sizes: Floats, variances: Floats) -> Floats | None:
    """Smooth variances over sizes by a power of the size, since a variance from few draws is uncertain.

    Args:
        sizes: Numbers of training images (k,).
        variances: Variance between trainings at each size (k,); 0 where it is not known.

    Returns:
        Variances (k,), above 0; None where fewer than two of the variances are above 0.
    """
    known: npt.NDArray[np.bool_] = variances > 0
    if np.count_nonzero(known) < 2:
        return None
    slope, level = np.polyfit(np.log(sizes[known]), np.log(variances[known]), 1)
    slope = min(0.0, float(slope))
    level = float(np.mean(np.log(variances[known]) - slope * np.log(sizes[known])))
    return np.asarray(np.exp(level + slope * np.log(sizes)), dtype=np.float64)

"""What a metric would be with more training images than there are, and how uncertain that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.metrics.influence import Floats
from benchmark.evidence.training_size.power_law import PowerLaw, fit_power_law, profile_fits, smoothed_variances

LEAST_SIZES = 4
"""Sizes below which nothing is extrapolated: the curve has three parameters."""
LEAST_DRAWS = 3
"""Draws below which nothing is extrapolated: the spread between fewer is unknown."""
FACTORS = (2, 4)
"""Multiples of the largest size to which the curve is extrapolated."""
REPLICATES = 2000
_MISFIT = 0.05  # level of the test that the sizes follow the law


@dataclass(frozen=True)
class Forecast:
    """What the curve says about one larger number of training images.

    Attributes:
        factor: The multiple of the largest measured size.
        images: The number of training images.
        figure: The metric with its 95% interval.
        gain: By how much it is better than the curve at the largest measured size, at least 0.
    """

    factor: int
    images: int
    figure: SampleEstimate
    gain: SampleEstimate


@dataclass(frozen=True)
class Extrapolation:
    """An inverse power law and its forecasts.

    Attributes:
        rise: By how much the metric is better at the largest size than at the smallest.
        law: The fitted curve; None without one.
        forecasts: By factor; empty if nothing is extrapolated.
        reason: Why nothing is extrapolated; None if something is.
    """

    rise: SampleEstimate | None
    law: PowerLaw | None
    forecasts: tuple[Forecast, ...]
    reason: str | None = None


def extrapolate(
    sizes: Sequence[int],
    values: Floats,
    deviations: Floats,
    *,
    tested: int,
    value_range: tuple[float, float],
    rising: bool = True,
    available: int | None = None,
    factors: Sequence[int] = FACTORS,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Extrapolation:
    """Extrapolate a metric by an inverse power law, with intervals from a bootstrap over draws and test patients.

    In each replicate the test patients are drawn again with replacement, the same for all sizes, as all runs share
    them; the metric moves as its influence values say. The draws of training images get random weights (a multiplier
    bootstrap) with the tails of Student's t, since few draws know their spread only roughly. All sizes of one draw have
    one weight: they are nested. The curve is then fitted again; intervals are percentiles of its values.

    Draws of n from N available images overlap: two of them share n/N of their images, so that their spread shows only
    1 - n/N of the variance between samples. The rest is the error of the available images themselves, which moves all
    sizes together; each replicate has one such error (the projection of Hajek 1968).

    Nothing is extrapolated where the sizes lie farther from the curve than the same errors around a curve explain in
    95% of replicates (a parametric bootstrap of goodness of fit).

    Args:
        sizes: Numbers of training images (k,), increasing.
        values: The metric by draw and size (draws, k).
        deviations: By how much each test patient moves the mean over draws at each size (k, patients), as
            `Clusters.deviations` returns it.
        tested: Number of test images.
        value_range: Least and greatest value of the metric.
        rising: Whether higher values are better.
        available: Number of training images from which the draws are; None for draws from an unlimited number.
        factors: Multiples of the largest size.
        replicates: Number of bootstrap replicates.
        seed: Seed of the random generator.

    Returns:
        The curve with its forecasts, or the reason why there is none.
    """
    draws, count = values.shape
    if count < LEAST_SIZES:
        return Extrapolation(None, None, (), f"a curve has three parameters; give {LEAST_SIZES} sizes or more")
    if draws < LEAST_DRAWS:
        return Extrapolation(None, None, (), f"{draws} draws do not show their spread; give {LEAST_DRAWS} or more")
    sign, best = (1.0, value_range[1]) if rising else (-1.0, value_range[0])
    at, means = np.asarray(sizes, dtype=np.float64), values.mean(axis=0)
    overlap = np.zeros(count) if available is None else np.minimum(1.0, at / available)
    spread = values.var(axis=0, ddof=1)
    between = smoothed_variances(at, np.divide(spread, 1 - overlap, out=np.zeros(count), where=overlap < 1))
    variances = np.ones(count) if between is None else between
    law = fit_power_law(at, means, variances, best, rising=rising)
    of_pool = np.zeros(count) if between is None else np.sqrt(between * overlap)
    noise = _replicate_errors(values, deviations, of_pool, replicates, np.random.default_rng(seed))
    rise = _estimate(sign * (means[-1] - means[0]), sign * (noise[:, -1] - noise[:, 0]), tested)
    if rise.low is None or rise.low <= 0:
        return Extrapolation(rise, None, (), "no improvement from the smallest to the largest size can be seen")
    fitted = np.array([law.at(size) for size in sizes])
    squares = profile_fits(at, sign * np.stack([means]), variances, sign * best).squares[0]
    if np.mean(profile_fits(at, sign * (fitted + noise), variances, sign * best).squares >= squares) < _MISFIT:
        return Extrapolation(rise, law, (), "the measured sizes do not follow an inverse power law")
    refitted = profile_fits(at, sign * (means + noise), variances, sign * best)
    limit, scale, exponent = refitted.limit, refitted.scale, refitted.exponent
    most = float(at[-1])
    reached = limit - scale * most**-exponent
    forecasts = []
    for factor in factors:
        images = int(factor * most)
        there = limit - scale * float(images) ** -exponent
        figure = sign * _percentiles(there)
        gain = _percentiles(there - reached)
        value = law.at(images)
        forecasts.append(
            Forecast(
                factor,
                images,
                SampleEstimate(value, min(float(figure.min()), value), max(float(figure.max()), value), tested),
                _within(sign * (value - law.at(most)), gain, tested),
            )
        )
    widest = forecasts[0].gain
    if widest.bounds is not None and rise.value is not None and widest.bounds[1] - widest.bounds[0] > rise.value:
        return Extrapolation(
            rise, law, (), "the forecasts differ by more than the whole improvement; give sizes farther apart"
        )
    return Extrapolation(rise, law, tuple(forecasts))


def _replicate_errors(
    values: Floats, deviations: Floats, of_pool: Floats, count: int, rng: np.random.Generator
) -> Floats:
    """Return errors (count, k) of the means over draws; `of_pool` (k,) is the error due to the available images."""
    draws, patients = len(values), deviations.shape[1]
    times = rng.multinomial(patients, np.full(patients, 1 / patients), size=count) - 1.0
    residuals = (values - values.mean(axis=0)) / np.sqrt(draws * (draws - 1))
    tails = np.sqrt((draws - 1) / rng.chisquare(draws - 1, size=count))
    between = (rng.standard_normal((count, draws)) @ residuals) * tails[:, None]
    between += np.outer(rng.standard_normal(count) * tails, of_pool)
    return np.asarray(times @ deviations.T + between, dtype=np.float64)


def _percentiles(values: Floats) -> Floats:
    return np.asarray(np.percentile(values, [2.5, 97.5]), dtype=np.float64)


def _estimate(value: float, errors: Floats, tested: int) -> SampleEstimate:
    return _within(float(value), value + _percentiles(errors), tested)


def _within(value: float, ends: Floats, tested: int) -> SampleEstimate:
    return SampleEstimate(float(value), min(float(ends[0]), float(value)), max(float(ends[1]), float(value)), tested)

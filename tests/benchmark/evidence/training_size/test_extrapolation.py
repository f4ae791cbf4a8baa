"""Forecasts over training images: what they say, when they are refused, and how often their intervals are right."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmark.evidence.training_size.extrapolation import Extrapolation, extrapolate
from tests.perf.training_size_simulation import SIZES, at, coverage, power_law_world


def outcome(means: np.ndarray, spread: float = 0.002, draws: int = 5, step: float = 2, **more: object) -> Extrapolation:
    """The extrapolation of draws whose means are `means`; 100 test patients have a small error that sizes share."""
    rng = np.random.default_rng(0)
    noise = spread * rng.standard_normal((draws, len(means)))
    values = means + noise - noise.mean(axis=0)
    patients = rng.standard_normal(100) * 0.0005
    deviations = np.tile(patients - patients.mean(), (len(means), 1))
    sizes = [round(50 * step**power) for power in range(len(means))]
    return extrapolate(sizes, values, deviations, tested=400, value_range=(0, 1), **more)  # type: ignore[arg-type]


def law(images: float) -> float:
    return float(0.95 - 1.0 * images**-0.5)


LAW = np.array([law(size) for size in SIZES])


def test_a_curve_is_forecast_at_twice_and_four_times_the_largest_size() -> None:
    result = outcome(LAW)
    assert result.reason is None
    assert [forecast.images for forecast in result.forecasts] == [800, 1600]
    for forecast in result.forecasts:
        low, high = forecast.figure.bounds or (math.nan, math.nan)
        assert low <= law(forecast.images) <= high
        low, high = forecast.gain.bounds or (math.nan, math.nan)
        assert 0 <= low <= law(forecast.images) - law(400) <= high
    assert outcome(LAW) == result  # the seed of the bootstrap is fixed


def test_a_falling_loss_is_the_mirror_image_of_a_rising_metric() -> None:
    rng = np.random.default_rng(0)
    values = LAW + 0.002 * rng.standard_normal((4, 4))
    patients = rng.standard_normal(100) * 0.0005
    deviations = np.tile(patients - patients.mean(), (4, 1))
    mirrored = extrapolate(SIZES, 1 - values, -deviations, tested=400, value_range=(0, 1), rising=False, replicates=400)
    straight = extrapolate(SIZES, values, deviations, tested=400, value_range=(0, 1), replicates=400)
    for one, other in zip(straight.forecasts, mirrored.forecasts, strict=True):
        assert one.figure.value == pytest.approx(1 - (other.figure.value or 0), abs=1e-3)
        assert one.gain.value == pytest.approx(other.gain.value, abs=1e-3)


@pytest.mark.parametrize(
    ("means", "more", "reason"),
    [
        (LAW[:3], {}, "give 4 sizes or more"),
        (LAW, {"draws": 2}, "give 3 or more"),
        (np.full(4, 0.9), {}, "no improvement"),
        (LAW[::-1], {}, "no improvement"),
        (np.array([0.60, 0.61, 0.62, 0.80]), {"spread": 0.001}, "do not follow an inverse power law"),
        (np.array([0.60, 0.61, 0.62, 0.63]), {"spread": 0.005, "step": 1.1}, "give sizes farther apart"),
    ],
)
def test_what_the_sizes_do_not_show_is_not_extrapolated(means: np.ndarray, more: dict[str, float], reason: str) -> None:
    result = outcome(means, **more)
    assert result.forecasts == ()
    assert reason in (result.reason or "")


def test_a_small_pool_of_training_images_widens_the_forecast() -> None:
    def width(available: int | None) -> float:
        low, high = outcome(LAW, available=available).forecasts[0].figure.bounds or (math.nan, math.nan)
        return high - low

    assert width(450) > 1.2 * width(None)
    assert width(400_000) == pytest.approx(width(None), rel=0.05)


@pytest.mark.slow
def test_about_95_of_100_intervals_contain_the_truth_of_a_power_law() -> None:
    sets = 60
    counts = coverage(power_law_world(0.97, 1, 0.5), at(0.97, 1, 0.5), sets, seed=1)
    assert counts["given"] >= 0.9 * sets
    for name in ("figure 2", "figure 4", "gain 2", "gain 4"):
        assert counts[name] / counts["given"] >= 0.95 - 3.5 * math.sqrt(0.95 * 0.05 / counts["given"]), name

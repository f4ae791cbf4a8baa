"""Fits of inverse power laws against known parameters and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from benchmark.evidence.training_size.power_law import fit_power_law, profile_fits, smoothed_variances

SIZES = np.array([50.0, 100, 200, 400, 800])


@pytest.mark.parametrize(("a", "b", "c"), [(0.95, 1.0, 0.5), (0.99, 4.0, 0.9), (0.9, 0.6, 0.3)])
def test_an_exact_law_is_recovered(a: float, b: float, c: float) -> None:
    law = fit_power_law(SIZES, a - b * SIZES**-c, np.ones(5), 1.0)
    assert (law.limit, law.scale, law.exponent) == pytest.approx((a, b, c), rel=1e-4)
    assert law.at(3200) == pytest.approx(a - b * 3200**-c, abs=1e-6)


def test_a_loss_falls_towards_its_limit() -> None:
    law = fit_power_law(SIZES, 0.2 + 3 * SIZES**-0.6, np.ones(5), 0.0, rising=False)
    assert not law.rising
    assert (law.limit, law.scale, law.exponent) == pytest.approx((0.2, 3, 0.6), rel=1e-4)


def test_the_limit_cannot_pass_the_best_value() -> None:
    law = fit_power_law(SIZES, np.array([0.80, 0.85, 0.90, 0.95, 0.999]), np.ones(5), 1.0)
    assert law.limit <= 1
    assert fit_power_law(SIZES, np.linspace(0.9, 0.8, 5), np.ones(5), 1.0).scale == pytest.approx(0, abs=1e-9)


def test_weighted_fits_are_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    variances = 1e-4 * (50 / SIZES)
    rows = 0.95 - 1.2 * SIZES**-0.5 + rng.standard_normal((20, 5)) * np.sqrt(variances)
    grid = profile_fits(SIZES, rows, variances, 1.0)

    def residuals(p: np.ndarray, row: np.ndarray) -> np.ndarray:
        return np.asarray((p[0] - p[1] * (SIZES / 50) ** -p[2] - row) / np.sqrt(variances))

    for index, row in enumerate(rows):
        ends = ([-np.inf, 0, 0.05], [1, np.inf, 3])
        starts = [(0.9, 0.2, c) for c in (0.1, 0.5, 1.5)]
        reference = min((least_squares(residuals, p, args=(row,), bounds=ends) for p in starts), key=lambda r: r.cost)
        mean_square = 2 * reference.cost / np.sum(1 / variances)
        assert grid.squares[index] == pytest.approx(mean_square, rel=1e-2, abs=1e-9)
        law = fit_power_law(SIZES, row, variances, 1.0)
        a, b, c = reference.x
        assert law.at(1600) == pytest.approx(a - b * 32**-c, abs=2e-3)


def test_variances_are_smoothed_by_a_power_of_the_size() -> None:
    assert smoothed_variances(SIZES, 3 / SIZES) == pytest.approx(3 / SIZES)
    assert smoothed_variances(SIZES, np.where(SIZES < 800, 3 / SIZES, 0)) == pytest.approx(3 / SIZES)
    assert smoothed_variances(SIZES, np.array([0, 0, 0, 0, 1.0])) is None
    assert smoothed_variances(SIZES, SIZES) == pytest.approx(np.full(5, np.exp(np.log(SIZES).mean())))

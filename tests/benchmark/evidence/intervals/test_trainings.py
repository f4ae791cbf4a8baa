"""The interval of a figure of one training counts how much trainings of its recipe vary."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, norm, t

from benchmark.evidence.estimate import Trainings
from benchmark.evidence.intervals.trainings import of_one_training, seed_variance

SHARE = (0.0, 1.0)


def test_without_a_spread_the_interval_is_that_of_the_images() -> None:
    assert of_one_training(0.9, (0.87, 0.92), None, SHARE) == (0.87, 0.92)
    assert of_one_training(0.9, (0.87, 0.92), Trainings(3, 0.0), SHARE) == (0.87, 0.92)


def test_without_uncertainty_of_the_images_it_is_student_s_for_one_more_draw() -> None:
    low, high = of_one_training(0.6, (0.6, 0.6), Trainings(5, 0.02), SHARE)
    half = t.ppf(0.975, 4) * 0.02
    assert (low, high) == pytest.approx((0.6 - half, 0.6 + half))


def test_images_and_trainings_add_up_with_satterthwaite_s_degrees_of_freedom() -> None:
    """By hand, and as `seed_variance` of as many seeds whose mean varies as one training does."""
    seeds, spread, images = 3, 0.03, 4e-4
    half = norm.ppf(0.975) * math.sqrt(images)
    upper = spread**2 * 2 / chi2.ppf(0.3, 2)
    df = (upper + images) ** 2 / (upper**2 / 2)
    expected = t.ppf(0.975, df) * math.sqrt(images + spread**2)
    low, high = of_one_training(0.5, (0.5 - half, 0.5 + half), Trainings(seeds, spread), SHARE)
    assert (low, high) == pytest.approx((0.5 - expected, 0.5 + expected))
    values = 0.5 + spread * math.sqrt(seeds) * np.array([-1.0, 0.0, 1.0])
    variance, of_seeds = seed_variance([values], np.full((seeds, seeds), images), math.inf)
    assert (variance, of_seeds) == pytest.approx((images + spread**2, df))


@settings(deadline=None, max_examples=50)
@given(value=st.floats(0.05, 0.95), half=st.floats(0.001, 0.05), spread=st.floats(0.0, 0.5), seeds=st.integers(2, 9))
def test_it_includes_the_interval_of_the_images_and_stays_in_range(
    value: float, half: float, spread: float, seeds: int
) -> None:
    low, high = of_one_training(value, (value - half, value + half), Trainings(seeds, spread), SHARE)
    assert 0 <= low <= value - half < value + half <= high <= 1

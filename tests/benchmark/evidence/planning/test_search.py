"""The search for the smallest number with enough power."""

from __future__ import annotations

import math

import pytest
from scipy.stats import norm

from benchmark.evidence.comparison.verdict import Decision, within
from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.planning.search import Chances, images_with_power, rounded_up, smallest_with_power


@pytest.mark.parametrize("start", [12, 468, 50_000])
@pytest.mark.parametrize("needed", [40, 700, 30_000])
def test_the_number_is_within_a_tenth_of_the_exact_one(start: int, needed: int) -> None:
    def power(n: int) -> float:
        return float(norm.cdf(norm.ppf(0.8) * math.sqrt(n / needed)))

    n = images_with_power(power, start)
    assert n is not None
    assert needed <= n <= 1.21 * needed


def test_no_number_is_said_where_none_suffices() -> None:
    assert images_with_power(lambda n: 0.5, 100) is None
    assert smallest_with_power(lambda n: 0.5, (1, 2)) is None
    assert smallest_with_power(lambda n: n / 3, (1, 2, 3)) == 3


def test_the_attainable_margin_is_the_one_that_four_fifths_of_experiments_meet() -> None:
    estimates = [SampleEstimate(0.0, -limit / 100, limit / 100, 10) for limit in range(1, 11)]
    chances = Chances(tuple(within(each, 0.05) for each in estimates))
    assert chances.of("reproduced") == 0.5
    margin = chances.limit()
    assert margin == pytest.approx(0.08)
    assert sum(within(each, margin or 0).verdict == "reproduced" for each in estimates) == 8
    undefined = Chances((*chances.decisions[:7], *[Decision("inconclusive", "no interval")] * 3))
    assert undefined.limit() is None


@pytest.mark.parametrize(("number", "rounded"), [(7, 7), (99, 99), (101, 110), (1234, 1300), (99_100, 100_000)])
def test_numbers_are_rounded_up_to_two_digits(number: int, rounded: int) -> None:
    assert rounded_up(number) == rounded

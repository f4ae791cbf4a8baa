"""The images that decide with 80% probability, against statsmodels."""

from __future__ import annotations

import math

import pytest
from scipy.stats import norm
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import power_ztost_prop

from benchmark.evidence.comparison.power import images_to_decide_bound, images_to_decide_margin
from benchmark.evidence.comparison.verdict import above, below, within
from benchmark.evidence.estimate import SampleEstimate

Z = norm.ppf(0.975)
SD = 0.4


def half(n: int) -> float:
    return float(Z * SD / math.sqrt(n))


@pytest.mark.parametrize("distance", [0.03, 0.05, 0.1])
def test_a_bound_is_decided_by_as_many_images_as_a_z_test_needs(distance: float) -> None:
    expected = NormalIndPower().solve_power(effect_size=distance / SD, power=0.8, alpha=0.05, ratio=0)
    assert images_to_decide_bound(50, half(50), 0.9 + distance, 0.9) == pytest.approx(expected, abs=1.5)
    assert images_to_decide_bound(50, half(50), 0.9 - distance, 0.9) == pytest.approx(expected, abs=1.5)


@pytest.mark.parametrize("value", [0.0, 0.01, -0.02])
def test_a_margin_is_decided_by_as_many_images_as_two_one_sided_tests_need(value: float) -> None:
    """Power of equivalence of a proportion of .8, whose standard deviation is .4, with the limits .8 +/- .05."""
    n = images_to_decide_margin(50, half(50), value, 0.05)
    assert n is not None
    for images, power in ((n, 0.8), (round(n / 2), 0.8 - 0.2)):
        # `variance_prop` fixes the standard deviation of the test; the alternative has nearly the same one.
        variance = (0.8 + value) * (0.2 - value)
        scaled = round(images * variance / SD**2)
        got = power_ztost_prop(0.75, 0.85, scaled, 0.8 + value, alpha=0.025, variance_prop=0.8 + value, discrete=False)[
            0
        ]
        assert (got == pytest.approx(power, abs=0.02)) if power == 0.8 else (got < power)


def test_a_published_sample_that_fills_the_margin_leaves_no_number_of_images() -> None:
    assert images_to_decide_margin(468, 0.03, 0.0, 0.05, fixed_half=0.05) is None
    assert images_to_decide_margin(468, 0.03, 0.08, 0.05, fixed_half=0.04) is None
    limited = images_to_decide_margin(468, 0.06, 0.0, 0.05, fixed_half=0.02)
    free = images_to_decide_margin(468, 0.06, 0.0, 0.05)
    assert limited is not None
    assert free is not None
    assert 468 < free < limited


def test_an_undecidable_figure_needs_no_number() -> None:
    assert images_to_decide_bound(50, half(50), 0.9, 0.9) is None
    assert images_to_decide_margin(50, half(50), 0.05, 0.05) is None


def test_a_verdict_flips_at_the_margin_that_it_names() -> None:
    estimate = SampleEstimate(0.02, -0.03, 0.07, 100)
    flip = within(estimate, 0.05).flip
    assert flip is not None
    assert (flip.reproduced, flip.differs) == (0.07, None)
    assert within(estimate, flip.reproduced).verdict == "reproduced"
    assert within(estimate, flip.reproduced - 1e-9).verdict == "inconclusive"


def test_a_difference_names_the_margin_below_which_it_differs() -> None:
    estimate = SampleEstimate(-0.1, -0.14, -0.06, 100)
    flip = within(estimate, 0.05).flip
    assert flip is not None
    assert (flip.reproduced, flip.differs) == (0.14, 0.06)
    assert within(estimate, 0.06 - 1e-9).verdict == "differs"
    assert within(estimate, 0.06).verdict == "inconclusive"


def test_a_bound_flips_at_the_ends_of_the_interval() -> None:
    estimate = SampleEstimate(0.9, 0.86, 0.93, 100)
    for judge, reproduced, differs in ((above, 0.86, 0.93), (below, 0.93, 0.86)):
        flip = judge(estimate, 0.9).flip
        assert flip is not None
        assert (flip.reproduced, flip.differs) == (reproduced, differs)
        step = 1e-9 if judge is below else -1e-9
        assert judge(estimate, reproduced + step).verdict == "reproduced"
        assert judge(estimate, differs - step).verdict == "differs"

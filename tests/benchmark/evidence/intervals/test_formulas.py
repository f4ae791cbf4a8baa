"""Intervals agree with a second source, a worked example or a slow definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, rankdata
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from benchmark.evidence.intervals.formulas import (
    around,
    exact_binomial,
    hanley_mcneil,
    newcombe,
    wilson,
    wilson_from_rate,
    z_quantile,
)
from benchmark.evidence.metrics.influence import Clusters
from benchmark.evidence.metrics.probabilities import auc
from benchmark.evidence.metrics.registry import get_metric
from benchmark.evidence.scores import Scores
from tests.support.records import planted

QUICK = settings(deadline=None, max_examples=60)
COUNTS = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
LEVELS = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])
TIED = st.integers(0, 6).map(lambda k: k / 6)
ANY = st.floats(0, 1, width=32)
CLASSES = st.one_of(
    *(st.tuples(*(st.lists(s, min_size=2, max_size=25) for _ in range(2))) for s in (TIED, ANY)),
)


def delong(labels: np.ndarray, y_score: np.ndarray) -> tuple[float, float]:
    """The area under the ROC curve and the variance on which its interval rests."""
    influence, scores = get_metric("auc").influence_values(labels, y_score, 0.5), rankdata(y_score) / (len(y_score) + 1)
    area = auc(Scores("test", labels, scores))
    assert influence is not None
    assert area is not None
    return area, Clusters(labels).variance(influence)


def delong_interval(area: float, variance: float, level: float = 0.95) -> tuple[float, float] | None:
    return around(get_metric("auc"), area, variance, z_quantile(level))


def slow_delong(positive: list[float], negative: list[float]) -> tuple[float, float]:
    """AUC and variance from the definition: every pair, then the variance of each image's mean."""

    def psi(x: float, y: float) -> float:
        return 1.0 if x > y else 0.5 if x == y else 0.0

    def spread(values: list[float]) -> float:
        mean = sum(values) / len(values)
        return sum((v - mean) ** 2 for v in values) / (len(values) - 1)

    v10 = [sum(psi(x, y) for y in negative) / len(negative) for x in positive]
    v01 = [sum(psi(x, y) for x in positive) / len(positive) for y in negative]
    return sum(v10) / len(v10), spread(v10) / len(v10) + spread(v01) / len(v01)


def stacked(positive: list[float], negative: list[float]) -> tuple[np.ndarray, np.ndarray]:
    labels = np.array([1] * len(positive) + [0] * len(negative))
    return labels, np.array([*positive, *negative], dtype=float)


@QUICK
@given(counts=COUNTS, level=LEVELS)
def test_wilson_agrees_with_statsmodels(counts: tuple[int, int], level: float) -> None:
    expected = proportion_confint(*counts, alpha=1 - level, method="wilson")
    assert wilson(*counts, level) == pytest.approx(expected, abs=1e-12)


@QUICK
@given(counts=COUNTS, level=LEVELS)
def test_wilson_contains_the_proportion_and_stays_within_0_and_1(counts: tuple[int, int], level: float) -> None:
    low, high = wilson(*counts, level)
    assert 0 <= low <= counts[0] / counts[1] <= high <= 1
    assert low < high


@pytest.mark.parametrize(("successes", "n"), [(0, 3), (3, 3), (0, 1), (1, 2), (4, 9), (57, 60)])
def test_the_exact_interval_is_that_of_scipy_and_one_sided_at_its_ends(successes: int, n: int) -> None:
    alternative = {0: "less", n: "greater"}.get(successes, "two-sided")
    expected = binomtest(successes, n, alternative=alternative).proportion_ci(0.95, method="exact")
    assert exact_binomial(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("n", [1, 7, 234])
def test_wilson_of_nothing_starts_at_0_and_of_everything_ends_at_1(n: int) -> None:
    z2 = norm.ppf(0.975) ** 2
    assert wilson(0, n) == (0.0, pytest.approx(z2 / (n + z2)))
    assert wilson(n, n) == (pytest.approx(n / (n + z2)), 1.0)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, 0), (1, -1)])
def test_what_is_no_proportion_is_refused(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        wilson(successes, n)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, math.nan])
def test_a_level_outside_0_and_1_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        wilson(1, 2, level)


@pytest.mark.parametrize(
    ("rate", "n", "interval"),
    [
        (0.7671, 468, (0.727, 0.803)),
        (0.5598, 234, (0.496, 0.622)),
        (0.9103, 468, (0.881, 0.933)),
    ],
)
def test_a_printed_rate_of_the_report_has_its_interval(rate: float, n: int, interval: tuple[float, float]) -> None:
    assert wilson_from_rate(rate, n, 4) == pytest.approx(interval, abs=5e-4)


@QUICK
@given(counts=COUNTS, decimals=st.integers(4, 6))
def test_a_rate_printed_from_a_count_has_the_interval_of_that_count(counts: tuple[int, int], decimals: int) -> None:
    successes, n = counts
    assert wilson_from_rate(round(successes / n, decimals), n, decimals) == wilson(successes, n)


@pytest.mark.parametrize(("rate", "n"), [(0.7670, 468), (0.5, 467), (1.0021, 468), (-0.01, 468), (91.03, 468)])
def test_a_rate_that_no_count_prints_has_no_interval(rate: float, n: int) -> None:
    assert wilson_from_rate(rate, n, 4) is None


def test_few_decimals_accept_a_rate_that_more_decimals_refuse() -> None:
    assert wilson_from_rate(0.77, 468, 2) is not None
    assert wilson_from_rate(0.7700, 468, 4) is None


def test_newcombe_gives_the_interval_of_his_worked_example() -> None:
    assert newcombe(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@QUICK
@given(first=COUNTS, second=COUNTS)
def test_newcombe_agrees_with_statsmodels(first: tuple[int, int], second: tuple[int, int]) -> None:
    expected = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
    assert newcombe(*first, *second) == pytest.approx(expected, abs=1e-10)


@QUICK
@given(first=COUNTS, second=COUNTS)
def test_newcombe_is_reversed_with_the_two_proportions(first: tuple[int, int], second: tuple[int, int]) -> None:
    low, high = newcombe(*first, *second)
    difference = first[0] / first[1] - second[0] / second[1]
    assert -1 - 1e-12 <= low <= difference <= high <= 1 + 1e-12
    assert newcombe(*second, *first) == pytest.approx((-high, -low), abs=1e-12)


@pytest.mark.parametrize(("area", "interval"), [(0.9340, (0.911, 0.958)), (0.9608, (0.943, 0.979))])
def test_hanley_mcneil_gives_the_intervals_of_the_report_s_aucs(area: float, interval: tuple[float, float]) -> None:
    margin = 1.96 * hanley_mcneil(area, 234, 234)
    assert (area - margin, area + margin) == pytest.approx(interval, abs=1e-3)


@QUICK
@given(area=st.floats(0.01, 0.99), m=st.integers(1, 500), n=st.integers(1, 500))
def test_hanley_mcneil_follows_its_formula(area: float, m: int, n: int) -> None:
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (m - 1) * (q1 - area**2) + (n - 1) * (q2 - area**2)) / (m * n)
    assert hanley_mcneil(area, m, n) == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_hanley_mcneil_is_near_delong_on_scores_of_equal_spread() -> None:
    labels, y_score = planted(2000, 2000, shift=1.5)
    area, variance = delong(np.array(labels), np.array(y_score))
    assert hanley_mcneil(area, 2000, 2000) == pytest.approx(math.sqrt(variance), rel=0.1)


@pytest.mark.parametrize(("area", "m", "n"), [(1.2, 5, 5), (-0.1, 5, 5), (0.9, 0, 5), (0.9, 5, 0), (93.4, 234, 234)])
def test_an_impossible_auc_is_refused(area: float, m: int, n: int) -> None:
    with pytest.raises(ValueError, match="not possible"):
        hanley_mcneil(area, m, n)


@QUICK
@given(classes=CLASSES)
def test_delong_agrees_with_the_definition(classes: tuple[list[float], list[float]]) -> None:
    assert delong(*stacked(*classes)) == pytest.approx(slow_delong(*classes), abs=1e-12)


@QUICK
@given(classes=CLASSES)
def test_delong_s_area_agrees_with_scikit_learn(classes: tuple[list[float], list[float]]) -> None:
    labels, y_score = stacked(*classes)
    assert delong(labels, y_score)[0] == pytest.approx(roc_auc_score(labels, y_score), abs=1e-12)


@QUICK
@given(classes=CLASSES)
def test_delong_is_reversed_with_the_scores(classes: tuple[list[float], list[float]]) -> None:
    labels, y_score = stacked(*classes)
    area, variance = delong(labels, y_score)
    assert delong(labels, -y_score) == pytest.approx((1 - area, variance), abs=1e-12)


def test_constant_scores_have_an_area_of_one_half_and_no_variance() -> None:
    assert delong(np.array([0, 1, 0, 1]), np.full(4, 0.3)) == (0.5, 0.0)


@QUICK
@given(classes=CLASSES)
def test_delong_s_interval_is_strictly_within_0_and_1_and_contains_the_area(
    classes: tuple[list[float], list[float]],
) -> None:
    area, variance = delong(*stacked(*classes))
    bounds = delong_interval(area, variance)
    if bounds is not None:
        assert 0 < bounds[0] < area < bounds[1] < 1


@QUICK
@given(area=st.floats(0.05, 0.95), error=st.floats(0.001, 0.1))
def test_delong_s_interval_is_symmetric_on_the_logit_scale(area: float, error: float) -> None:
    bounds = delong_interval(area, error**2)
    assert bounds is not None
    low, centre, high = (math.log(p / (1 - p)) for p in (bounds[0], area, bounds[1]))
    assert high - centre == pytest.approx(centre - low, rel=1e-6)
    assert high - centre == pytest.approx(norm.ppf(0.975) * error / (area * (1 - area)), rel=1e-6)


@pytest.mark.parametrize(("area", "variance"), [(0.0, 0.01), (1.0, 0.01), (0.8, 0.0), (1.0, 0.0)])
def test_delong_s_interval_is_missing_where_the_method_has_none(area: float, variance: float) -> None:
    assert delong_interval(area, variance) is None


def test_a_higher_level_widens_every_interval() -> None:
    for narrow, wide in (
        (wilson(30, 40, 0.9), wilson(30, 40, 0.99)),
        (newcombe(30, 40, 20, 40, 0.9), newcombe(30, 40, 20, 40, 0.99)),
        (delong_interval(0.8, 0.001, 0.9), delong_interval(0.8, 0.001, 0.99)),
    ):
        assert narrow is not None
        assert wide is not None
        assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_delong_s_interval_contains_the_true_area_about_95_times_in_100() -> None:
    true = norm.cdf(1.2 / math.sqrt(2))
    covered = 0
    for seed in range(300):
        labels, y_score = planted(60, 60, shift=1.2, seed=seed)
        bounds = delong_interval(*delong(np.array(labels), np.array(y_score)))
        covered += bounds is not None and bounds[0] <= true <= bounds[1]
    assert 0.91 <= covered / 300 <= 0.99

"""What printed figures can show, against statsmodels and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from benchmark.evidence.intervals.formulas import hanley_mcneil
from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.support import (
    auc_for_bound,
    correlation_for,
    count_for_bound,
    discordant,
    images_for_bound,
    least_p,
)


@pytest.mark.parametrize(("n", "bound"), [(390, 0.95), (60, 0.8), (72, 0.95), (200, 0.001)])
def test_the_count_for_a_bound_is_the_first_whose_interval_shows_it(n: int, bound: float) -> None:
    counts = np.arange(n + 1)
    low, high = proportion_confint(counts, n, method="wilson")
    # statsmodels' ends of 0 and of n successes are 0 and 1 only up to rounding.
    above, below = counts[low >= bound], counts[high <= bound]
    assert count_for_bound(n, bound, "at least") == (above.min() if len(above) else None)
    assert count_for_bound(n, bound, "at most") == (below.max() if len(below) else None)


@pytest.mark.parametrize("bound", [0.2, 0.8, 0.95, 0.99])
def test_the_fewest_images_are_those_of_wilsons_interval_without_errors(bound: float) -> None:
    n = np.arange(1, 1000)
    shown = proportion_confint(n, n, method="wilson")[0] >= bound
    assert images_for_bound(bound, "at least") == images_for_bound(1 - bound, "at most") == n[shown].min()
    assert images_for_bound(1.0, "at least") is None


def test_the_auc_for_a_bound_has_an_interval_that_ends_there() -> None:
    auc = auc_for_bound(0.95, 390, 234, "at least")
    assert auc is not None
    assert auc - norm.ppf(0.975) * hanley_mcneil(auc, 390, 234) == pytest.approx(0.95)
    other = auc_for_bound(0.6, 20, 30, "at most")
    assert other is not None
    assert other + norm.ppf(0.975) * hanley_mcneil(other, 20, 30) == pytest.approx(0.6)


@pytest.mark.parametrize("difference", [1, 3, 4, 13])
def test_no_pairing_has_a_smaller_p_value_than_the_one_without_opposite_errors(difference: int) -> None:
    """statsmodels' exact and asymptotic McNemar tests of every table with this difference of its two counts."""
    tables = [np.array([[50, difference + both], [both, 5]]) for both in range(20)]
    exact = [mcnemar(table, exact=True).pvalue for table in tables]
    asymptotic = [mcnemar(table, exact=False, correction=False).pvalue for table in tables]
    assert least_p(difference, exact=True) == pytest.approx(min(exact))
    assert least_p(difference) <= min(*exact, *asymptotic) * (1 + 1e-9)
    assert least_p(difference) >= min(*asymptotic, min(exact) / 2) * (1 - 1e-9)


def test_a_p_value_takes_the_correlation_at_which_the_test_gives_it() -> None:
    errors = (hanley_mcneil(0.971, 390, 234), hanley_mcneil(0.965, 390, 234))
    correlation = correlation_for(0.006, errors, 0.05)
    assert correlation is not None
    covariance = np.array([[1, correlation], [correlation, 1]]) * np.outer(errors, errors)
    contrast = np.array([1, -1])
    assert 2 * norm.sf(0.006 / np.sqrt(contrast @ covariance @ contrast)) == pytest.approx(0.05)
    assert correlation_for(0.0001, (0.01, 0.02), 0.05) is None


@pytest.mark.parametrize(("tp", "tn"), [(15, 28), (20, 24), (17, 21), (30, 0), (19, 12)])
def test_opposite_differences_of_the_classes_bound_the_discordant_images(tp: int, tn: int) -> None:
    """Of every pairing of the decisions on 30 + 30 images, statsmodels' tests find no smaller p value."""
    one, other = Confusion(tp=tp, fp=30 - tn, tn=tn, fn=30 - tp), Confusion(tp=17, fp=9, tn=21, fn=13)
    ((difference, images),) = discordant([one], [other])
    pairings = {
        # Right for one model only, among positives and negatives: all overlaps that the counts allow.
        ((tp - p) + (tn - n), (17 - p) + (21 - n))
        for p in range(max(0, tp + 17 - 30), min(tp, 17) + 1)
        for n in range(max(0, tn + 21 - 30), min(tn, 21) + 1)
    }
    assert min(sum(each) for each in pairings) == images
    assert {abs(a - b) for a, b in pairings} == {difference}
    if images:
        exact = min(mcnemar(np.array([[0, a], [b, 0]]), exact=True).pvalue for a, b in pairings)
        assert least_p(difference, images, exact=True) == pytest.approx(exact)
        tables = [np.array([[0, a], [b, 0]]) for a, b in pairings]
        asymptotic = min(mcnemar(table, exact=False, correction=False).pvalue for table in tables)
        assert least_p(difference, images) <= min(exact, asymptotic) * (1 + 1e-9)

"""Differences of two independent samples against statsmodels."""

from __future__ import annotations

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from benchmark.evidence import Figure, figures
from benchmark.evidence.external.two_samples import independent_difference
from tests.support.records import of_counts


def test_the_difference_of_two_shares_is_newcombe_s() -> None:
    outside, test = of_counts(40, 9, 51, 20), of_counts(70, 5, 95, 10)
    difference = independent_difference(figures(outside, 0.5)["recall"], figures(test, 0.5)["recall"])
    assert difference.value == pytest.approx(40 / 60 - 70 / 80)
    assert difference.bounds == pytest.approx(confint_proportions_2indep(40, 60, 70, 80, method="newcomb"))


def test_a_missing_side_is_a_reason_and_never_a_zero() -> None:
    whole, undefined = Figure("auc", 0.8, 0.7, 0.9), Figure.missing("auc", "a class is missing")
    assert independent_difference(undefined, whole).reason == "a class is missing"
    assert independent_difference(whole, undefined).value is None
    assert independent_difference(whole, None).reason == "the run has no such test figure"
    without_interval = independent_difference(Figure("auc", 0.6, reason="too few"), whole)
    assert (without_interval.value, without_interval.bounds) == (pytest.approx(-0.2), None)
    assert without_interval.reason == "too few"

"""The negative predictive value against scikit-learn and statsmodels."""

from __future__ import annotations

import pytest
from sklearn.metrics import precision_score
from statsmodels.stats.proportion import proportion_confint

from benchmark.evidence.external.negatives import negative_predictive_value
from tests.support.records import of_counts, on_test, planted


def test_it_is_the_precision_of_the_negative_class() -> None:
    scores = on_test(*planted(80, 30))
    called = (scores.y_score >= 0.6).astype(int)
    figure = negative_predictive_value(scores, 0.6)
    assert figure.value == pytest.approx(precision_score(scores.y_true, called, pos_label=0))
    right, all_called = int(((called == 0) & (scores.y_true == 0)).sum()), int((called == 0).sum())
    assert figure.bounds == pytest.approx(proportion_confint(right, all_called, method="wilson"))


def test_without_a_negative_call_it_is_missing() -> None:
    figure = negative_predictive_value(of_counts(5, 5, 0, 0), 0.5)
    assert figure.value is None
    assert figure.reason is not None

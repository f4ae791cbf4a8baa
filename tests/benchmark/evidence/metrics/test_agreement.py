"""Kappa and correlation of several classes, with their standard errors, agree with other implementations."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from benchmark.evidence.metrics.agreement import (
    correlation,
    correlation_gradient,
    kappa,
    kappa_gradient,
    quadratic_kappa,
    quadratic_kappa_gradient,
)
from benchmark.evidence.metrics.registry import Confusion, get_metric

QUICK = settings(deadline=None, max_examples=40)
COUNTS = st.lists(st.integers(1, 30), min_size=9, max_size=9)

TABLE = np.array([[53, 5, 2], [11, 14, 5], [1, 6, 3]])
"""Agreement .70 where chance alone gives .60 * .65 + .30 * .25 + .10 * .10 = .475, so kappa is .225 / .525 = 3 / 7."""


def with_abstentions(table: np.ndarray, abstained: int = 0) -> np.ndarray:
    return np.column_stack([table, np.full(len(table), abstained)]).astype(float)


def test_kappa_of_a_table_by_hand() -> None:
    assert kappa(with_abstentions(TABLE)[..., None])[0] == pytest.approx(3 / 7, abs=1e-12)


@QUICK
@given(COUNTS)
def test_kappa_and_its_standard_error_are_statsmodels(counts: list[int]) -> None:
    table = np.array(counts).reshape(3, 3)
    full = with_abstentions(table)
    for value, gradient, other in (
        (kappa, kappa_gradient, cohens_kappa(table)),
        (quadratic_kappa, quadratic_kappa_gradient, cohens_kappa(table, wt="quadratic")),
    ):
        assert value(full[..., None])[0] == pytest.approx(other.kappa, abs=1e-12)
        variance = float((full * gradient(full) ** 2).sum())  # influence values are the same for all images of a cell
        assert np.sqrt(variance) == pytest.approx(other.std_kappa, rel=1e-9)


@QUICK
@given(COUNTS)
def test_correlation_is_scikit_learn_s(counts: list[int]) -> None:
    table = np.array(counts).reshape(3, 3)
    y_true, decided = (np.repeat(part.ravel(), table.ravel()) for part in np.indices(table.shape))
    value = correlation(with_abstentions(table)[..., None])[0]
    assert value == pytest.approx(reference.matthews_corrcoef(y_true, decided), abs=1e-12)


@QUICK
@given(st.tuples(*[st.integers(1, 40)] * 4))
def test_correlation_of_two_classes_is_the_binary_metric_with_its_gradient(counts: tuple[int, int, int, int]) -> None:
    tp, fp, tn, fn = counts
    table = with_abstentions(np.array([[tn, fp], [fn, tp]]))
    binary = get_metric("mcc")
    assert binary.influence is not None
    assert correlation(table[..., None])[0] == pytest.approx(binary.of_decisions(Confusion(tp, fp, tn, fn)))  # type: ignore[misc]
    gradient = correlation_gradient(table)
    by_cell = [gradient[1, 1], gradient[0, 1], gradient[0, 0], gradient[1, 0]]
    assert by_cell == pytest.approx(binary.influence(np.array(counts, dtype=float)), abs=1e-12)


@QUICK
@given(COUNTS)
def test_quadratic_weights_matter_only_where_classes_are_more_than_one_apart(counts: list[int]) -> None:
    table = np.array(counts).reshape(3, 3)
    better = table.copy()
    better[0, 1] += better[0, 2]
    better[0, 2] = 0
    nearer, further = (quadratic_kappa(with_abstentions(each)[..., None])[0] for each in (better, table))
    assert nearer != further
    assert np.isnan(quadratic_kappa(with_abstentions(table, 1)[..., None])[0])

"""McNemar's and Stuart-Maxwell's tests against statsmodels, published tables and their definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import SquareTable
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar

from benchmark.evidence.comparison.calls import FEW_CHANGES, mcnemar, stuart_maxwell

VISION = ((1520, 266, 124, 66), (234, 1512, 432, 78), (117, 362, 1772, 205), (36, 82, 179, 492))
"""Grades of unaided vision of the right and the left eye of 7,477 women (Stuart 1955): chi-square 11.96 with 3 df."""


def calls_of(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Calls of two cards with this table of the first's calls (rows) by the second's (columns)."""
    rows, columns = np.indices(table.shape)
    return np.repeat(rows.ravel(), table.ravel()), np.repeat(columns.ravel(), table.ravel())


def test_stuart_maxwell_of_the_published_table() -> None:
    shift = stuart_maxwell(*calls_of(np.array(VISION)), 4)
    assert shift.statistic == pytest.approx(11.96, abs=0.005)
    assert shift.df == 3
    assert shift.p_value == pytest.approx(0.0075, abs=0.00005)
    assert shift.calls_a == tuple(np.sum(VISION, axis=1))
    assert shift.calls_b == tuple(np.sum(VISION, axis=0))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [2, 3, 10])
def test_stuart_maxwell_is_that_of_statsmodels(count: int, seed: int) -> None:
    table = np.random.default_rng(seed).integers(5, 40, size=(count, count))
    expected = SquareTable(table, shift_zeros=False).homogeneity()
    shift = stuart_maxwell(*calls_of(table), count)
    assert shift.statistic == pytest.approx(expected.statistic)
    assert shift.df == expected.df
    if table.sum() - np.trace(table) >= FEW_CHANGES:
        assert shift.p_value == pytest.approx(expected.pvalue)


def test_few_changes_are_exchanged_one_by_one() -> None:
    """Of two classes, the exchange is McNemar's exact test, which statsmodels has."""
    table = np.array([[20, 9], [2, 30]])
    shift = stuart_maxwell(*calls_of(table), 2)
    assert shift.p_value == pytest.approx(reference_mcnemar(table, exact=True).pvalue)
    assert "exchange" in shift.test


def test_random_exchanges_agree_with_the_chi_square_distribution() -> None:
    """Just below the limit both are good approximations."""
    table = np.array([[50, 10, 14], [20, 50, 9], [25, 16, 50]])
    assert FEW_CHANGES - 10 < table.sum() - np.trace(table) < FEW_CHANGES
    shift = stuart_maxwell(*calls_of(table), 3)
    assert shift.p_value == pytest.approx(SquareTable(table, shift_zeros=False).homogeneity().pvalue, abs=0.02)


def test_a_class_that_nobody_calls_has_no_degree_of_freedom() -> None:
    a, b = calls_of(np.array([[40, 90, 0], [60, 40, 0], [0, 0, 0]]))
    shift = stuart_maxwell(a, b, 3)
    assert shift.df == 1
    assert shift.statistic == pytest.approx((90 - 60) ** 2 / (90 + 60))
    assert shift.calls_a[2] == 0


def test_abstentions_are_a_share_of_their_own() -> None:
    a, b = np.array([0, 0, 1, 2, -1, -1]), np.array([0, 0, 1, 2, 1, 2])
    shift = stuart_maxwell(a, b, 3)
    assert shift.calls_a == (2, 1, 1, 2)
    assert shift.calls_b == (2, 2, 2, 0)


def test_equal_calls_do_not_shift() -> None:
    calls = np.array([0, 1, 2, 2])
    shift = stuart_maxwell(calls, calls, 3)
    assert (shift.statistic, shift.p_value, shift.df) == (0.0, 1.0, 0)


def test_by_patient_of_two_classes_it_is_the_test_of_durkalski() -> None:
    generator = np.random.default_rng(3)
    patients = generator.integers(0, 150, size=600)
    a, b = generator.integers(0, 2, size=(2, 600))
    net = np.bincount(patients, a - b)
    shift = stuart_maxwell(a, b, 2, [str(p) for p in patients])
    assert shift.statistic == pytest.approx(net.sum() ** 2 / (net**2).sum())
    assert shift.test.endswith("by patient")


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_copies_of_images_add_nothing_by_patient(seed: int, copies: int) -> None:
    a, b = np.random.default_rng(seed).integers(0, 3, size=(2, 40))
    patients = [str(i) for i in range(40)]
    once = stuart_maxwell(a, b, 3, patients)
    repeated = stuart_maxwell(np.tile(a, copies), np.tile(b, copies), 3, patients * copies)
    assert repeated.statistic == pytest.approx(once.statistic)
    assert repeated.p_value == pytest.approx(once.p_value)


@pytest.mark.parametrize("patients", [None, 60])
def test_false_alarms_of_stuart_maxwell_are_rare(patients: int | None) -> None:
    """Where both cards call alike, 5% of tests are significant; by patient also if a patient's images are alike."""
    generator, alarms, trials = np.random.default_rng(8), 0, 400
    for _ in range(trials):
        if patients is None:
            a, b = generator.integers(0, 3, size=(2, 60))
            names = None
        else:
            a, b = (np.repeat(one, 3) for one in generator.integers(0, 3, size=(2, patients)))
            names = [str(i) for i in np.repeat(np.arange(patients), 3)]
        alarms += stuart_maxwell(a, b, 3, names).p_value <= 0.05
    assert 0.02 < alarms / trials < 0.085


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (3, 1), (9, 2), (60, 40)])
def test_mcnemar_is_the_exact_test_of_statsmodels(only_a: int, only_b: int) -> None:
    right_a = np.array([True] * (20 + only_a) + [False] * (only_b + 5))
    right_b = np.array([True] * 20 + [False] * only_a + [True] * only_b + [False] * 5)
    test = mcnemar(right_a, right_b)
    assert (test.only_a, test.only_b) == (only_a, only_b)
    assert test.p_value == pytest.approx(reference_mcnemar([[20, only_a], [only_b, 5]], exact=True).pvalue)


def test_mcnemar_by_patient_counts_a_patient_once() -> None:
    right_a, right_b = np.repeat([True, True, False, True], 5), np.repeat([False, False, True, True], 5)
    by_image = mcnemar(right_a, right_b)
    by_patient = mcnemar(right_a, right_b, [str(i) for i in np.repeat(range(4), 5)])
    assert by_patient.only_a == by_image.only_a == 10
    assert by_patient.p_value == mcnemar(right_a[::5], right_b[::5]).p_value > by_image.p_value


def test_calls_of_different_images_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        stuart_maxwell(np.zeros(3, np.int64), np.zeros(4, np.int64), 3)
    with pytest.raises(ValueError, match="cannot be paired"):
        mcnemar(np.zeros(3, bool), np.zeros(4, bool))

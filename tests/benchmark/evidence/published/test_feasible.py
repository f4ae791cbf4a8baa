"""What could have printed given figures agrees with trying everything and with mlscorecheck."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.feasible import (
    TooManyCandidates,
    feasible_matrices,
    feasible_sizes,
    fits,
    is_feasible,
    majority_prediction_share,
    metric_of,
    neighbours,
    printed_range,
    smallest_conflict,
)
from benchmark.evidence.published.shares import feasible_at_any_size

QUICK = settings(deadline=None, max_examples=60)
Metric = Callable[[int, int, int, int], float]
FORMULAS: dict[str, Metric] = {
    "accuracy": lambda tp, fp, tn, fn: (tp + tn) / (tp + fp + tn + fn),
    "precision": lambda tp, fp, tn, fn: tp / (tp + fp) if tp + fp else 0.0,
    "recall": lambda tp, fp, tn, fn: tp / (tp + fn),
    "specificity": lambda tp, fp, tn, fn: tn / (tn + fp),
    "balanced_accuracy": lambda tp, fp, tn, fn: (tp / (tp + fn) + tn / (tn + fp)) / 2,
    "f1": lambda tp, fp, tn, fn: 2 * tp / (2 * tp + fp + fn),
    "false_positives": lambda tp, fp, tn, fn: fp,
    "true_negatives": lambda tp, fp, tn, fn: tn,
    "true_positives": lambda tp, fp, tn, fn: tp,
    "false_negatives": lambda tp, fp, tn, fn: fn,
}
PROPORTIONS = ("accuracy", "precision", "recall", "specificity", "f1")
SIZE = st.integers(1, 14)
SHOWN = st.dictionaries(st.sampled_from(sorted(FORMULAS)), st.none(), min_size=1, max_size=4).map(list)
PRINTERS: dict[str, Callable[[float, int], float]] = {
    "half to even": lambda value, decimals: round(value, decimals),
    "half up": lambda value, decimals: float(Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)),
    "single precision": lambda value, decimals: float(f"{np.float32(value):.{decimals}f}"),
    "cut": lambda value, decimals: float(Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_DOWN)),
}


@st.composite
def matrices(draw: st.DrawFn, largest: int = 300) -> Confusion:
    negatives, positives = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    tp, tn = draw(st.integers(0, positives)), draw(st.integers(0, negatives))
    return Confusion(tp=tp, fp=negatives - tn, tn=tn, fn=positives - tp)


def values(matrix: Confusion) -> dict[str, float]:
    return {name: float(of(matrix.tp, matrix.fp, matrix.tn, matrix.fn)) for name, of in FORMULAS.items()}


def slowly(ranges: dict[str, tuple[float, float]], negatives: int, positives: int) -> set[tuple[int, int]]:
    """(TP, TN) of every matrix within the ranges, by trying all."""
    return {
        (tp, tn)
        for tp, tn in product(range(positives + 1), range(negatives + 1))
        if all(
            low <= FORMULAS[name](tp, negatives - tn, tn, positives - tp) <= high
            for name, (low, high) in ranges.items()
        )
    }


@QUICK
@given(negatives=SIZE, positives=SIZE, names=SHOWN, data=st.data())
def test_the_matrices_are_those_found_by_trying_all(
    negatives: int, positives: int, names: list[str], data: st.DataObject
) -> None:
    ranges = {}
    for name in names:
        top = 14 if name.startswith(("true", "false")) else 1
        ends = sorted(data.draw(st.tuples(*[st.floats(-0.1, top + 0.1)] * 2)))
        ranges[name] = (ends[0], ends[1])
    found = feasible_matrices(ranges, negatives, positives)
    assert {(m.tp, m.tn) for m in found} == slowly(ranges, negatives, positives)
    assert len(found) == len({(m.tp, m.tn) for m in found})
    assert all((m.tn + m.fp, m.tp + m.fn) == (negatives, positives) for m in found)


@QUICK
@given(negatives=SIZE, positives=SIZE, names=SHOWN, data=st.data())
def test_there_is_a_matrix_where_one_is_listed(
    negatives: int, positives: int, names: list[str], data: st.DataObject
) -> None:
    top = {name: 14 if name.startswith(("true", "false")) else 1 for name in names}
    ends = {name: sorted(data.draw(st.tuples(*[st.floats(-0.1, top[name] + 0.1)] * 2))) for name in names}
    ranges = {name: (low, high) for name, (low, high) in ends.items()}
    assert is_feasible(ranges, negatives, positives) == bool(feasible_matrices(ranges, negatives, positives))


def test_a_million_images_of_each_class_are_looked_through() -> None:
    million = 10**6
    matrix = Confusion(tp=912_345, fp=54_321, tn=million - 54_321, fn=million - 912_345)
    true = values(matrix)
    ranges = {name: printed_range(true[name], 10) for name in ("accuracy", "precision", "recall")}
    assert feasible_matrices(ranges, million, million) == (matrix,)
    with pytest.raises(TooManyCandidates):
        feasible_matrices({"accuracy": printed_range(0.9, 2)}, million, million)
    with pytest.raises(TooManyCandidates):
        is_feasible({"f1": printed_range(0.9, 2)}, million, million)


@QUICK
@given(matrix=matrices(), decimals=st.integers(1, 6), printer=st.sampled_from(sorted(PRINTERS)), names=SHOWN)
def test_the_matrix_behind_printed_figures_is_always_among_those_that_fit(
    matrix: Confusion, decimals: int, printer: str, names: list[str]
) -> None:
    true = values(matrix)
    ranges = {
        name: (true[name] - 0.5, true[name] + 0.5)
        if name.startswith(("true", "false"))
        else printed_range(PRINTERS[printer](true[name], decimals), decimals, cut=printer == "cut")
        for name in names
    }
    assert fits(matrix, ranges)
    assert matrix in feasible_matrices(ranges, matrix.tn + matrix.fp, matrix.tp + matrix.fn)


@QUICK
@given(matrix=matrices(), decimals=st.integers(1, 4), printer=st.sampled_from(sorted(PRINTERS)))
def test_shares_of_real_decisions_are_always_possible(matrix: Confusion, decimals: int, printer: str) -> None:
    true = values(matrix)
    ranges = {name: printed_range(PRINTERS[printer](true[name], decimals), decimals, cut=True) for name in PROPORTIONS}
    assert feasible_at_any_size(ranges)


@pytest.mark.parametrize(
    ("printed", "negatives", "positives", "matrix"),
    [
        ({"accuracy": 0.7671, "precision": 0.9562, "recall": 0.5598}, 234, 234, Confusion(131, 6, 228, 103)),
        ({"accuracy": 0.9103, "precision": 0.9138, "recall": 0.9060}, 234, 234, Confusion(212, 20, 214, 22)),
        ({"accuracy": 0.8141, "precision": 0.7807, "recall": 0.9769}, 234, 390, Confusion(381, 107, 127, 9)),
    ],
)
def test_three_published_rows_have_one_matrix_each(
    printed: dict[str, float], negatives: int, positives: int, matrix: Confusion
) -> None:
    ranges = {name: printed_range(value, 4) for name, value in printed.items()}
    assert feasible_matrices(ranges, negatives, positives) == (matrix,)


def test_counts_and_verdicts_are_those_of_mlscorecheck() -> None:
    from mlscorecheck.check.binary import check_1_testset_no_kfold  # sets up logging when imported

    logging.getLogger("mlscorecheck").setLevel(logging.WARNING)
    named = {"accuracy": "acc", "precision": "ppv", "recall": "sens", "specificity": "spec", "f1": "f1"}
    draw = random.Random(7)
    empty = 0
    for _ in range(150):
        negatives, positives = draw.randint(20, 90), draw.randint(20, 90)
        tp, tn = draw.randint(1, positives - 1), draw.randint(1, negatives - 1)
        true = values(Confusion(tp, negatives - tn, tn, positives - tp))
        shown = {name: round(true[name] + draw.choice([0, 0, 0.002]), 3) for name in draw.sample(sorted(named), 3)}
        found = feasible_matrices(
            {name: printed_range(value, 3) for name, value in shown.items()}, negatives, positives
        )
        verdict = check_1_testset_no_kfold(
            testset={"p": positives, "n": negatives},
            scores={named[name]: value for name, value in shown.items()},
            eps=5e-4,
        )
        empty += not found
        assert verdict["inconsistency"] == (not found)
        if found:
            assert verdict["n_valid_tptn_pairs"] == len(found)
    assert 20 < empty < 130


def test_undefined_precision_prints_as_0() -> None:
    none_called = Confusion(tp=0, fp=0, tn=5, fn=5)
    assert none_called in feasible_matrices({"precision": printed_range(0.0, 4)}, 5, 5)
    assert metric_of(none_called, "precision") == 0


@pytest.mark.parametrize(
    ("name", "sizes", "says"),
    [
        ("loss", (5, 5), "not computed from a confusion matrix"),
        ("auc", (5, 5), "not computed from a confusion matrix"),
        ("accuracy", (0, 5), "both classes"),
    ],
)
def test_what_no_matrix_gives_is_refused(name: str, sizes: tuple[int, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        feasible_matrices({name: (0.4, 0.6)}, *sizes)


def test_more_matrices_than_can_be_looked_through_are_refused_and_a_large_set_is_not() -> None:
    with pytest.raises(TooManyCandidates):
        feasible_matrices({"f1": printed_range(0.5, 4)}, 5000, 5000)
    ranges = {"accuracy": printed_range(0.75, 4), "recall": printed_range(0.8, 4)}
    found = feasible_matrices(ranges, 5000, 5000)
    assert Confusion(tp=4000, fp=1500, tn=3500, fn=1000) in found


def test_a_printed_range_reaches_half_a_unit_and_a_cut_one_a_whole_unit_up() -> None:
    assert printed_range(0.12, 2) == pytest.approx((0.115, 0.125), abs=2e-7)
    assert printed_range(0.12, 2, cut=True) == pytest.approx((0.115, 0.13), abs=2e-7)
    assert printed_range(-0.12, 2, cut=True) == pytest.approx((-0.13, -0.115), abs=2e-7)
    assert printed_range(0.1, 1, upper=0.3) == pytest.approx((0.05, 0.35), abs=2e-7)


@QUICK
@given(accuracy=st.floats(0.01, 0.99), precision=st.floats(0.01, 0.99))
def test_with_recall_1_precision_never_exceeds_accuracy(accuracy: float, precision: float) -> None:
    assume(abs(accuracy - precision) > 1e-4)
    exact = {"recall": (1.0, 1.0), "accuracy": (accuracy, accuracy), "precision": (precision, precision)}
    assert feasible_at_any_size(exact) == (precision < accuracy)


@QUICK
@given(recall=st.floats(0.05, 0.95), specificity=st.floats(0.05, 0.95), accuracy=st.floats(0.05, 0.95))
def test_accuracy_always_lies_between_recall_and_specificity(
    recall: float, specificity: float, accuracy: float
) -> None:
    low, high = sorted((recall, specificity))
    assume(min(abs(accuracy - low), abs(accuracy - high)) > 1e-4)
    exact = {
        "recall": (recall, recall),
        "specificity": (specificity, specificity),
        "accuracy": (accuracy, accuracy),
    }
    assert feasible_at_any_size(exact) == (low < accuracy < high)


def test_the_printed_validation_pair_of_attempt_4_is_impossible_at_recall_1() -> None:
    pair = {"accuracy": printed_range(0.5042, 4), "precision": printed_range(0.5063, 4)}
    assert feasible_at_any_size(pair)
    assert not feasible_at_any_size({**pair, "recall": printed_range(1.0, 4)})


def test_figures_that_are_no_proportions_leave_every_share_possible() -> None:
    assert feasible_at_any_size({"mcc": (2.0, 3.0)})
    assert feasible_at_any_size({})


def test_the_smallest_conflict_is_the_first_of_the_fewest() -> None:
    asked: list[tuple[str, ...]] = []

    def possible(names: object) -> bool:
        asked.append(tuple(names))  # type: ignore[call-overload]
        return not {"b", "d"} <= set(asked[-1])

    assert smallest_conflict(["a", "b", "c", "d"], possible) == ("b", "d")
    assert all(len(names) <= 2 for names in asked)
    assert smallest_conflict(["a", "b"], lambda names: True) == ()


@QUICK
@given(shown=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 60)), min_size=1, max_size=3))
def test_fitting_sizes_are_those_found_by_trying_all(shown: list[tuple[int, int]]) -> None:
    figures = [round(min(k, n) / n, 3) for n, k in shown]
    ranges = [printed_range(value, 3) for value in figures]
    slow = tuple(
        n
        for n in range(1, 120)
        if all(any(low <= Fraction(k, n) <= high for k in range(n + 1)) for low, high in ranges)
    )
    assert feasible_sizes(ranges, 119) == slow


@pytest.mark.parametrize(("value", "fit"), [(0.6218, {468, 624}), (0.4979, {468}), (0.625, {624}), (0.5, {468, 624})])
def test_printed_accuracies_of_the_report_fit_these_test_sets(value: float, fit: set[int]) -> None:
    assert {468, 624} & set(feasible_sizes([printed_range(value, 4)], 624)) == fit


def test_neighbours_are_the_nearest_proportions_on_both_sides() -> None:
    assert neighbours(0.4981, 468) == (233 / 468, 234 / 468)
    assert neighbours(1.0, 7) == (1.0, 1.0)
    assert neighbours(0.01, 7) == (0.0, 1 / 7)


@QUICK
@given(matrix=matrices())
def test_the_share_called_alike_is_at_least_half_and_1_for_one_class(matrix: Confusion) -> None:
    share = majority_prediction_share(matrix)
    assert 0.5 <= share <= 1
    positive, negative = matrix.tp + matrix.fp, matrix.tn + matrix.fn
    assert (share == 1) == (0 in (positive, negative))
    assert math.isclose(share, max(positive, negative) / (positive + negative))

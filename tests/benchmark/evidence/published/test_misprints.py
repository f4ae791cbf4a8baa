"""One corrupted number among figures of a true matrix is always among the explanations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.feasible import Range, metric_of, printed_range
from benchmark.evidence.published.misprints import CELLS, Misprint, explain, explain_classes
from benchmark.evidence.published.multiclass import figure_of_matrix

QUICK = settings(deadline=None, max_examples=40)
NAMES = ("accuracy", "precision", "recall", "specificity", "f1", "balanced_accuracy", "mcc", "true_positives")
KEYS = ("accuracy", "balanced_accuracy", "recall:macro", "kappa", "f1:macro", "f1:micro", "mcc")
CLASSES = ("A", "B", "C")
TRUE = Confusion(tp=212, fp=20, tn=214, fn=22)
"""The matrix of the published report's attempt 7."""


def prints(value: float, decimals: int) -> Range:
    return printed_range(round(value, decimals), decimals, cut=True)


def figures_of(matrix: Confusion, *names: str, decimals: int = 3) -> list[tuple[str, Range]]:
    return [(name, prints(metric_of(matrix, name), decimals)) for name in names]


def test_a_corrupted_figure_is_named_with_the_true_matrix() -> None:
    figures = figures_of(TRUE, "accuracy", "precision", "recall", "specificity", "f1")
    assert explain(figures, (234, 234)) is None
    figures[0] = ("accuracy", prints(0.94, 2))
    assert explain(figures, (234, 234)) == (Misprint(figure=0, matrices=(TRUE,)),)


def test_two_figures_that_contradict_each_other_are_both_explanations() -> None:
    figures = [("accuracy", prints(0.91, 2)), ("accuracy", prints(0.81, 2))]
    found = explain(figures, (50, 50))
    assert found is not None
    assert {each.figure for each in found} == {0, 1}
    assert {each.matrices[0].tp + each.matrices[0].tn for each in found} == {81, 91}


def test_two_corrupted_figures_have_no_single_explanation() -> None:
    figures = figures_of(TRUE, "precision", "recall", "specificity", "f1", "accuracy")
    figures[0], figures[1] = ("precision", prints(0.7, 3)), ("recall", prints(0.55, 3))
    assert explain(figures, (234, 234)) == ()


def test_an_auc_out_of_reach_is_a_misprint_of_the_auc() -> None:
    figures = [*figures_of(TRUE, "accuracy", "recall", "precision"), ("auc", prints(0.5, 3))]
    found = explain(figures, (234, 234))
    assert found is not None
    assert [each.figure for each in found] == [3]
    assert found[0].matrices == (TRUE,)


@pytest.mark.parametrize("sizes", [(234, 234), None])
def test_a_corrupted_count_is_named_with_the_true_one(sizes: tuple[int, int] | None) -> None:
    figures = figures_of(TRUE, "accuracy", "precision", "recall", "specificity", decimals=4)
    found = explain(figures, sizes, replace(TRUE, fn=2))
    assert found is not None
    assert [(each.cell, each.counts, each.matrices) for each in found] == [("fn", (22,), (TRUE,))]


def test_a_corrupted_class_size_is_named_with_that_of_the_matrix() -> None:
    found = explain(figures_of(TRUE, "accuracy", "precision"), (243, 234), TRUE)
    assert found is not None
    assert Misprint(size=0, matrices=(TRUE,), counts=(234,)) in found


def test_without_sizes_only_the_figures_are_named() -> None:
    figures = [("recall", prints(1.0, 4)), ("precision", prints(0.5063, 4)), ("accuracy", prints(0.5042, 4))]
    found = explain(figures, None)
    assert found is not None
    assert {each.figure for each in found} == {0, 1, 2}
    assert all(each.matrices == () for each in found)


@st.composite
def matrices(draw: st.DrawFn) -> Confusion:
    """A matrix with images of both classes."""
    tp, fp, tn, fn = (draw(st.integers(0, 40)) for _ in range(4))
    return Confusion(tp=tp + 1, fp=fp, tn=tn + 1, fn=fn)


@QUICK
@given(
    true=matrices(),
    names=st.lists(st.sampled_from(NAMES), min_size=2, max_size=5, unique=True),
    decimals=st.integers(1, 4),
    wrong=st.integers(0, 10_000),
    at=st.integers(0, 4),
)
def test_the_corrupted_figure_is_always_among_the_explanations(
    true: Confusion, names: list[str], decimals: int, wrong: int, at: int
) -> None:
    figures, at = figures_of(true, *names, decimals=decimals), at % len(names)
    figures[at] = (names[at], prints(wrong / 10_000, decimals))
    found = explain(figures, (true.tn + true.fp, true.tp + true.fn))
    if found is None:  # the wrong value is possible, too
        return
    (explanation,) = [each for each in found if each.figure == at]
    assert not explanation.matrices or true in explanation.matrices


@QUICK
@given(
    true=matrices(),
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True),
    cell=st.sampled_from(CELLS),
    count=st.integers(0, 300),
    known=st.booleans(),
)
def test_the_corrupted_count_is_always_among_the_explanations(
    true: Confusion, names: list[str], cell: str, count: int, known: bool
) -> None:
    printed = replace(true, **{cell: count})
    sizes = (true.tn + true.fp, true.tp + true.fn) if known else None
    found = explain(figures_of(true, *names), sizes, printed)
    if found is None:
        return
    (explanation,) = [each for each in found if each.cell == cell]
    assert true in explanation.matrices
    assert getattr(true, cell) in explanation.counts


@st.composite
def class_matrices(draw: st.DrawFn) -> list[list[int]]:
    """A matrix of three classes with images of each."""
    return [[draw(st.integers(0, 12)) + (i == j) for j in range(3)] for i in range(3)]


def of_classes(matrix: list[list[int]], keys: list[str]) -> list[tuple[str, Range]]:
    values = [figure_of_matrix(matrix, CLASSES, key) for key in keys]
    return [(key, prints(value, 3)) for key, value in zip(keys, values, strict=True) if value is not None]


@QUICK
@given(
    true=class_matrices(),
    keys=st.lists(st.sampled_from(KEYS), min_size=2, max_size=4, unique=True),
    wrong=st.integers(0, 1000),
    printed=st.booleans(),
)
def test_a_corrupted_figure_of_several_classes_is_among_the_explanations(
    true: list[list[int]], keys: list[str], wrong: int, printed: bool
) -> None:
    figures = of_classes(true, keys)
    figures[0] = (keys[0], prints(wrong / 1000, 3))
    sizes = {name: sum(row) for name, row in zip(CLASSES, true, strict=True)}
    found = explain_classes(figures, CLASSES, sizes, true if printed else None)
    if found is None:
        return
    (explanation,) = [each for each in found if each.figure == 0]
    value = figure_of_matrix(true, CLASSES, keys[0])
    assert value is not None
    if explanation.values is not None:
        assert explanation.values[0] - 1e-3 <= value <= explanation.values[1] + 1e-3
    assert explanation.values is not None or not printed


@QUICK
@given(true=class_matrices(), cell=st.tuples(st.integers(0, 2), st.integers(0, 2)), count=st.integers(0, 30))
def test_a_corrupted_count_of_several_classes_is_among_the_explanations(
    true: list[list[int]], cell: tuple[int, int], count: int
) -> None:
    printed = [list(row) for row in true]
    printed[cell[0]][cell[1]] = count
    assume(any(printed[cell[0]]))
    sizes = {name: sum(row) for name, row in zip(CLASSES, true, strict=True)}
    found = explain_classes(of_classes(true, ["accuracy", "kappa"]), CLASSES, sizes, printed)
    if found is None:
        assert printed == true
        return
    (explanation,) = [each for each in found if each.cell == cell]
    assert explanation.counts == (true[cell[0]][cell[1]],)


def test_counts_of_several_classes_are_tried_without_sizes_if_there_are_few() -> None:
    true = [[9, 1, 0], [2, 7, 1], [0, 3, 8]]
    printed = [[9, 1, 0], [2, 7, 10], [0, 3, 8]]
    figures = of_classes(true, ["accuracy", "kappa", "mcc", "f1:macro"])
    found = explain_classes(figures, CLASSES, None, printed)
    assert found == (Misprint(cell=(1, 2), counts=(1,)),)
    large = (np.array(printed) * 1000).tolist()
    assert explain_classes(figures, CLASSES, None, large) == ()


def test_a_class_size_of_several_is_that_of_the_matrix_and_equal_figures_give_each_other() -> None:
    true = [[9, 1, 0], [2, 7, 1], [0, 3, 8]]
    found = explain_classes(of_classes(true, ["accuracy"]), CLASSES, {"A": 10, "B": 10, "C": 12}, true)
    assert found is not None
    assert Misprint(size=2, counts=(11,)) in found
    figures = [("accuracy", prints(24 / 31, 3)), ("f1:micro", prints(0.84, 3))]
    assert figures[0][1] == explain_classes(figures, CLASSES, None)[1].values  # type: ignore[index]

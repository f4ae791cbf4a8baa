"""What printed figures of several classes imply agrees with scikit-learn, and never rules out decisions that exist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from benchmark.evidence.published.class_counts import counts_are_possible
from benchmark.evidence.published.feasible import Range, printed_range
from benchmark.evidence.published.multiclass import (
    ClassMatrix,
    contradictions,
    figure_of_matrix,
    mean_range,
    population,
)

CLASSES = ("NORMAL", "bacteria", "virus")
SIZES = {"NORMAL": 234, "bacteria": 242, "virus": 148}
MATRIX = ((220, 10, 4), (12, 200, 30), (8, 40, 100))
QUICK = settings(deadline=None, max_examples=60)
PRINTERS: tuple[Callable[[float, int], float], ...] = (
    round,
    lambda value, decimals: float(Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)),
    lambda value, decimals: float(f"{np.float32(value):.{decimals}f}"),
    lambda value, decimals: float(Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_DOWN)),
)


def images(matrix: ClassMatrix) -> tuple[np.ndarray, np.ndarray]:
    """Labels and decisions with that matrix."""
    cells = [(i, j) for i, row in enumerate(matrix) for j, count in enumerate(row) for _ in range(count)]
    return np.array([i for i, _ in cells]), np.array([j for _, j in cells])


def by_scikit_learn(matrix: ClassMatrix, names: Sequence[str]) -> dict[str, float]:
    """Every figure of decisions that scikit-learn computes, by key."""
    y, called = images(matrix)
    labels = list(range(len(names)))
    figures = {
        "accuracy": sk.accuracy_score(y, called),
        "mcc": sk.matthews_corrcoef(y, called),
        "kappa": sk.cohen_kappa_score(y, called, labels=labels),
        "quadratic_kappa": sk.cohen_kappa_score(y, called, labels=labels, weights="quadratic"),
    }
    for metric, function in (("recall", sk.recall_score), ("precision", sk.precision_score), ("f1", sk.f1_score)):
        for average in ("macro", "weighted", "micro"):
            figures[f"{metric}:{average}"] = function(y, called, labels=labels, average=average, zero_division=0)
        each = function(y, called, labels=labels, average=None, zero_division=0)
        figures |= {f"{metric}:class:{name}": value for name, value in zip(names, each, strict=True)}
    figures["balanced_accuracy"] = figures["recall:macro"]
    for label, name in enumerate(names):
        figures[f"specificity:class:{name}"] = sk.recall_score(y != label, called != label, zero_division=0)
    figures["specificity:macro"] = float(np.mean([figures[f"specificity:class:{name}"] for name in names]))
    return {key: float(value) for key, value in figures.items()}


@st.composite
def decisions(draw: st.DrawFn) -> tuple[tuple[tuple[int, ...], ...], tuple[str, ...]]:
    """A confusion matrix of three to six classes, each with images; some classes may never be called."""
    count = draw(st.integers(3, 6))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shares = random.dirichlet(np.full(count, 0.3), size=count)
    shares[np.diag_indices(count)] += draw(st.sampled_from([0.0, 1.0, 10.0]))
    if draw(st.booleans()):
        shares[:, draw(st.integers(0, count - 1))] = 1e-12
    sizes = random.integers(1, draw(st.sampled_from([6, 60, 400])), size=count)
    matrix = [random.multinomial(size, row / row.sum()) for size, row in zip(sizes, shares, strict=True)]
    return tuple(tuple(map(int, row)) for row in matrix), tuple("ABCDEF"[:count])


@QUICK
@given(made=decisions())
def test_figures_of_a_matrix_are_those_of_scikit_learn(made: tuple[ClassMatrix, tuple[str, ...]]) -> None:
    matrix, names = made
    for key, value in by_scikit_learn(matrix, names).items():
        if np.isnan(value):  # kappa of one class alone
            value = 0.0
        assert figure_of_matrix(matrix, names, key) == pytest.approx(value, abs=1e-12), key


def test_figures_of_scores_do_not_follow_from_a_matrix() -> None:
    for key in ("log_loss", "auc:macro", "auc:class:virus", "loss", "recall"):
        assert figure_of_matrix(MATRIX, CLASSES, key) is None, key


@settings(QUICK, max_examples=40)
@given(made=decisions(), data=st.data())
def test_figures_of_decisions_that_exist_never_contradict_each_other(
    made: tuple[ClassMatrix, tuple[str, ...]], data: st.DataObject
) -> None:
    matrix, names = made
    figures = {key: value for key, value in by_scikit_learn(matrix, names).items() if not np.isnan(value)}
    keys = data.draw(st.lists(st.sampled_from(sorted(figures)), min_size=1, max_size=12, unique=True))
    printer = data.draw(st.sampled_from(PRINTERS))
    decimals = [data.draw(st.integers(1, 5)) for _ in keys]
    ranges = {
        key: printed_range(printer(figures[key], places), places, cut=True)
        for key, places in zip(keys, decimals, strict=True)
    }
    sizes = dict(zip(names, map(sum, matrix), strict=True))
    assert contradictions(ranges, names, sizes) == ()
    assert contradictions(ranges, names, None) == ()
    assert contradictions(ranges, (), None) == ()


def printed(decimals: int = 3, **figures: float) -> dict[str, Range]:
    """Ranges by key; two underscores are a colon."""
    return {key.replace("__", ":"): printed_range(value, decimals, cut=True) for key, value in figures.items()}


@pytest.mark.parametrize(
    ("ranges", "keys", "rule"),
    [
        (printed(accuracy=0.833, f1__micro=0.841), ("accuracy", "f1:micro"), "same"),
        (printed(recall__macro=0.812, balanced_accuracy=0.833), ("balanced_accuracy", "recall:macro"), "same"),
        (printed(5, recall__class__virus=0.68), ("recall:class:virus",), "whole number"),
        (printed(5, accuracy=0.8334), ("accuracy",), "whole number"),
        (printed(5, specificity__class__virus=0.8), ("specificity:class:virus",), "whole number"),
        (
            printed(
                recall__class__NORMAL=0.94, recall__class__bacteria=0.826, recall__class__virus=0.675, f1__macro=0.9
            )
            | printed(recall__macro=0.9),
            ("recall:macro", "recall:class:NORMAL", "recall:class:bacteria", "recall:class:virus"),
            "mean",
        ),
        (
            printed(accuracy=0.5, recall__class__NORMAL=0.94, recall__class__bacteria=0.826),
            ("accuracy", "recall:class:NORMAL", "recall:class:bacteria"),
            "weighted mean",
        ),
        (printed(accuracy=0.833, balanced_accuracy=0.3), ("accuracy", "balanced_accuracy"), "averages"),
        (printed(accuracy=0.833, kappa=0.2), ("accuracy", "kappa"), "decisions"),
    ],
)
def test_a_contradiction_has_its_rule_and_no_figure_too_many(
    ranges: dict[str, Range], keys: tuple[str, ...], rule: str
) -> None:
    (found,) = contradictions(ranges, CLASSES, SIZES)
    assert (set(found.keys), found.rule) == (set(keys), rule)


def test_without_sizes_accuracy_lies_between_the_recalls_of_the_classes() -> None:
    recalls = printed(recall__class__NORMAL=0.94, recall__class__bacteria=0.826, recall__class__virus=0.675)
    (found,) = contradictions(printed(accuracy=0.95) | recalls, CLASSES, None)
    assert found.rule == "between"
    assert contradictions(printed(accuracy=0.7) | recalls, CLASSES, None) == ()


def test_several_contradictions_have_no_figure_in_common() -> None:
    ranges = printed(accuracy=0.833, recall__micro=0.9, balanced_accuracy=0.812, recall__macro=0.7)
    assert [found.keys for found in contradictions(ranges, CLASSES, SIZES)] == [
        ("accuracy", "recall:micro"),
        ("balanced_accuracy", "recall:macro"),
    ]


@settings(QUICK, max_examples=30)
@given(sizes=st.tuples(*[st.integers(1, 4)] * 3), data=st.data())
def test_counts_are_possible_when_some_matrix_has_the_figures(sizes: tuple[int, ...], data: st.DataObject) -> None:
    rows = [[(a, b, n - a - b) for a in range(n + 1) for b in range(n + 1 - a)] for n in sizes]
    matrices = [(x, y, z) for x in rows[0] for y in rows[1] for z in rows[2]]
    keys = ("accuracy", "recall:class:NORMAL", "precision:class:bacteria", "f1:class:virus", "kappa", "recall:macro")
    chosen = data.draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True))
    ranges = {
        key: printed_range(data.draw(st.integers(0, 10), label=key) / 10, 1, cut=data.draw(st.booleans()))
        for key in chosen
    }
    names = dict(zip(CLASSES, sizes, strict=True))

    def fits(matrix: ClassMatrix) -> bool:
        values = {key: figure_of_matrix(matrix, CLASSES, key) for key in ranges}
        return all(low <= (values[key] or 0.0) <= high for key, (low, high) in ranges.items())

    assert counts_are_possible(ranges, names) == any(map(fits, matrices))


def test_a_share_has_the_images_of_its_population() -> None:
    assert population("accuracy", SIZES) == 624
    assert population("f1:micro", SIZES) == 624
    assert population("recall:class:virus", SIZES) == 148
    assert population("specificity:class:virus", SIZES) == 476
    assert population("precision:class:virus", SIZES) is None
    assert population("recall:macro", SIZES) is None


def test_a_mean_of_ranges_has_the_means_of_their_ends() -> None:
    assert mean_range([(0.1, 0.2), (0.5, 0.6)], [3, 1]) == pytest.approx((0.2, 0.3))

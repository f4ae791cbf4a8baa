"""Figures that are printed but not measured have the values of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as sk

from benchmark.evidence.metrics.printed import (
    PRINTED,
    averaged,
    is_of_counts,
    of_other_class,
    printed_aliases,
    printed_label,
    ratio_of,
    values,
)
from benchmark.evidence.metrics.registry import metrics

COUNTS = np.array([[381, 7, 0, 5], [107, 2, 3, 0], [127, 11, 9, 6], [9, 3, 4, 0]], dtype=np.float64)
Labels = np.ndarray
Score = Callable[[Labels, Labels], float]


def specificity(y: Labels, called: Labels) -> float:
    return float(sk.recall_score(1 - y, 1 - called, zero_division=0))


def averages() -> dict[str, Score]:
    scores: dict[str, Score] = {}
    for average in ("macro", "weighted"):
        scores |= {
            f"{average}_precision": lambda y, c, a=average: sk.precision_score(y, c, average=a, zero_division=0),
            f"{average}_recall": lambda y, c, a=average: sk.recall_score(y, c, average=a, zero_division=0),
            f"{average}_f1": lambda y, c, a=average: sk.f1_score(y, c, average=a, zero_division=0),
            f"{average}_f2": lambda y, c, a=average: sk.fbeta_score(y, c, beta=2, average=a, zero_division=0),
        }
    return scores


SCORES: dict[str, Score] = {
    "npv": lambda y, c: sk.precision_score(1 - y, 1 - c, zero_division=0),
    "f2": lambda y, c: sk.fbeta_score(y, c, beta=2, zero_division=0),
    "error_rate": lambda y, c: sk.zero_one_loss(y, c),
    "false_positive_rate": lambda y, c: 1 - specificity(y, c),
    "false_negative_rate": lambda y, c: 1 - sk.recall_score(y, c),
    "f1_of_negatives": lambda y, c: sk.f1_score(1 - y, 1 - c, zero_division=0),
    "f2_of_negatives": lambda y, c: sk.fbeta_score(1 - y, 1 - c, beta=2, zero_division=0),
    "correct": lambda y, c: sk.accuracy_score(y, c, normalize=False),
    "errors": lambda y, c: sk.zero_one_loss(y, c, normalize=False),
    "kappa": lambda y, c: sk.cohen_kappa_score(y, c),
    "macro_specificity": lambda y, c: sk.balanced_accuracy_score(y, c),
    "weighted_specificity": lambda y, c: np.mean(y) * specificity(y, c) + (1 - np.mean(y)) * sk.recall_score(y, c),
    **averages(),
    "accuracy": sk.accuracy_score,
    "mcc": sk.matthews_corrcoef,
}


@pytest.mark.parametrize("name", SCORES)
def test_a_figure_is_that_of_scikit_learn(name: str) -> None:
    expected = []
    for column in COUNTS.T.astype(int):
        y, called = np.repeat([1, 0, 0, 1], column), np.repeat([1, 1, 0, 0], column)
        expected.append(float(SCORES[name](y, called)))
    assert values(name, COUNTS) == pytest.approx(expected)


def test_every_figure_is_tested_and_has_a_name_of_its_own() -> None:
    assert set(PRINTED) - set(SCORES) == {"f1_of_macro"}
    assert not set(PRINTED) & set(metrics())
    assert not set(printed_aliases()) & {*PRINTED, *metrics()}
    macro = sk.precision_recall_fscore_support([1] * 5 + [0] * 3, [1] * 4 + [0] * 2 + [1] * 2, average="macro")
    precision, recall = macro[0], macro[1]
    one = np.array([[4.0], [2.0], [1.0], [1.0]])
    assert values("f1_of_macro", one) == pytest.approx([2 * precision * recall / (precision + recall)])


@pytest.mark.parametrize("name", ["precision", "recall", "f1", "f2", "false_positive_rate", "mcc", "kappa"])
def test_a_figure_of_the_other_class_is_that_of_the_swapped_matrix(name: str) -> None:
    swapped = COUNTS[[2, 3, 0, 1]]
    assert values(of_other_class(name), COUNTS) == pytest.approx(values(name, swapped))
    assert of_other_class(of_other_class(name)) == name


def test_names_say_what_a_figure_is() -> None:
    assert averaged("recall", "macro") == "macro_recall"
    assert averaged("accuracy", "macro") == "accuracy"
    assert (printed_label("npv"), printed_label("macro_f1")) == ("NPV", "macro F1")
    assert (printed_label("recall"), printed_label("recall:class:virus")) == ("recall", "recall of virus")
    assert is_of_counts("kappa")
    assert not is_of_counts("auc")
    assert ratio_of("macro_f1") is None


def test_a_figure_of_scores_has_no_value() -> None:
    with pytest.raises(ValueError, match="auc: not computed from a confusion matrix"):
        values("auc", COUNTS)

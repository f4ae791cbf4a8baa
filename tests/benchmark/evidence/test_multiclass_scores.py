"""Scores of three or more classes are validated, immutable, and of a type that names their split."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.evidence.scores import (
    MulticlassScores,
    MulticlassTestScores,
    MulticlassValidationScores,
    Scores,
    TestScores,
    ValidationScores,
    scores_of,
)

CLASSES = ("A", "B", "C")
LABELS = np.array([0, 2, 1])
ROWS = np.array([[0.7, 0.2, 0.1], [0.0, 0.0, 1.0], [0.25, 0.5, 0.25]])


def scored(split: str = "test", **changes: object) -> MulticlassScores:
    fields = {"y_true": LABELS, "y_score": ROWS, "classes": CLASSES} | changes
    return MulticlassScores(split, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"classes": ("A", "B"), "y_score": ROWS[:, :2]}, "at least three"),
        ({"classes": ("A", "B", "A")}, "at least three different"),
        ({"y_score": ROWS[:, :2]}, r"must be \(n,\) and \(n, 3\)"),
        ({"y_score": ROWS[:2]}, r"must be \(n,\) and \(n, 3\)"),
        ({"y_true": LABELS[:0], "y_score": ROWS[:0]}, "n >= 1"),
        ({"y_true": np.array([0, 3, 1])}, "within 0 and 2"),
        ({"y_true": np.array([0, -1, 1])}, "within 0 and 2"),
        ({"y_score": np.where(ROWS == 0.7, 1.2, ROWS)}, "finite and within"),
        ({"y_score": np.where(ROWS == 0.7, np.nan, ROWS)}, "finite and within"),
        ({"y_score": np.where(ROWS == 0.7, 0.9, ROWS)}, "must sum to 1 over the classes, not 1.2"),
        ({"patient": ("a",)}, "1 patients for 3 scores"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        scored(**changes)


def test_rounding_of_half_precision_is_accepted() -> None:
    rows = ROWS.astype(np.float16).astype(np.float64)
    assert scored(y_score=rows / rows.sum(axis=1, keepdims=True) + 1e-5 * (rows < 1)).classes == CLASSES


@pytest.mark.parametrize(("split", "kind"), [("val", ValidationScores), ("test", TestScores), ("train", Scores)])
def test_one_class_against_the_rest_stays_in_its_split(split: str, kind: type[Scores]) -> None:
    scores = scores_of(split, LABELS, ROWS, CLASSES, ("p", "q", "p"))  # type: ignore[arg-type]
    assert isinstance(scores, MulticlassScores)
    of_class = scores.one_vs_rest(2)
    assert type(of_class) is kind
    assert of_class.y_true.tolist() == [0, 1, 0]
    assert of_class.y_score.tolist() == [0.1, 1.0, 0.25]
    assert of_class.patient == ("p", "q", "p")


@pytest.mark.parametrize("kind", [MulticlassValidationScores, MulticlassTestScores])
def test_a_type_refuses_the_scores_of_another_split(kind: type[MulticlassScores]) -> None:
    with pytest.raises(ValueError, match="not train"):
        kind("train", LABELS, ROWS, CLASSES)


def test_two_classes_have_one_score_per_image() -> None:
    assert type(scores_of("val", np.array([0, 1]), np.array([0.1, 0.8]), ("A", "B"))) is ValidationScores


def test_arrays_are_read_only_copies() -> None:
    rows = ROWS.copy()
    scores = scored(y_score=rows)
    rows[0] = 0
    assert scores.y_score[0].tolist() == [0.7, 0.2, 0.1]
    with pytest.raises(ValueError, match="read-only"):
        scores.y_score[0, 0] = 1

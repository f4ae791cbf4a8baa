"""The text of matrices and of figures of classes: short heads, the worst confusions, the weakest class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmark.evidence.estimate import SampleEstimate
from reports.results.multiclass.figures import ClassMatrix
from reports.results.multiclass.text import (
    class_rows,
    codes,
    confusions,
    few_images_note,
    lowest_recall,
    matrix_heads,
    matrix_rows,
    never_called,
    overall_keys,
)
from tests.support.multiclass_scores import drawn_scores

CLASSES = ("A", "B", "C")
MATRIX = ClassMatrix.of([[8, 2, 0], [5, 5, 0], [1, 0, 0]], [0, 0, 1])


def test_long_names_become_letters_and_many_classes_numbers() -> None:
    assert codes(CLASSES) == CLASSES
    assert codes(("cancer-associated stroma", "lymphocytes", "mucus of a colon")) == ("A", "B", "C")
    assert codes([f"class number {n}" for n in range(30)])[-1] == "30"


def test_a_matrix_reads_by_row_with_shares_dots_and_abstentions() -> None:
    assert matrix_heads(CLASSES, MATRIX) == ["true \\ predicted", "A", "B", "C", "no class", "images"]
    assert matrix_rows(CLASSES, MATRIX) == [
        ["A", "8 (80%)", "2 (20%)", "·", "·", "10"],
        ["B", "5 (50%)", "5 (50%)", "·", "·", "10"],
        ["C", "1 (50%)", "·", "·", "1", "2"],
    ]


def test_the_most_frequent_confusions_come_first() -> None:
    assert confusions(CLASSES, MATRIX, most=2) == (
        "Most frequent confusions: B predicted as A (5 of 10 images); A predicted as B (2 of 10 images)."
    )
    right = ClassMatrix.of([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 0, 0])
    assert confusions(CLASSES, right) == "No image was predicted as a wrong class."


def test_a_class_without_images_is_not_missed() -> None:
    assert never_called(CLASSES, MATRIX) == ("C",)
    assert never_called(CLASSES, ClassMatrix.of([[1, 1, 0], [0, 1, 0], [0, 0, 0]], [0, 0, 0])) == ()


def test_rows_of_classes_have_figures_with_intervals_or_without() -> None:
    figures = {
        "recall:class:A": SampleEstimate(0.8, 0.5, 0.9, 10),
        "recall:class:B": SampleEstimate(0.5, None, None, 10),
    }
    assert class_rows(figures, {"A": 10, "B": None}, ("recall",)) == [
        ["A", "10", "0.800 [0.500, 0.900]"],
        ["B", "–", "0.500"],
    ]
    assert class_rows(figures, {"A": 10}, ("recall",), with_interval=False) == [["A", "10", "0.800"]]
    name, figure = lowest_recall(figures, CLASSES) or pytest.fail("no recall")
    assert (name, figure.value) == ("B", 0.5)
    assert lowest_recall({}, CLASSES) is None


def test_figures_of_all_classes_leave_out_single_ones_and_other_averages() -> None:
    keys = ["accuracy", "recall:macro", "recall:class:macro", "recall:weighted", "f1:micro"]
    assert overall_keys(keys) == ["accuracy", "recall:macro"]


def test_classes_with_few_images_or_patients_are_named() -> None:
    scores = drawn_scores(1, n=90, k=3)
    few = replace(scores, y_true=np.repeat([0, 1, 2], [30, 50, 10]))
    assert few_images_note(few) == (
        "Few test images of VIRUS (10 images): intervals of their figures and of macro averages are cautious; they can "
        "be wider than 95% needs."
    )
    by_patient = few_images_note(replace(few, patient=tuple(f"p{number // 2}" for number in range(90))))
    assert by_patient is not None
    assert "NORMAL (30 images of 15 patients) and VIRUS (10 images of 5 patients)" in by_patient
    assert few_images_note(replace(scores, y_true=np.repeat([0, 1, 2], 30))) is None

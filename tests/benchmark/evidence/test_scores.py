"""Scores are validated, immutable, and of a type that names their split."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from benchmark.evidence import Scores, TestScores, ValidationScores

LABELS = np.array([0, 1, 1])
DRAWN = np.array([0.1, 0.5, 0.9])


@pytest.mark.parametrize(
    ("labels", "drawn"),
    [([0, 1], [0.1]), ([0], [0.1, 0.2]), ([], []), ([[0, 1]], [[0.1, 0.2]]), ([0, 1], [[0.1], [0.2]])],
)
def test_lengths_that_differ_and_empty_scores_are_refused(labels: list[int], drawn: list[float]) -> None:
    with pytest.raises(ValueError, match="one length"):
        Scores("val", np.array(labels), np.array(drawn))


@pytest.mark.parametrize("labels", [[0, 1, 2], [-1, 0, 1]])
def test_labels_other_than_0_and_1_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="0 and 1"):
        Scores("val", np.array(labels), DRAWN)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -0.01, 1.01])
def test_scores_outside_0_and_1_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="finite and within"):
        Scores("test", LABELS, np.array([0.1, wrong, 0.9]))


@pytest.mark.parametrize("patients", [(), ("a", "b"), ("a", "b", "c", "d")])
def test_a_patient_too_few_or_too_many_is_refused(patients: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="patients"):
        Scores("test", LABELS, DRAWN, patients)


def test_the_ends_of_the_range_and_one_image_are_accepted() -> None:
    assert len(Scores("val", np.array([1]), np.array([1.0]))) == 1
    assert len(Scores("val", np.array([0]), np.array([0.0]), ("a",))) == 1


@pytest.mark.parametrize("field", ["y_true", "y_score"])
def test_arrays_are_read_only(field: str) -> None:
    scores = ValidationScores("val", LABELS, DRAWN)
    with pytest.raises(ValueError, match="read-only"):
        getattr(scores, field)[0] = 1


def test_fields_cannot_be_replaced() -> None:
    scores = TestScores("test", LABELS, DRAWN)
    with pytest.raises(dataclasses.FrozenInstanceError):
        scores.y_score = DRAWN  # type: ignore[misc]


def test_a_caller_s_array_stays_writable_and_apart() -> None:
    labels, drawn = LABELS.copy(), DRAWN.copy()
    scores = ValidationScores("val", labels, drawn)
    drawn[0], labels[0] = 1.0, 1
    assert scores.y_score[0] == 0.1
    assert scores.y_true[0] == 0


def test_lists_and_other_number_types_become_arrays_of_one_type() -> None:
    scores = Scores("val", [0, 1], np.array([0.25, 0.75], dtype=np.float32))  # type: ignore[arg-type]
    assert scores.y_true.dtype == np.int64
    assert scores.y_score.dtype == np.float64
    assert scores.y_score.tolist() == [0.25, 0.75]


@pytest.mark.parametrize("split", ["train", "test"])
def test_validation_scores_of_another_split_are_refused(split: str) -> None:
    with pytest.raises(ValueError, match=f"val split, not {split}"):
        ValidationScores(split, LABELS, DRAWN)  # type: ignore[arg-type]


@pytest.mark.parametrize("split", ["train", "val"])
def test_test_scores_of_another_split_are_refused(split: str) -> None:
    with pytest.raises(ValueError, match=f"test split, not {split}"):
        TestScores(split, LABELS, DRAWN)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "split"), [(ValidationScores, "val"), (TestScores, "test")])
def test_scores_of_a_named_split_are_validated_too(kind: type[Scores], split: str) -> None:
    with pytest.raises(ValueError, match="finite and within"):
        kind(split, LABELS, np.array([0.1, 0.5, 2.0]))  # type: ignore[arg-type]


def test_neither_named_split_passes_for_the_other() -> None:
    assert not issubclass(TestScores, ValidationScores)
    assert not issubclass(ValidationScores, TestScores)

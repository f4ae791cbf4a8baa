"""Reliability of several classes: its errors as published implementations define them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, log_loss

from benchmark.evidence.calibration.class_wise import assess_multiclass, confidence_scores
from benchmark.evidence.calibration.reliability import assess
from benchmark.evidence.intervals.formulas import wilson
from benchmark.evidence.scores import MulticlassScores, MulticlassTestScores, TestScores

CLASSES = ("A", "B", "C")


def drawn(n: int = 250, seed: int = 0) -> MulticlassTestScores:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, n)
    logits = random.normal(0, 2, (n, 3))
    logits[np.arange(n), labels] += 1.5
    return MulticlassTestScores("test", labels, softmax(logits, axis=1), CLASSES)


def expected_error(confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    """The expected calibration error as Guo et al. (2017) define it: equal widths, bins (low, high]."""
    edges = np.linspace(0, 1, bins + 1)
    error = 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return float(error)


@pytest.mark.parametrize("bins", [5, 15])
def test_the_top_label_error_is_that_of_guo(bins: int) -> None:
    scores = drawn()
    right = scores.y_score.argmax(axis=1) == scores.y_true
    expected = expected_error(scores.y_score.max(axis=1), right, bins)
    assert assess_multiclass(scores, bins, "width").top_label.ece == pytest.approx(expected)


def test_the_class_wise_error_is_that_of_kull() -> None:
    scores = drawn()
    errors = [expected_error(scores.y_score[:, j], scores.y_true == j, 10) for j in range(3)]
    made = assess_multiclass(scores, 10, "width")
    assert [each.ece for each in made.by_class.values()] == pytest.approx(errors)
    assert made.class_wise_ece == pytest.approx(np.mean(errors))


def test_totals_are_those_of_scikit_learn() -> None:
    scores = drawn()
    made = assess_multiclass(scores)
    assert made.n == 250
    assert made.accuracy == pytest.approx(accuracy_score(scores.y_true, scores.y_score.argmax(axis=1)))
    assert made.log_loss == pytest.approx(log_loss(scores.y_true, scores.y_score), abs=1e-6)
    assert made.brier == pytest.approx(((scores.y_score - np.eye(3)[scores.y_true]) ** 2).sum(axis=1).mean())
    assert made.mean_confidence == pytest.approx(scores.y_score.max(axis=1).mean())


def test_the_curve_is_that_of_scikit_learn_with_wilson_intervals() -> None:
    scores = drawn()
    right = (scores.y_score.argmax(axis=1) == scores.y_true).astype(int)
    share, mean = calibration_curve(right, scores.y_score.max(axis=1), n_bins=8, strategy="quantile")
    curve = assess_multiclass(scores, 8).top_label.curve
    assert [each.share for each in curve] == pytest.approx(share)
    assert [each.mean_score for each in curve] == pytest.approx(mean)
    assert all((each.low, each.high) == wilson(round(each.share * each.n), each.n) for each in curve)


def test_a_class_is_assessed_as_two_classes_are() -> None:
    scores = drawn()
    alone = TestScores("test", (scores.y_true == 1).astype(np.int64), scores.y_score[:, 1])
    assert assess_multiclass(scores).by_class["B"] == assess(alone)


@pytest.mark.parametrize(("shift", "says"), [(0, "every image is right"), (1, "every image is wrong")])
def test_coefficients_are_missing_where_all_images_are_right_or_wrong(shift: int, says: str) -> None:
    labels = np.array([0, 1, 2, 0])
    y_score = np.full((4, 3), 0.1)
    y_score[np.arange(4), (labels + shift) % 3] = 0.8
    top = assess_multiclass(MulticlassScores("test", labels, y_score, CLASSES)).top_label
    for figure in (top.slope, top.intercept, top.in_the_large):
        assert figure.value is None
        assert figure.reason is not None
        assert says in figure.reason


def test_a_class_without_images_has_an_error_but_no_slope() -> None:
    scores = MulticlassScores("test", np.array([0, 1]), np.array([[0.7, 0.1, 0.2], [0.2, 0.6, 0.2]]), CLASSES)
    absent = assess_multiclass(scores).by_class["C"]
    assert absent.ece == pytest.approx(0.2)
    assert absent.slope.value is None
    assert absent.slope.reason == "one class is missing"


def test_equal_scores_count_for_the_first_class() -> None:
    scores = MulticlassScores("test", np.array([0, 1]), np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2]]), CLASSES)
    assert confidence_scores(scores).y_true.tolist() == [1, 0]

"""Suspected labels are those of confident learning, and test labels are refused."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from benchmark.evidence.diagnosis.label_errors import label_suspects
from benchmark.evidence.scores import MulticlassTestScores, Scores, TestScores, scores_of

pytest.importorskip("cleanlab")


def confident(labels: npt.NDArray[np.int64], scores: npt.NDArray[np.float64]) -> set[int]:
    """Northcutt et al. 2021, equations 1 and 2: images that count for another class than their own."""
    means = [scores[labels == label, label].mean() for label in range(scores.shape[1])]
    counted = np.where(scores >= np.array(means) - 1e-9, scores, -1)
    return {row for row in range(len(labels)) if counted[row].max() >= 0 and counted[row].argmax() != labels[row]}


@pytest.mark.parametrize("classes", [2, 4])
def test_suspects_are_those_of_the_paper(classes: int) -> None:
    generator = np.random.default_rng(classes)
    truth = np.arange(200) % classes
    labels = truth.copy()
    labels[::20] = (labels[::20] + 1) % classes
    scores = generator.dirichlet(np.ones(classes), 200) * 0.4 + 0.6 * np.eye(classes)[truth]
    y_score = scores[:, 1] if classes == 2 else scores
    suspects = label_suspects(scores_of("train", labels, y_score, tuple("abcd"[:classes])))
    assert {each.row for each in suspects} == confident(labels, scores)
    assert {each.row for each in suspects} <= set(range(0, 200, 20))
    assert all(each.label == labels[each.row] and each.suggested == truth[each.row] for each in suspects)
    given = [each.score for each in suspects]
    assert given == sorted(given)
    assert len(given) > 3


def test_test_labels_are_refused_by_type() -> None:
    of_two = np.array([0, 1]), np.array([0.2, 0.9])
    of_three = np.array([0, 1, 2]), np.eye(3)
    for scores in (
        TestScores("test", *of_two),
        Scores("test", *of_two),
        MulticlassTestScores("test", *of_three, ("a", "b", "c")),
    ):
        with pytest.raises(TypeError, match="test labels are never judged"):
            label_suspects(scores)

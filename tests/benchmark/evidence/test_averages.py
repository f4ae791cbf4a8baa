"""Means of scores against SciPy, and the forward selection of Caruana et al. against one written from the paper."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import expit, logit, softmax
from sklearn.metrics import log_loss

from benchmark.evidence.averages import Average, choose_members, cross_entropy, mean_scores
from benchmark.evidence.scores import TestScores, ValidationScores
from tests.support.classes import planted_classes, validation_of
from tests.support.records import on_val, planted

WEIGHTS = (1, 0, 3)


def two(seed: int = 0) -> list[npt.NDArray[np.float64]]:
    return [np.asarray(planted(40, 30, shift, seed + place)[1]) for place, shift in enumerate((2.0, 0.5, 1.0))]


def three(seed: int = 0) -> list[npt.NDArray[np.float64]]:
    return [planted_classes((20, 15, 10), gain, seed + place)[1] for place, gain in enumerate((2.0, 0.5, 1.0))]


def test_probabilities_are_averaged_by_weight() -> None:
    for scores in (two(), three()):
        assert mean_scores(scores, WEIGHTS, "probabilities") == pytest.approx(np.average(scores, 0, weights=WEIGHTS))


def test_logits_are_averaged_and_made_probabilities_again() -> None:
    scores = two()
    assert mean_scores(scores, WEIGHTS, "logits") == pytest.approx(expit(np.average(logit(scores), 0, weights=WEIGHTS)))
    of_three = mean_scores(three(), WEIGHTS, "logits")
    assert of_three == pytest.approx(softmax(np.average(np.log(three()), 0, weights=WEIGHTS), axis=1))
    assert of_three.sum(axis=1) == pytest.approx(np.ones(45))


def test_certain_scores_have_finite_logits() -> None:
    certain, doubtful = np.array([0.0, 1.0]), np.array([0.5, 0.5])
    assert mean_scores([certain, doubtful], (1, 1), "logits") == pytest.approx([3.16e-4, 1 - 3.16e-4], rel=1e-2)


def test_the_log_loss_is_that_of_scikit_learn() -> None:
    labels, scores = planted(40, 30)
    assert cross_entropy(np.asarray(labels), np.asarray(scores)) == pytest.approx(log_loss(labels, scores))
    truth, of_three = planted_classes((20, 15, 10), 1.0, 0)
    assert cross_entropy(truth, of_three) == pytest.approx(log_loss(truth, of_three))


@pytest.mark.parametrize("rounds", [1, 4, 12])
@pytest.mark.parametrize("classes", [2, 3])
def test_members_are_chosen_as_in_the_paper(classes: int, rounds: int) -> None:
    for seed in range(5):
        if classes == 2:
            labels, values = np.asarray(planted(40, 30)[0]), two(seed)
            scores = [on_val(labels.tolist(), each.tolist()) for each in values]
        else:
            labels, values = planted_classes((20, 15, 10), 1.0, 0)[0], three(seed)
            scores = [validation_of(labels, each) for each in values]
        bag: list[int] = []
        path: list[tuple[float, list[int]]] = []
        for _ in range(rounds):
            tried = [(log_loss(labels, np.mean([values[i] for i in [*bag, new]], axis=0)), new) for new in range(3)]
            loss, new = min((round(loss, 12), new) for loss, new in tried)
            bag = [*bag, new]
            path.append((loss, bag))
        best = min(path, key=lambda step: step[0])[1]
        assert choose_members(scores, rounds, "probabilities") == tuple(best.count(member) for member in range(3))


def test_a_single_good_member_is_enough_and_equal_ones_give_the_first() -> None:
    labels, good = planted(40, 30, 3.0)
    bad = [0.5] * len(labels)
    assert choose_members([on_val(labels, bad), on_val(labels, good)], 3, "probabilities")[0] == 0
    assert choose_members([on_val(labels, good), on_val(labels, good)], 3, "logits") == (1, 0)


def test_members_cannot_be_chosen_on_test_scores() -> None:
    labels, scores = planted(4, 4)
    of_test = TestScores("test", np.asarray(labels), np.asarray(scores))
    wrong: list[ValidationScores] = [of_test]  # type: ignore[list-item]
    with pytest.raises(TypeError, match="on validation scores, not on TestScores"):
        choose_members(wrong, 2, "probabilities")


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_a_single_member_keeps_its_very_scores(average: Average) -> None:
    certain = np.array([0.0, 0.3, 1.0])
    assert mean_scores([certain, certain / 2], [2, 0], average).tolist() == certain.tolist()

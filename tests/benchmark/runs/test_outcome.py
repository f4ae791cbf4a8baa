"""What a record says of scores: chosen on validation alone, for any number of classes."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.evidence.decisions.decide import Decision
from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.scores import AnyScores, scores_of
from benchmark.evidence.thresholds.choice import Threshold, choose_with_interval
from benchmark.runs.outcome import choose, default_decision, figures_of, findings, is_chosen, values_of
from tests.support.tiny import protocol

TWO, THREE = ("A", "B"), ("A", "B", "C")


def drawn(split: str, classes: tuple[str, ...], seed: int = 0) -> AnyScores:
    generator = np.random.default_rng(seed)
    labels = np.arange(60) % len(classes)
    rows = generator.dirichlet(np.ones(len(classes)), 60)
    rows[np.arange(60), labels] += 0.4
    rows /= rows.sum(axis=1, keepdims=True)
    y_score = rows[:, 1] if len(classes) == 2 else rows
    return scores_of(split, labels, y_score, classes)  # type: ignore[arg-type]


@pytest.mark.parametrize("classes", [TWO, THREE])
@pytest.mark.parametrize("split", ["train", "test"])
def test_nothing_is_chosen_on_another_split(classes: tuple[str, ...], split: str) -> None:
    with pytest.raises(TypeError, match="chosen on validation scores, not on"):
        choose(protocol(), drawn(split, classes))


def test_two_classes_have_a_threshold_and_three_a_decision() -> None:
    val = drawn("val", TWO)
    assert choose(protocol(), val) == choose_with_interval(val)  # type: ignore[arg-type]
    choice = choose(protocol(), drawn("val", THREE))
    assert isinstance(choice, Decision)
    assert (choice.rule, choice.classes, is_chosen(choice)) == ("argmax", THREE, True)


def test_figures_of_two_classes_are_those_at_the_threshold() -> None:
    test = drawn("test", TWO)
    assert default_decision(test) == Threshold(0.5, "fixed")
    assert figures_of(test, Threshold(0.3, "fixed"), "drawn") == figures(test, 0.3)  # type: ignore[arg-type]


@pytest.mark.parametrize("classes", [TWO, THREE])
def test_values_are_those_of_the_figures(classes: tuple[str, ...]) -> None:
    test = drawn("test", classes)
    expected = {name: figure.value for name, figure in figures_of(test, default_decision(test), "drawn").items()}
    assert values_of(test, default_decision(test), {}) == expected


def test_known_values_are_used_as_they_are() -> None:
    test = drawn("test", THREE)
    assert values_of(test, default_decision(test), {"auc:macro": -1.0})["auc:macro"] == -1


@pytest.mark.parametrize(("scored", "decided"), [(TWO, THREE), (THREE, TWO)])
def test_a_choice_for_other_classes_is_refused(scored: tuple[str, ...], decided: tuple[str, ...]) -> None:
    choice = default_decision(drawn("test", decided))
    for compute in (
        lambda: figures_of(drawn("test", scored), choice, "drawn"),
        lambda: values_of(drawn("test", scored), choice, {}),
    ):
        with pytest.raises(TypeError, match="does not decide on"):
            compute()


def test_splits_of_different_numbers_of_classes_are_not_diagnosed_together() -> None:
    with pytest.raises(TypeError, match="different numbers of classes"):
        findings(drawn("val", TWO), drawn("test", THREE), {}, classes=TWO, checks=None, losses=None, counts=None)

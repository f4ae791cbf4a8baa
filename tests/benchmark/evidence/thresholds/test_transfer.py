"""Threshold transfer compares the chosen threshold with 0.5 and the oracle threshold, which never becomes a choice."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.evidence import Scores, TestScores, Threshold, ValidationScores, choose, figures
from benchmark.evidence.thresholds.rules import rule_names
from benchmark.evidence.thresholds.transfer import OracleThreshold, oracle_threshold, threshold_transfer
from tests.support.records import on_test, on_val, planted

VAL = on_val(*planted(40, 40, seed=3))
VALUES = {"cost": 5.0, "sensitivity": 0.9, "specificity": 0.9}


def moved(seed: int, offset: float = 0.25) -> TestScores:
    """Test scores of another batch: all of them lower."""
    labels, drawn = planted(60, 60, seed=seed)
    return on_test(labels, [score * (1 - offset) for score in drawn])


@settings(deadline=None, max_examples=30)
@given(data=st.data(), rule=st.sampled_from(rule_names()))
def test_the_chosen_threshold_is_the_same_whatever_the_test_scores(data: st.DataObject, rule: str) -> None:
    value = VALUES.get(rule)
    chosen = choose(VAL, rule, value)
    before = dataclasses.replace(chosen)
    labels, drawn = planted(10, 10, seed=4)
    shuffled = data.draw(st.permutations(drawn))
    found = [threshold_transfer(on_test(labels, scores), chosen, value) for scores in (drawn, shuffled, [0.5] * 20)]
    assert all(each.chosen == before for each in found)


@pytest.mark.parametrize("rule", rule_names())
def test_the_three_columns_are_the_figures_at_their_thresholds(rule: str) -> None:
    test, chosen = moved(5), choose(VAL, rule, VALUES.get(rule))
    found = threshold_transfer(test, chosen, VALUES.get(rule))
    assert chosen.value is not None
    assert found.oracle.value is not None
    assert found.at_half == figures(test, 0.5)
    assert found.at_chosen == figures(test, chosen.value)
    assert found.oracle.figures == figures(test, found.oracle.value)
    assert found.oracle.rule == rule


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("rule", "metric"), [("youden", "balanced_accuracy"), ("f1", "f1"), ("mcc", "mcc")])
def test_the_oracle_threshold_is_at_least_as_good_as_the_choice_and_0_5(rule: str, metric: str, seed: int) -> None:
    found = threshold_transfer(moved(seed), choose(VAL, rule))
    best, half, chosen = (column[metric].value for column in (found.oracle.figures, found.at_half, found.at_chosen))
    assert best is not None
    assert best >= max(x for x in (half, chosen) if x is not None) - 1e-12


def test_a_threshold_that_does_not_transfer_is_seen() -> None:
    found = threshold_transfer(moved(7, offset=0.6), choose(VAL))
    chosen, best = (f["balanced_accuracy"].value for f in (found.at_chosen, found.oracle.figures))
    assert chosen is not None
    assert best is not None
    assert best - chosen > 0.1


def test_the_oracle_threshold_of_test_scores_is_the_choice_on_the_same_validation_scores() -> None:
    labels, drawn = planted(30, 30)
    for rule in rule_names():
        value = VALUES.get(rule)
        assert (
            oracle_threshold(on_test(labels, drawn), rule, value).value
            == choose(on_val(labels, drawn), rule, value).value
        )


def test_without_a_chosen_threshold_its_column_is_empty() -> None:
    refused = choose(on_val([0, 1], [0.5, 0.5]))
    found = threshold_transfer(moved(5), refused)
    assert found.at_chosen == {}
    assert found.chosen.reason == "all validation scores are the same"
    assert found.at_half


@pytest.mark.parametrize(
    ("labels", "drawn", "reason"),
    [
        ([1, 1], [0.2, 0.9], "the test split lacks a class"),
        ([0, 1], [0.4, 0.4], "all test scores are the same"),
    ],
)
def test_test_scores_without_a_best_threshold_have_a_reason(labels: list[int], drawn: list[float], reason: str) -> None:
    assert oracle_threshold(on_test(labels, drawn)) == OracleThreshold(None, "youden", {}, reason)


def test_an_oracle_threshold_is_no_threshold_and_cannot_be_transferred() -> None:
    best = oracle_threshold(moved(5))
    assert not isinstance(best, Threshold)
    with pytest.raises(TypeError, match="chosen on validation, not OracleThreshold"):
        threshold_transfer(moved(5), best)  # type: ignore[arg-type]


@pytest.mark.parametrize("given_", [0.4, None, {"value": 0.4, "rule": "youden"}])
def test_what_is_no_threshold_cannot_be_transferred(given_: Any) -> None:
    with pytest.raises(TypeError, match="expected a Threshold"):
        threshold_transfer(moved(5), given_)


@pytest.mark.parametrize(
    "scores",
    [VAL, Scores("test", np.array([0, 1]), np.array([0.1, 0.9]))],
    ids=["ValidationScores", "bare test"],
)
def test_an_oracle_threshold_needs_test_scores(scores: Scores) -> None:
    with pytest.raises(TypeError, match="oracle threshold needs TestScores"):
        oracle_threshold(scores)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="oracle threshold needs TestScores"):
        threshold_transfer(scores, Threshold(0.5, "youden"))  # type: ignore[arg-type]


def test_test_scores_cannot_be_passed_to_the_choice() -> None:
    with pytest.raises(TypeError, match="ValidationScores"):
        choose(moved(5))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="val split, not test"):
        ValidationScores("test", VAL.y_true, VAL.y_score)


def test_results_cannot_be_changed() -> None:
    found = threshold_transfer(moved(5), choose(VAL))
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.oracle.value = 0.1  # type: ignore[misc]


def test_a_rule_that_needs_its_value_needs_it_for_the_oracle_threshold_too() -> None:
    with pytest.raises(ValueError, match="rule cost needs a value above 0"):
        threshold_transfer(moved(5), choose(VAL, "cost", 5))

"""The example of an export decides among several classes as the bench does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from benchmark.evidence.calibration.scaling import best_multiclass_calibrator
from benchmark.evidence.decisions.choice import choose_decision
from benchmark.evidence.decisions.decide import Decision, decide
from benchmark.evidence.scores import MulticlassValidationScores
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.deployment.multiclass import MulticlassDecisionRule
from reports.export.multiclass import EXAMPLE_HELPERS, decision_and_calibration, decision_lines, example_lines

CLASSES = ("BACTERIA", "NORMAL", "VIRUS")


def scores(images: int = 90, seed: int = 0) -> MulticlassValidationScores:
    """Scores that are right more often than not and too confident, with ties among them."""
    generator = np.random.default_rng(seed)
    y_true = np.arange(images) % 3
    y_score = softmax(4 * generator.normal(size=(images, 3)) + 4 * np.eye(3)[y_true], axis=1)
    y_score[:3] = [[0.5, 0.5, 0], [0, 0.5, 0.5], [0.25, 0.5, 0.25]]
    return MulticlassValidationScores("val", y_true, y_score, CLASSES)


def rules() -> list[Any]:
    """A decision of each rule, chosen on `scores()`."""
    val = scores()
    chosen = {
        "argmax": choose_decision(val),
        "cost": choose_decision(val, "cost", costs={"VIRUS": {"NORMAL": 3}}),
        "class_at": choose_decision(val, "class_at", of_class="VIRUS", target="sensitivity", value=0.9),
        "abstain": choose_decision(val, "abstain", target="confidence", value=0.6),
    }
    return [pytest.param(decision, id=rule) for rule, decision in chosen.items()]


def rule_of(decision: Decision) -> MulticlassDecisionRule:
    return MulticlassDecisionRule(decision, best_multiclass_calibrator(scores()))


@pytest.mark.parametrize("decision", rules())
def test_the_expressions_of_the_example_give_the_decisions_and_probabilities_of_the_bench(decision: Decision) -> None:
    decider = rule_of(decision)
    assert decider.calibrator.accepted
    facts: dict[str, Any] = decision_and_calibration(decider)
    names: dict[str, Any] = {"np": np, "facts": facts, "classes": CLASSES}
    exec(EXAMPLE_HELPERS, names)
    probabilities, called = example_lines(decider)
    test = scores(200, seed=1)
    expected = [None if label < 0 else CLASSES[label] for label in decide(decision, test.y_score)]
    rows = np.stack([eval(probabilities, names | {"scores": row}) for row in test.y_score])
    pairs = zip(test.y_score, rows, strict=True)
    assert [eval(called, names | {"scores": row, "probabilities": calibrated}) for row, calibrated in pairs] == expected
    assert len(set(expected)) >= 3
    np.testing.assert_allclose(rows, decider.calibrator.probabilities(test.y_score), atol=1e-12)
    predictions = [decider.predict("image", row) for row in test.y_score]
    assert [each.decision for each in predictions] == expected


@pytest.mark.parametrize("decision", rules())
def test_the_decision_file_has_what_the_rule_needs(decision: Decision) -> None:
    facts = decision_and_calibration(rule_of(decision))
    assert facts["decision"]["rule"] == decision.rule
    assert (facts["decision"]["costs"] is not None) == (decision.rule == "cost")
    assert (facts["decision"]["raw"] is not None) == (decision.rule in ("class_at", "abstain"))
    by_cost = decision.rule == "cost"
    assert ("whatever the calibration" in facts["decision"]["decision"]) == (not by_cost)
    assert ("probabilities x costs" in facts["decision"]["decision"]) == by_cost
    assert facts["decision"]["caution"] == decision.caution
    text = " ".join(decision_lines(rule_of(decision)))
    assert ("The raw scores decide" in text) == (not by_cost)
    assert ("The calibrated probabilities decide" in text) == by_cost
    assert (f"Caution: {decision.caution}." in text) == (decision.caution is not None)
    if decision.threshold is not None:
        assert repr(decision.threshold.value) in text


def test_costs_are_weighted_by_the_calibrated_scores_of_the_decision_alone() -> None:
    val, test = scores(), scores(200, seed=1)
    decision = choose_decision(val, "cost", costs={"VIRUS": {"NORMAL": 3}})
    raw = replace(decision, calibrator=None)
    assert decide(raw, test.y_score).tolist() != decide(decision, test.y_score).tolist()
    assert decision.calibrator == best_multiclass_calibrator(val)
    with pytest.raises(ValueError, match="need the calibrator that the decision was chosen with"):
        MulticlassDecisionRule(decision, best_multiclass_calibrator(scores(60)))


def test_what_was_not_chosen_is_not_decided() -> None:
    threshold = Threshold(None, "sensitivity", "the validation split has no image of VIRUS")
    decision = Decision("class_at", CLASSES, "VIRUS", "sensitivity", 0.9, threshold=threshold, reason=threshold.reason)
    decider = rule_of(decision)
    assert example_lines(decider)[1] == "None"
    prediction = decider.predict("image", np.array([0.2, 0.3, 0.5]))
    assert (prediction.decision, prediction.probability, prediction.abstained) == (None, None, False)
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert "Nothing was chosen for VIRUS at sensitivity 0.9" in " ".join(decision_lines(decider))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ([np.nan, 0.5, 0.5], "the model gives nan, which is not a probability"),
        ([1.5, -0.5, 0.0], "the model gives 1.5, which is not a probability"),
        ([0.5, 0.5, 0.5], "the model gives scores that sum to 1.5 over the classes, not to 1"),
    ],
)
def test_scores_that_are_no_probabilities_are_an_error_of_the_image(row: list[float], problem: str) -> None:
    prediction = rule_of(choose_decision(scores())).predict("image", np.array(row))
    assert prediction.error == problem
    assert (prediction.decision, prediction.probability, prediction.probabilities) == (None, None, {})

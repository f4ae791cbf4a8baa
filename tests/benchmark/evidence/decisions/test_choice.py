"""A decision is chosen on validation scores alone, as two-class rules choose, and says how sure it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import accuracy_score, precision_score, recall_score
from statsmodels.stats.proportion import proportion_confint

from benchmark.evidence.calibration.scaling import best_multiclass_calibrator, cross_fitted_scores
from benchmark.evidence.comparison.multiclass import multiclass_differences
from benchmark.evidence.decisions.choice import choose_decision
from benchmark.evidence.decisions.decide import decide
from benchmark.evidence.intervals.seeds import MulticlassPairedScores
from benchmark.evidence.metrics.influence import Floats
from benchmark.evidence.scores import MulticlassTestScores, MulticlassValidationScores, ValidationScores
from benchmark.evidence.thresholds.choice import choose_with_interval
from tests.support.records import on_val

CLASSES = ("BCC", "MELANOMA", "NEVUS")


def validation(n: int = 200, seed: int = 0, patients: int = 0) -> MulticlassValidationScores:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, n)
    logits = random.normal(0, 1, (n, 3))
    logits[np.arange(n), labels] += 1.2
    patient = tuple(f"p{each}" for each in random.integers(0, patients, n)) if patients else None
    return MulticlassValidationScores("val", labels, softmax(logits, axis=1), CLASSES, patient=patient)


def plain(y_true: list[int], y_score: list[list[float]]) -> MulticlassValidationScores:
    return MulticlassValidationScores("val", np.array(y_true), np.array(y_score), CLASSES)


@pytest.mark.parametrize("patients", [0, 50])
@pytest.mark.parametrize("target", ["sensitivity", "specificity"])
def test_the_threshold_of_a_class_is_that_of_two_classes(target: Any, patients: int) -> None:
    val = validation(patients=patients)
    alone = ValidationScores("val", (val.y_true == 1).astype(np.int64), val.y_score[:, 1], val.patient)
    chosen = choose_decision(val, "class_at", of_class="MELANOMA", target=target, value=0.9)
    assert chosen.threshold == choose_with_interval(alone, target, 0.9)
    assert chosen.is_chosen


@pytest.mark.parametrize("target", ["sensitivity", "specificity"])
def test_a_guarantee_for_a_class_is_that_of_two_classes(target: Any) -> None:
    val = validation(600, patients=300)
    alone = ValidationScores("val", (val.y_true == 1).astype(np.int64), val.y_score[:, 1], val.patient)
    chosen = choose_decision(val, "class_at", of_class="MELANOMA", target=target, value=0.8, confidence=0.95)
    assert chosen.threshold == choose_with_interval(alone, target, 0.8, confidence=0.95)
    assert chosen.threshold is not None
    assert chosen.threshold.guarantee is not None
    assert chosen.threshold.guarantee.low >= 0.8
    assert chosen.caution is None
    assert chosen.in_words() == f"MELANOMA at {target} 0.8 with 95% confidence, chosen on validation scores alone"


def test_a_guarantee_that_too_few_images_of_a_class_cannot_give_chooses_nothing() -> None:
    val = validation(100)
    chosen = choose_decision(val, "class_at", of_class="MELANOMA", target="sensitivity", value=0.99, confidence=0.95)
    assert not chosen.is_chosen
    there = int(np.sum(val.y_true == 1))
    assert chosen.reason == (
        "MELANOMA: sensitivity at least 0.99 with 95% confidence needs at least 299 positive validation images; "
        f"there are {there}"
    )
    with pytest.raises(ValueError, match="rule abstain takes no confidence; class_at does"):
        choose_decision(val, "abstain", value=0.7, confidence=0.95)


def test_the_target_is_reached_on_validation_and_the_figures_are_those_of_scikit_learn() -> None:
    val = validation()
    chosen = choose_decision(val, "class_at", of_class="MELANOMA", value=0.95)
    decided = decide(chosen, val.y_score)
    recall = recall_score(val.y_true == 1, decided == 1)
    assert recall >= 0.95
    assert chosen.target == "sensitivity"
    assert chosen.validation["recall:class:MELANOMA"].value == pytest.approx(recall)
    assert chosen.validation["specificity:class:MELANOMA"].value == pytest.approx(
        recall_score(val.y_true != 1, decided != 1)
    )
    assert chosen.validation["precision:class:MELANOMA"].value == pytest.approx(
        precision_score(val.y_true == 1, decided == 1)
    )


COSTS = {"MELANOMA": {"NEVUS": 10.0, "BCC": 5.0}}
TABLE = np.array([[0, 1, 1], [5, 0, 10], [1, 1, 0]])


@pytest.mark.parametrize("patients", [0, 70])
def test_the_expected_cost_is_the_mean_cost_of_the_cross_fitted_decisions(patients: int) -> None:
    val = validation(patients=patients)
    chosen = choose_decision(val, "cost", costs=COSTS)
    assert chosen.calibrator == best_multiclass_calibrator(val)
    assert chosen.calibrator.accepted
    cheapest = (cross_fitted_scores(val, chosen.calibrator).y_score @ TABLE).argmin(axis=1)
    highest = val.y_score.argmax(axis=1)
    figure, argmax, gain = chosen.validation["expected_cost"], chosen.argmax_cost, chosen.gain
    assert argmax is not None
    assert gain is not None
    assert figure.value == pytest.approx(TABLE[val.y_true, cheapest].mean())
    assert argmax.value == pytest.approx(TABLE[val.y_true, highest].mean())
    assert figure.bounds is not None
    (expected,) = multiclass_differences(
        ["expected_cost"],
        {
            "a": MulticlassPairedScores((val,), (highest,), TABLE),
            "b": MulticlassPairedScores((val,), (cheapest,), TABLE),
        },
    ).values()
    assert gain.value == pytest.approx(argmax.value - figure.value)  # type: ignore[operator]
    assert gain.bounds == pytest.approx(expected.bounds)


@pytest.mark.parametrize("rule", ["argmax", "class_at", "abstain"])
def test_only_costs_are_weighted_by_calibrated_scores(rule: Any) -> None:
    parameters: dict[str, Any] = {"class_at": {"of_class": "NEVUS", "value": 0.9}, "abstain": {"value": 0.6}}
    chosen = choose_decision(validation(), rule, **parameters.get(rule, {}))
    assert (chosen.calibrator, chosen.argmax_cost, chosen.gain) == (None, None, None)


def drawn(n: int, seed: int, temperature: float, shift: tuple[float, ...]) -> tuple[MulticlassValidationScores, Floats]:
    """Scores whose logits are the true ones over a temperature, plus a shift; then the true probabilities (n, 3)."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, (n, 3))
    true: Floats = softmax(logits, axis=1)
    labels = (random.random((n, 1)) > true.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    raw = softmax(logits / temperature + np.array(shift), axis=1)
    return MulticlassValidationScores("val", labels, raw, CLASSES), true


@pytest.mark.parametrize(
    ("temperature", "shift", "raw_is_worse"),
    [
        pytest.param(0.25, (1.5, 0.0, -1.0), False, id="overconfident"),
        pytest.param(3.0, (0.0, 0.3, 0.0), True, id="underconfident, where raw scores would cost more than argmax"),
    ],
)
def test_the_rule_costs_less_than_the_highest_score_on_a_large_fresh_sample_although_scores_are_miscalibrated(
    temperature: float, shift: tuple[float, ...], raw_is_worse: bool
) -> None:
    chosen = choose_decision(drawn(600, 0, temperature, shift)[0], "cost", costs=COSTS)
    fresh, true = drawn(100_000, 1, temperature, shift)

    def cost(decided: Any) -> float:
        return float(TABLE[fresh.y_true, decided].mean())

    highest = cost(fresh.y_score.argmax(axis=1))
    raw = cost(decide(replace(chosen, calibrator=None), fresh.y_score))
    least = cost((true @ TABLE).argmin(axis=1))
    rule = cost(decide(chosen, fresh.y_score))
    assert rule < min(highest, raw) - 0.01
    assert (raw > highest) == raw_is_worse
    assert rule - least < 0.1 * (highest - least)


def test_a_rule_that_gains_nothing_or_maybe_nothing_says_so() -> None:
    worse = choose_decision(drawn(300, 0, 2.0, (0, 0.6, 0))[0], "cost", costs={"MELANOMA": {"NEVUS": 3, "BCC": 3}})
    assert worse.gain is not None
    assert worse.gain.value is not None
    assert worse.gain.value <= 0
    assert worse.caution is not None
    assert worse.caution.endswith("of the highest score: the rule gains nothing there")
    unsure = choose_decision(drawn(300, 0, 3.0, (0, 0.5, 0))[0], "cost", costs={"MELANOMA": {"NEVUS": 3, "BCC": 3}})
    assert unsure.caution is not None
    assert "but the 95% interval of the gain, -0." in unsure.caution
    assert unsure.caution.endswith("includes 0")
    assert choose_decision(drawn(600, 0, 0.25, (1.5, 0.0, -1.0))[0], "cost", costs=COSTS).caution is None


def test_scores_that_cannot_be_calibrated_count_as_probabilities_and_it_is_said() -> None:
    right = plain([0, 1, 2, 0], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.3, 0.6], [0.7, 0.2, 0.1]])
    chosen = choose_decision(right, "cost", costs=COSTS)
    assert chosen.calibrator is not None
    assert not chosen.calibrator.accepted
    assert decide(chosen, right.y_score).tolist() == (right.y_score @ TABLE).argmin(axis=1).tolist()
    assert chosen.probabilities_in_words == (
        "costs are weighted by raw scores, because calibration was rolled back (every validation image has its highest "
        "score for the right class: the best temperature is 0)"
    )


def test_a_stated_confidence_is_the_threshold_with_coverage_and_accuracy() -> None:
    val = validation()
    chosen = choose_decision(val, "abstain", value=0.7)
    assert chosen.threshold is not None
    assert chosen.threshold.value == 0.7
    answered = val.y_score.max(axis=1) >= 0.7
    right = val.y_score.argmax(axis=1)[answered] == val.y_true[answered]
    accuracy = chosen.validation["selective_accuracy"]
    assert chosen.validation["coverage"].value == pytest.approx(answered.mean())
    assert accuracy.value == pytest.approx(right.mean())
    assert accuracy.bounds == pytest.approx(proportion_confint(right.sum(), len(right), method="wilson"))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), value=st.sampled_from([0.6, 0.75, 0.85, 0.95]))
def test_the_lowest_confidence_that_reaches_the_accuracy_is_chosen(seed: int, value: float) -> None:
    val = validation(60, seed)
    chosen = choose_decision(val, "abstain", target="accuracy", value=value)
    confidence = val.y_score.max(axis=1)
    right = val.y_score.argmax(axis=1) == val.y_true
    reaching = [at for at in confidence if right[confidence >= at].mean() >= value]
    assert chosen.threshold is not None
    if not reaching:
        assert not chosen.is_chosen
        assert chosen.reason == f"no confidence gives the answered validation images an accuracy of {value:g}"
        return
    answered = decide(chosen, val.y_score) >= 0
    assert answered.tolist() == (confidence >= min(reaching)).tolist()
    assert accuracy_score(val.y_true[answered], val.y_score.argmax(axis=1)[answered]) >= value
    assert chosen.threshold.bounds is not None
    low, high = chosen.threshold.bounds
    assert low <= chosen.threshold.value <= high  # type: ignore[operator]


def test_the_confidence_for_an_accuracy_is_more_certain_with_more_images_and_less_with_few_patients() -> None:
    def width(val: MulticlassValidationScores) -> float:
        threshold = choose_decision(val, "abstain", target="accuracy", value=0.8).threshold
        assert threshold is not None
        assert threshold.bounds is not None
        return threshold.bounds[1] - threshold.bounds[0]

    assert width(validation(2000)) < width(validation(200))
    repeated = validation(100)
    labels, scores = np.repeat(repeated.y_true, 5), np.repeat(repeated.y_score, 5, axis=0)
    patients = tuple(np.repeat(np.arange(100), 5).astype(str).tolist())
    alike = MulticlassValidationScores("val", labels, scores, CLASSES, patient=patients)
    assert width(alike) > 2 * width(MulticlassValidationScores("val", labels, scores, CLASSES))


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({"rule": "class_at", "of_class": "NEVUS", "value": 0.9}, "recall:class:NEVUS"),
        ({"rule": "class_at", "of_class": "NEVUS", "target": "specificity", "value": 0.9}, "specificity:class:NEVUS"),
        ({"rule": "abstain", "target": "accuracy", "value": 0.9}, "selective_accuracy"),
    ],
)
def test_a_target_that_the_interval_does_not_exclude_missing_is_said(parameters: dict[str, Any], key: str) -> None:
    chosen = choose_decision(validation(), **parameters)
    figure = chosen.validation[key]
    assert chosen.caution == (
        f"validation {chosen.target} {figure.value:.3f} has a 95% interval from {figure.low:.3f}: "
        "less than 0.9 is not excluded"
    )


def test_a_target_that_is_surely_exceeded_and_a_stated_confidence_need_no_caution() -> None:
    easy = choose_decision(validation(), "abstain", target="accuracy", value=0.3)
    assert easy.caution is None
    assert choose_decision(validation(), "abstain", value=0.7).caution is None
    assert choose_decision(validation()).caution is None


def test_all_images_are_answered_where_all_are_right_and_none_where_none_is() -> None:
    every = plain([0, 1, 2], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    chosen = choose_decision(every, "abstain", target="accuracy", value=0.9)
    assert chosen.validation["coverage"].value == 1
    assert chosen.threshold is not None
    assert chosen.threshold.reason == "no interval: all validation images are right, whatever the confidence"
    none = plain([1, 2, 0], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    assert choose_decision(none, "abstain", target="accuracy", value=0.9).reason == (
        "no validation image is right, whatever the confidence"
    )


def test_a_class_that_validation_lacks_has_no_threshold_and_it_is_said() -> None:
    val = validation()
    without = val.y_true != 1
    lacking = plain(val.y_true[without].tolist(), val.y_score[without].tolist())
    chosen = choose_decision(lacking, "class_at", of_class="MELANOMA", value=0.95)
    assert chosen.reason == "the validation split has no image of MELANOMA"
    assert chosen.threshold is not None
    assert chosen.threshold.value is None
    assert chosen.validation == {}
    other = choose_decision(lacking, "class_at", of_class="NEVUS", value=0.95)
    assert other.is_chosen
    alone = plain([1, 1], [[0.2, 0.7, 0.1], [0.3, 0.6, 0.1]])
    only = choose_decision(alone, "class_at", of_class="MELANOMA", value=0.95)
    assert only.reason == "the validation split has no image of the other classes"


def test_constant_scores_of_a_class_choose_nothing() -> None:
    val = plain([0, 1, 2, 1], [[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.2, 0.3, 0.5], [0.3, 0.3, 0.4]])
    chosen = choose_decision(val, "class_at", of_class="MELANOMA", value=0.95)
    assert chosen.reason == "MELANOMA: all validation scores are the same"


def test_argmax_needs_no_choice_and_has_its_accuracy() -> None:
    val = validation()
    chosen = choose_decision(val)
    assert chosen.threshold is None
    assert chosen.validation["accuracy"].value == pytest.approx(accuracy_score(val.y_true, val.y_score.argmax(axis=1)))


def test_nothing_is_chosen_on_test_scores_or_two_classes() -> None:
    val = validation()
    others: tuple[Any, ...] = (
        MulticlassTestScores("test", val.y_true, val.y_score, CLASSES),
        on_val([0, 1], [0.2, 0.7]),
    )
    for scores in others:
        with pytest.raises(TypeError, match="a decision is chosen on MulticlassValidationScores, not on"):
            choose_decision(scores, "abstain", value=0.5)


def test_an_unknown_class_and_missing_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="the class 'MOLE' does not exist; the classes are BCC"):
        choose_decision(validation(), "class_at", of_class="MOLE", value=0.95)
    with pytest.raises(ValueError, match="rule abstain needs a value"):
        choose_decision(validation(), "abstain")

"""A decision is chosen on validation scores alone, as two-class rules choose, and says how sure it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import accuracy_score, precision_score, recall_score
from statsmodels.stats.proportion import proportion_confint

from benchmark.evidence.decisions.choice import choose_decision
from benchmark.evidence.decisions.decide import decide
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


def test_the_expected_cost_is_the_mean_cost_of_the_decisions() -> None:
    val = validation()
    chosen = choose_decision(val, "cost", costs={"MELANOMA": {"NEVUS": 10, "BCC": 5}})
    table = np.array([[0, 1, 1], [5, 0, 10], [1, 1, 0]])
    figure = chosen.validation["expected_cost"]
    assert figure.value == pytest.approx(table[val.y_true, decide(chosen, val.y_score)].mean())
    assert figure.value < table[val.y_true, val.y_score.argmax(axis=1)].mean()
    assert figure.bounds is not None


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

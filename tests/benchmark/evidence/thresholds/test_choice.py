"""A threshold is chosen on validation scores, by the rule, or refused with a reason."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable

import numpy as np
import pytest
from pydantic import TypeAdapter

from benchmark.evidence import Scores, TestScores, Threshold, ValidationScores, choose, figures
from benchmark.evidence.thresholds.choice import choose_with_interval
from benchmark.evidence.thresholds.rules import rule_names
from tests.support.records import make_run, on_test, on_val, planted

SEARCHING = sorted(set(rule_names()) - {"fixed"})
VALUES = {"cost": 5.0, "sensitivity": 0.9, "specificity": 0.9}


def drawn_val(count: int, seed: int = 0, shift: float = 2.0) -> ValidationScores:
    """Validation scores of `count` images of each class."""
    return on_val(*planted(count, count, shift=shift, seed=seed))


def of_patients(patients: int, images: int, seed: int = 0) -> ValidationScores:
    """Scores of `patients` of each class with `images` each, nearly the same for all images of a patient."""
    labels, drawn = planted(patients, patients, seed=seed)
    jitter = np.random.default_rng(seed).normal(0, 0.002, (2 * patients, images))
    scores = np.clip(np.array(drawn)[:, None] + jitter, 0, 1).ravel()
    names = tuple(str(patient) for patient in range(2 * patients) for _ in range(images))
    return ValidationScores("val", np.repeat(labels, images), scores, names)


def width(threshold: Threshold) -> float:
    assert threshold.low is not None
    assert threshold.high is not None
    return threshold.high - threshold.low


def test_youden_separates_what_can_be_separated() -> None:
    assert choose(on_val([0, 0, 1, 1], [0.1, 0.2, 0.4, 0.9])) == Threshold(pytest.approx(0.3), "youden")


@pytest.mark.parametrize("constant", [0.0, 0.5, 1.0])
def test_constant_scores_are_refused(constant: float) -> None:
    threshold = choose(on_val([0, 1, 0, 1], [constant] * 4))
    assert threshold.value is None
    assert threshold.reason == "all validation scores are the same"


@pytest.mark.parametrize("label", [0, 1])
def test_a_missing_class_is_refused(label: int) -> None:
    threshold = choose(on_val([label] * 3, [0.1, 0.5, 0.9]))
    assert threshold.value is None
    assert threshold.reason == "the validation split lacks a class"


@pytest.mark.parametrize(
    "scores",
    [
        on_test([0, 1], [0.1, 0.9]),
        Scores("test", np.array([0, 1]), np.array([0.1, 0.9])),
        Scores("val", np.array([0, 1]), np.array([0.1, 0.9])),
        Scores("train", np.array([0, 1]), np.array([0.1, 0.9])),
    ],
    ids=["TestScores", "bare test", "bare val", "bare train"],
)
@pytest.mark.parametrize("rule", ["youden", "fixed"])
def test_scores_of_any_other_type_are_refused(scores: Scores, rule: str) -> None:
    for choice in (choose, choose_with_interval):
        with pytest.raises(TypeError, match="ValidationScores"):
            choice(scores, rule)  # type: ignore[arg-type]


@pytest.mark.parametrize("choice", [choose, choose_with_interval])
def test_no_parameter_of_the_choice_could_take_test_scores(choice: Callable[..., Threshold]) -> None:
    hints = inspect.get_annotations(choice, eval_str=True)
    assert [hint for hint in hints.values() if isinstance(hint, type) and issubclass(hint, Scores)] == [
        ValidationScores
    ]
    assert TestScores not in hints.values()


def test_other_test_scores_leave_a_run_s_threshold_as_it_was() -> None:
    val = on_val(*planted(40, 40, seed=3))
    labels, drawn = planted(50, 50, seed=4)
    runs = [make_run(val=val, test=on_test(labels, found)) for found in (drawn, drawn[::-1])]
    assert runs[0].threshold == runs[1].threshold
    assert runs[0].figures()["auc"] != runs[1].figures()["auc"]


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_the_fixed_rule_gives_the_declared_value_whatever_the_scores(value: float) -> None:
    assert choose(on_val([0, 1], [0.1, 0.9]), "fixed", value) == Threshold(value, "fixed")
    assert choose(on_val([1, 1], [0.5, 0.5]), "fixed", value) == Threshold(value, "fixed")


def test_an_unknown_rule_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown threshold rule 'yuoden'") as caught:
        choose(on_val([0, 1], [0.1, 0.9]), "yuoden")
    assert all(name in str(caught.value) for name in rule_names())


@pytest.mark.parametrize("rule", rule_names())
def test_every_rule_names_itself_and_gives_a_number_between_0_and_1(rule: str) -> None:
    threshold = choose(drawn_val(30), rule, VALUES.get(rule))
    assert threshold.rule == rule
    assert threshold.reason is None
    assert threshold.value is not None
    assert 0 <= threshold.value <= 1


def test_the_chosen_threshold_beats_one_half_on_scores_that_all_lie_on_one_side() -> None:
    labels, drawn = planted(40, 40)
    val = on_val(labels, [score / 3 for score in drawn])
    threshold = choose(val).value
    assert threshold is not None
    balanced = [figures(val, cut)["balanced_accuracy"].value or 0 for cut in (0.5, threshold)]
    assert balanced[0] == 0.5
    assert balanced[1] > 0.75


@pytest.mark.parametrize(
    ("rule", "value", "says"),
    [
        ("cost", None, "rule cost needs a value above 0"),
        ("sensitivity", 95, "rule sensitivity takes a value above 0, at most 1"),
        ("youden", 0.3, "rule youden takes no value"),
    ],
)
def test_a_value_that_the_rule_cannot_use_is_refused(rule: str, value: float | None, says: str) -> None:
    for choice in (choose, choose_with_interval):
        with pytest.raises(ValueError, match=says):
            choice(drawn_val(10), rule, value)


def test_a_target_that_no_threshold_reaches_is_refused() -> None:
    for choice in (choose, choose_with_interval):
        threshold = choice(on_val([0, 0, 1, 1], [0.2, 1.0, 0.7, 1.0]), "specificity", 0.6)
        assert threshold.value is None
        assert threshold.reason == "no threshold up to 1 gives the validation split a specificity of 0.6"


@pytest.mark.parametrize("rule", SEARCHING)
def test_the_value_lies_in_its_interval_nearly_always(rule: str) -> None:
    found = [choose_with_interval(drawn_val(60, seed), rule, VALUES.get(rule), replicates=300) for seed in range(20)]
    inside = [t.low <= t.value <= t.high for t in found if None not in (t.low, t.value, t.high)]  # type: ignore[operator]
    assert len(inside) == 20
    assert sum(inside) >= 19


@pytest.mark.parametrize("rule", SEARCHING)
def test_ten_times_the_images_give_a_narrower_interval(rule: str) -> None:
    widths = [
        np.mean([width(choose_with_interval(drawn_val(n, seed), rule, VALUES.get(rule))) for seed in range(5)])
        for n in (50, 500)
    ]
    assert widths[1] < 0.7 * widths[0]


@pytest.mark.parametrize("rule", SEARCHING)
def test_the_interval_does_not_move_the_choice(rule: str) -> None:
    val = drawn_val(30)
    found = choose_with_interval(val, rule, VALUES.get(rule))
    assert dataclasses.replace(found, low=None, high=None) == choose(val, rule, VALUES.get(rule))


def test_a_seed_decides_the_interval() -> None:
    val = drawn_val(40)
    assert choose_with_interval(val, seed=3) == choose_with_interval(val, seed=3)
    assert len({choose_with_interval(val, replicates=100, seed=seed) for seed in range(10)}) > 1


@pytest.mark.parametrize("val", [drawn_val(40), of_patients(20, 2)], ids=["images", "patients"])
def test_the_order_of_images_does_not_change_the_interval(val: ValidationScores) -> None:
    order = np.random.default_rng(1).permutation(len(val))
    patient = None if val.patient is None else tuple(val.patient[image] for image in order)
    shuffled = ValidationScores("val", val.y_true[order], val.y_score[order], patient)
    assert choose_with_interval(shuffled) == choose_with_interval(val)


@pytest.mark.parametrize("rule", SEARCHING)
def test_resampling_patients_gives_a_wider_interval_where_their_images_are_alike(rule: str) -> None:
    widths = []
    for seed in range(5):
        val = of_patients(15, 10, seed)
        alone = ValidationScores("val", val.y_true, val.y_score)
        widths.append([width(choose_with_interval(s, rule, VALUES.get(rule))) for s in (val, alone)])
    by_patient, by_image = np.mean(widths, axis=0)
    assert by_patient > 1.2 * by_image


@pytest.mark.parametrize("value", [0.0, 0.4])
def test_a_declared_threshold_has_no_interval_but_the_reason(value: float) -> None:
    found = choose_with_interval(drawn_val(10), "fixed", value)
    assert found == Threshold(value, "fixed", "a fixed threshold has no interval")


def test_a_class_of_two_images_is_too_often_missing_for_an_interval() -> None:
    # A resample of n images lacks both with probability (1 - 2/n)^n, one in 7.4 for large n.
    found = choose_with_interval(on_val(*planted(100, 2)), "mcc", replicates=2000)
    assert found.value is not None
    assert (found.low, found.high) == (None, None)
    assert found.reason is not None
    missing = int(found.reason.removeprefix("no interval: ").split()[0])
    assert missing / 2000 == pytest.approx((1 - 2 / 102) ** 102, abs=0.03)
    assert found.reason.endswith("of 2000 resamples lack a class or have no threshold")


def test_images_of_one_patient_give_no_interval() -> None:
    val = drawn_val(20)
    found = choose_with_interval(ValidationScores("val", val.y_true, val.y_score, ("p",) * 40))
    assert found == dataclasses.replace(choose(val), reason="no interval: all validation images come from one patient")


@pytest.mark.parametrize("replicates", [-1, 0, 99])
def test_too_few_replicates_are_refused(replicates: int) -> None:
    with pytest.raises(ValueError, match="replicates are too few"):
        choose_with_interval(drawn_val(10), replicates=replicates)


def test_a_record_from_before_intervals_is_read_as_having_none() -> None:
    before = {"value": 0.3, "rule": "youden", "reason": None}
    assert TypeAdapter(Threshold).validate_python(before) == Threshold(0.3, "youden")


def test_a_threshold_with_its_interval_is_equal_after_a_round_trip_through_json() -> None:
    found = choose_with_interval(drawn_val(20))
    adapter = TypeAdapter(Threshold)
    assert adapter.validate_json(adapter.dump_json(found)) == found

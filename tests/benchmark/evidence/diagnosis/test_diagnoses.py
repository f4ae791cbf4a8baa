"""Faults planted in scores and histories are named, and a healthy run has none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from benchmark.evidence import Finding, TestScores, ValidationScores, diagnose
from benchmark.evidence.diagnosis.diagnoses import FINDINGS, SPLIT_FAULTS, class_count_faults, observable
from benchmark.evidence.diagnosis.training_record import (
    BatchNormProbe,
    Intensity,
    IntensityContrast,
    TrainingDiagnostics,
)
from benchmark.evidence.metrics.probabilities import auc, log_loss
from tests.support.records import HEALTHY, Curves, on_test, on_val, planted

CLASSES = ("NORMAL", "PNEUMONIA")
OF_SEVERAL_CLASSES = {"partial-collapse", "class-never-called", "swapped-classes", "unranked-class"} | {
    "class-of-one-group"
}
UNLEARNED: Curves = {
    "loss": [0.70, 0.70, 0.69],
    "accuracy": [0.48, 0.51, 0.52],
    "val_loss": [0.70, 0.69, 0.69],
    "val_accuracy": [0.50, 0.52, 0.51],
}
LAGGING: Curves = {
    "loss": [0.9, 0.7, 0.55, 0.5],
    "accuracy": [0.55, 0.65, 0.72, 0.75],
    "val_loss": [1.2, 9.0, 24.0, 40.0],
    "val_accuracy": [0.50, 0.50, 0.50, 0.50],
}
OVERFITTED: Curves = {
    "loss": [0.6, 0.3, 0.1, 0.02],
    "accuracy": [0.7, 0.85, 0.97, 1.0],
    "val_loss": [0.55, 0.40, 0.55, 0.80],
    "val_accuracy": [0.7, 0.82, 0.8, 0.79],
}


def pair(
    labels: Sequence[int], val: Sequence[float], test: Sequence[float] | None = None
) -> tuple[ValidationScores, TestScores]:
    return on_val(labels, val), on_test(labels, val if test is None else test)


def squeezed(low: float, high: float, shift: float = 2.0) -> tuple[list[int], list[float]]:
    """Planted scores pressed into [low, high]."""
    labels, drawn = planted(60, 60, shift)
    return labels, [low + (high - low) * score for score in drawn]


def found(scores: tuple[ValidationScores, TestScores], history: Curves, threshold: float = 0.5) -> dict[str, Finding]:
    return {finding.code: finding for finding in diagnose(*scores, history, threshold, CLASSES)}


def test_a_healthy_run_has_no_finding() -> None:
    assert found(pair(*planted(60, 60)), HEALTHY) == {}


@pytest.mark.parametrize(
    ("low", "high", "name"), [(0.97, 0.99, "PNEUMONIA"), (0.30, 0.40, "NORMAL")], ids=["attempt 1", "attempt 3"]
)
def test_one_class_without_ranking_is_a_collapse_that_names_class_share_and_range(
    low: float, high: float, name: str
) -> None:
    labels = [0, 1] * 60
    drawn = [low if i % 4 < 2 else high for i in range(120)]
    finding = found(pair(labels, drawn), HEALTHY)["single-class-collapse"]
    assert name in finding.title
    for part in ("120 of 120 test images", name, "at 0.5", f"{low:.3f}", f"{high:.3f}", "AUC 0.500"):
        assert part in finding.evidence


def test_constant_scores_are_a_collapse() -> None:
    assert set(found(pair([0, 1] * 60, [0.5] * 120), HEALTHY)) == {"single-class-collapse"}


def test_a_collapse_in_a_split_of_one_class_says_that_the_auc_is_undefined() -> None:
    scores = on_val(*planted(60, 60)), on_test([1] * 60, [0.9] * 60)
    assert "AUC undefined" in found(scores, HEALTHY)["single-class-collapse"].evidence


@pytest.mark.parametrize(
    ("low", "high", "name"), [(0.6, 0.9, "PNEUMONIA"), (0.1, 0.4, "NORMAL")], ids=["all above", "all below"]
)
def test_one_class_with_ranking_is_a_fault_of_the_threshold(low: float, high: float, name: str) -> None:
    scores = pair(*squeezed(low, high))
    findings = found(scores, HEALTHY)
    assert set(findings) == {"one-class-threshold"}
    finding = findings["one-class-threshold"]
    assert name in finding.title
    assert "AUC 0.9" in finding.evidence
    assert "120 of 120 test images" in finding.evidence


def test_a_threshold_between_the_scores_ends_the_fault_of_the_threshold() -> None:
    assert found(pair(*squeezed(0.1, 0.4)), HEALTHY, threshold=0.25) == {}


def test_a_collapse_on_validation_alone_is_found_too() -> None:
    labels, drawn = squeezed(0.6, 0.9)
    assert "val images" in found(pair(labels, drawn, planted(60, 60)[1]), HEALTHY)["one-class-threshold"].evidence


def test_one_class_on_one_large_split_alone_is_said_of_that_split() -> None:
    labels, drawn = squeezed(0.6, 0.9)
    on_validation = found(pair(labels, drawn, planted(60, 60)[1]), HEALTHY)["one-class-threshold"]
    assert on_validation.title == "one class at 0.5 on val (PNEUMONIA), ranking intact"
    blind = on_val(*planted(60, 60)), on_test([0, 1] * 60, [0.97, 0.97, 0.99, 0.99] * 30)
    assert found(blind, HEALTHY)["single-class-collapse"].title == "single-class collapse on test: PNEUMONIA"


def test_a_few_validation_images_called_alike_are_no_collapse_where_test_is_not() -> None:
    """Sixteen validation images, test accuracy .67, test AUC .91."""
    labels, drawn = planted(234, 234, shift=1.9)
    test = on_test(labels, [0.5 * score + 0.39 for score in drawn])
    assert np.mean((test.y_score >= 0.5) == test.y_true) == pytest.approx(0.67, abs=0.03)
    assert auc(test) == pytest.approx(0.91, abs=0.02)
    assert set(found((on_val([0, 1] * 8, [0.6] * 16), test), HEALTHY)) == {"small-validation"}


@pytest.mark.parametrize(("images", "said"), [(16, False), (30, False), (40, True), (200, True)])
def test_one_class_needs_more_images_than_chance_would_call_alike(images: int, said: bool) -> None:
    """Of 16 images called alike, one in five may be called otherwise."""
    alone = {f.code for f in diagnose(on_val([0, 1] * (images // 2), [0.9] * images), None, HEALTHY)}
    assert ("single-class-collapse" in alone) == said


def test_small_splits_that_agree_are_counted_together() -> None:
    labels = [0, 1] * 10
    assert "single-class-collapse" in found((on_val(labels, [0.9] * 20), on_test(labels, [0.9] * 20)), HEALTHY)
    assert "single-class-collapse" not in found((on_val(labels, [0.9] * 20), on_test(labels, [0.1] * 20)), HEALTHY)


def test_two_calls_in_a_hundred_of_the_other_class_are_no_collapse() -> None:
    labels = [0] * 50 + [1] * 50
    assert found(pair(labels, [0.2] * 98 + [0.8] * 2), HEALTHY) == {}


def test_batch_normalisation_s_signature_is_a_gap_between_training_and_inference() -> None:
    labels = [0, 1] * 60
    findings = found(pair(labels, [0.99] * 120), LAGGING)
    assert {"train-inference-gap", "single-class-collapse"} <= set(findings)
    assert "not-learning" not in findings
    evidence = findings["train-inference-gap"].evidence
    for figure in ("0.75", "0.50", "40.00", "batch-normalisation"):
        assert figure in evidence


@pytest.mark.parametrize(
    "change",
    [
        {"val_accuracy": [0.5, 0.6, 0.7, 0.74]},
        {"val_loss": [0.7, 0.6, 0.55, 0.5]},
        {"accuracy": [0.5, 0.51, 0.52, 0.53]},
    ],
    ids=["validation follows", "validation loss stays", "training does not learn"],
)
def test_each_part_of_the_signature_is_needed_for_a_gap(change: Curves) -> None:
    assert "train-inference-gap" not in found(pair(*planted(60, 60)), {**LAGGING, **change})


def test_a_validation_loss_that_turns_while_training_falls_is_overfitting() -> None:
    findings = found(pair(*planted(60, 60)), OVERFITTED)
    assert set(findings) == {"overfitting"}
    assert "epoch 2" in findings["overfitting"].title
    for figure in ("0.400", "0.800", "0.300", "0.020"):
        assert figure in findings["overfitting"].evidence


@pytest.mark.parametrize(
    "change",
    [
        {"val_loss": [0.55, 0.40, 0.45, 0.50]},
        {"loss": [0.6, 0.3, 0.4, 0.5]},
        {"val_loss": [0.8, 0.7, 0.6, 0.5]},
        {"val_loss": [0.55, 0.40, math.inf, math.inf]},
    ],
    ids=["rises a little", "training rises too", "best at the end", "not finite"],
)
def test_no_overfitting_without_a_clear_turn(change: Curves) -> None:
    assert "overfitting" not in found(pair(*planted(60, 60)), {**OVERFITTED, **change})


def test_training_at_chance_without_ranking_is_not_learning() -> None:
    findings = found(pair(*planted(60, 60, shift=0.1)), UNLEARNED)
    assert set(findings) == {"not-learning"}
    assert "0.52" in findings["not-learning"].evidence
    assert "0.50" in findings["not-learning"].evidence
    assert "AUC" in findings["not-learning"].evidence


def test_training_at_chance_with_ranking_is_learning() -> None:
    assert found(pair(*planted(60, 60)), UNLEARNED) == {}


def test_chance_is_the_share_of_the_larger_class() -> None:
    history = {**UNLEARNED, "accuracy": [0.70, 0.75, 0.78]}
    labels, drawn = planted(90, 30, shift=0.1)
    assert "0.75" in found(pair(labels, drawn), history)["not-learning"].evidence
    assert found(pair(*planted(60, 60, shift=0.1)), history) == {}


def test_one_epoch_is_enough_to_judge() -> None:
    history = {name: values[:1] for name, values in UNLEARNED.items()}
    assert set(found(pair(*planted(60, 60, shift=0.1)), history)) == {"not-learning"}


def test_what_training_beat_by_less_than_chance_is_learned_where_test_is_ranked_well() -> None:
    labels, drawn = planted(60, 60)
    assert set(found((on_val(*planted(60, 60, shift=0.1)), on_test(labels, drawn)), UNLEARNED)) == set()


def test_validation_at_chance_is_no_gap_where_test_is_right_or_validation_is_tiny() -> None:
    blind = [0, 1] * 60, [0.6, 0.6, 0.4, 0.4] * 30
    right = on_test(*planted(60, 60))
    assert "train-inference-gap" in found(pair(*blind), LAGGING)
    assert "train-inference-gap" not in found((on_val(*blind), right), LAGGING)
    few = on_val([0, 1] * 4, [0.6, 0.6, 0.4, 0.4] * 2)
    assert "train-inference-gap" not in found((few, on_test(*blind)), LAGGING)


def test_grey_levels_of_four_images_may_differ_by_chance() -> None:
    other = TrainingDiagnostics(intensity={"train": LEVEL, "val": Intensity(129.0, 10.0, 50.0)})
    many, four = on_val(*planted(60, 60)), on_val([0, 1, 0, 1], [0.4, 0.6, 0.4, 0.6])
    assert "intensity-shift" in {f.code for f in diagnose(many, None, HEALTHY, checks=other)}
    assert "intensity-shift" not in {f.code for f in diagnose(four, None, HEALTHY, checks=other)}


@pytest.mark.parametrize(
    ("train", "few"), [((240, 240), False), ((20, 20), False), ((19, 400), True), ((4, 4), True), (None, False)]
)
def test_too_few_training_images_of_a_class_are_named(train: tuple[int, int] | None, few: bool) -> None:
    counts = None if train is None else {"train": train}
    findings = {f.code: f for f in diagnose(*pair(*planted(60, 60)), HEALTHY, 0.5, CLASSES, counts=counts)}
    assert ("small-training" in findings) == few
    if few and train is not None:
        assert f"{train[0]} NORMAL and {train[1]} PNEUMONIA" in findings["small-training"].evidence


def test_faults_of_the_split_need_nothing_but_the_images_of_each_class() -> None:
    counts = {"train": (8, 8), "val": (8, 8), "test": (20, 180)}
    known = {f.code for f in class_count_faults(counts, CLASSES)}
    assert known == {"small-training", "small-validation", "prior-shift"}
    assert known < SPLIT_FAULTS
    assert class_count_faults({}, CLASSES) == []


def test_titles_fit_in_a_table_and_codes_are_plain() -> None:
    cases = [
        (pair([0, 1] * 60, [0.99] * 120), LAGGING),
        (pair(*squeezed(0.6, 0.9)), OVERFITTED),
        (pair(*planted(60, 60, shift=0.1)), UNLEARNED),
    ]
    findings = {code: finding for scores, history in cases for code, finding in found(scores, history).items()}
    assert len(findings) == 5
    for code, finding in findings.items():
        assert code == code.lower().replace(" ", "-")
        assert len(finding.title) <= 52
        assert "\n" not in finding.title + finding.evidence


LAG = BatchNormProbe(images=128, inference_accuracy=0.50, inference_loss=8.1, batch_accuracy=0.85, batch_loss=0.4)
LEVEL = Intensity(mean=120.0, between=10.0, within=50.0)


def checked(checks: TrainingDiagnostics, history: Curves = HEALTHY, shift: float = 2.0) -> dict[str, Finding]:
    scores = pair(*planted(60, 60, shift))
    return {finding.code: finding for finding in diagnose(*scores, history, 0.5, CLASSES, checks=checks)}


def test_lagging_statistics_are_shown_by_the_same_images_in_both_modes() -> None:
    evidence = checked(TrainingDiagnostics(LAG), LAGGING)["train-inference-gap"].evidence
    for figure in ("128 training images", "0.85", "0.40", "0.50", "8.10", "moving"):
        assert figure in evidence


def test_equal_modes_rule_lagging_statistics_out() -> None:
    equal = BatchNormProbe(128, 0.84, 0.4, 0.85, 0.4)
    assert "train-inference-gap" not in checked(TrainingDiagnostics(equal), LAGGING, shift=0.1)


def test_without_batch_normalisation_the_gap_is_between_the_images() -> None:
    finding = checked(TrainingDiagnostics(BatchNormProbe(128, 0.84, 0.4)), LAGGING, shift=0.1)["train-inference-gap"]
    assert "not on validation" in finding.title
    assert "batch-normalisation" not in finding.evidence


def test_training_images_that_fail_in_inference_too_are_no_gap_between_images() -> None:
    assert "train-inference-gap" not in checked(TrainingDiagnostics(BatchNormProbe(128, 0.51, 0.7)), LAGGING, shift=0.1)


BATCH = TrainingDiagnostics(
    contrasts={
        "val": IntensityContrast(0.55, 0.58, False, "mean", 0.52),
        "test": IntensityContrast(0.70, 0.58, True, "mean", 0.66),
    }
)


@pytest.mark.parametrize(
    ("other", "shifted"),
    [
        (Intensity(121.0, 10.0, 52.0), False),
        (Intensity(127.0, 10.0, 50.0), False),
        (Intensity(129.0, 10.0, 50.0), True),
        (Intensity(111.0, 10.0, 50.0), True),
        (Intensity(120.0, 10.0, 101.0), True),
        (Intensity(0.47, 0.04, 0.2), True),
    ],
    ids=["alike", "near", "brighter", "darker", "more contrast", "left divided by 255"],
)
def test_a_split_on_another_intensity_scale_is_named(other: Intensity, shifted: bool) -> None:
    findings = checked(TrainingDiagnostics(intensity={"train": LEVEL, "val": LEVEL, "test": other}))
    assert ("intensity-shift" in findings) == shifted
    if shifted:
        assert "test" in findings["intensity-shift"].title
        assert "test" in findings["intensity-shift"].evidence


def test_a_split_that_intensity_distinguishes_is_named_if_the_difference_is_significant() -> None:
    [finding] = diagnose(*pair(*planted(60, 60)), HEALTHY, checks=BATCH)
    assert finding.code == "batch-effect"
    assert finding.title == "intensity alone distinguishes test from train"
    assert finding.evidence.startswith("AUC 0.70, shuffled patients 0.58; most by a higher mean in test")


@pytest.mark.parametrize(("positives", "shifted"), [(60, False), (66, False), (95, True)])
def test_another_share_of_positives_in_test_is_a_prior_shift(positives: int, shifted: bool) -> None:
    scores = on_val(*planted(60, 60)), on_test(*planted(120 - positives, positives))
    assert ("prior-shift" in found(scores, HEALTHY)) == shifted


@pytest.mark.parametrize(("each", "small"), [(8, True), (25, True), (60, False), (200, False)])
def test_a_validation_split_too_small_to_choose_on_is_named(each: int, small: bool) -> None:
    findings = found((on_val(*planted(each, each)), on_test(*planted(60, 60))), HEALTHY)
    assert ("small-validation" in findings) == small
    if small:
        assert f"{each} NORMAL and {each} PNEUMONIA" in findings["small-validation"].evidence


def test_a_validation_split_of_one_class_is_too_small_to_choose_on() -> None:
    scores = on_val([1] * 100, [0.6] * 50 + [0.4] * 50), on_test(*planted(60, 60))
    assert "small-validation" in found(scores, HEALTHY)


@pytest.mark.parametrize(
    ("factor", "code"),
    [(0.9, "impossible-loss"), (1.0, None), (1.5, None), (3.0, "penalty-in-loss")],
)
def test_a_loss_is_held_against_what_its_own_scores_give(factor: float, code: str | None) -> None:
    val, test = pair(*planted(60, 60))
    own = log_loss(test)
    assert own is not None
    findings = {f.code for f in diagnose(val, test, HEALTHY, losses={"test": factor * own})}
    assert findings == ({code} if code else set())


def test_every_finding_names_the_change_that_would_test_it_and_is_described() -> None:
    blind = pair([0, 1] * 60, [0.97, 0.97, 0.99, 0.99] * 30)
    everything = [
        *diagnose(*blind, LAGGING, checks=TrainingDiagnostics(LAG, {"train": LEVEL, "val": Intensity(0.5, 0.1, 0.2)})),
        *diagnose(*pair(*squeezed(0.6, 0.9)), OVERFITTED, losses={"val": 5.0, "test": 0.01}),
        *diagnose(on_val([0, 1] * 4, [0.4, 0.6] * 4), on_test(*planted(20, 180)), HEALTHY, counts={"train": (4, 4)}),
        *diagnose(*pair([0, 1] * 60, [0.4, 0.6, 0.6, 0.4] * 30), UNLEARNED, checks=BATCH),
    ]
    assert {finding.code for finding in everything} == set(FINDINGS) - OF_SEVERAL_CLASSES
    assert all(finding.test for finding in everything)


MODES = BatchNormProbe(10, 0.5, 0.7, 0.9, 0.2)
GREY = {"train": Intensity(100, 10, 40), "test": Intensity(100, 10, 40)}


@pytest.mark.parametrize("code", FINDINGS)
def test_a_fault_is_observable_where_its_records_were_made(code: str) -> None:
    from_records = {"train-inference-gap", "intensity-shift", "batch-effect", "penalty-in-loss", "impossible-loss"}
    from_records |= {"small-training"}
    assert observable(code, replace(BATCH, modes=MODES, intensity=GREY), {"val": 0.5}, {"train": (4, 4)})
    assert observable(code, None, None) == (code not in from_records)


def test_no_fault_of_an_unknown_name_is_observable() -> None:
    with pytest.raises(KeyError):
        observable("bad-luck", None, None)

"""Faults planted in scores and histories are named, and a healthy run has none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from benchmark.evidence import Finding, TestScores, ValidationScores, diagnose
from tests.records import HEALTHY, History, on_test, on_val, planted

CLASSES = ("NORMAL", "PNEUMONIA")
UNLEARNED: History = {
    "loss": [0.70, 0.70, 0.69],
    "accuracy": [0.48, 0.51, 0.52],
    "val_loss": [0.70, 0.69, 0.69],
    "val_accuracy": [0.50, 0.52, 0.51],
}
LAGGING: History = {
    "loss": [0.9, 0.7, 0.55, 0.5],
    "accuracy": [0.55, 0.65, 0.72, 0.75],
    "val_loss": [1.2, 9.0, 24.0, 40.0],
    "val_accuracy": [0.50, 0.50, 0.50, 0.50],
}
OVERFITTED: History = {
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


def found(scores: tuple[ValidationScores, TestScores], history: History, threshold: float = 0.5) -> dict[str, Finding]:
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
    assert set(found(pair([0, 1] * 10, [0.5] * 20), HEALTHY)) == {"single-class-collapse"}


def test_a_collapse_in_a_split_of_one_class_says_that_the_auc_is_undefined() -> None:
    scores = on_val(*planted(60, 60)), on_test([1] * 10, [0.9] * 10)
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
def test_each_part_of_the_signature_is_needed_for_a_gap(change: History) -> None:
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
def test_no_overfitting_without_a_clear_turn(change: History) -> None:
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
        assert len(finding.title) <= 50
        assert "\n" not in finding.title + finding.evidence

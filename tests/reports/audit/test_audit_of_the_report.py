"""What the audit finds in the report on paediatric pneumonia X-rays, and nothing else."""

from __future__ import annotations

import math

import pytest

from benchmark.evidence.metrics.registry import Confusion
from reports.audit.audit import Audit, audit
from reports.claims.model import load_claims
from tests.support.claims import derived, of_kind, row_of
from tests.support.records import cards


@pytest.fixture(scope="module")
def report() -> Audit:
    return audit(load_claims("pneumonia_report", cards()))


@pytest.mark.parametrize(
    ("name", "matrix"),
    [("attempt-6b", Confusion(131, 6, 228, 103)), ("attempt-7", Confusion(212, 20, 214, 22))],
)
def test_the_transfer_rows_have_exactly_one_matrix(report: Audit, name: str, matrix: Confusion) -> None:
    assert row_of(report, name).matrices == (matrix,)
    (found,) = of_kind(report, "one-matrix", name)
    assert f"TP {matrix.tp}, FP {matrix.fp}, TN {matrix.tn}, FN {matrix.fn}" in found.statement


def test_the_error_analysis_of_attempt_7_is_not_its_own_and_is_attempt_6b_s(report: Audit) -> None:
    (own,) = of_kind(report, "matrix-not-of-row")
    (other,) = of_kind(report, "matrix-of-other-row")
    assert (own.row, own.severity, other.row) == ("attempt-7", "contradiction", "attempt-7")
    assert all(value in own.derivation for value in ("0.7671", "0.9562", "0.5598", "0.9103", "0.9138", "0.9060"))
    assert "attempt-6b: no other" in other.statement
    assert any("Análisis de Errores" in cited.where for cited in other.rests_on)


@pytest.mark.parametrize("name", ["attempt-6b", "attempt-7", "attempt-3", "attempt-4"])
def test_these_rows_fit_234_and_234_images_and_not_the_full_folder(report: Audit, name: str) -> None:
    (found,) = of_kind(report, "test-size", name)
    assert found.statement == "The row fits the test set of 234 + 234, not the test set of 234 + 390."


def test_attempt_2_fits_both_test_sets_and_is_one_answer_on_neither(report: Audit) -> None:
    (fit,) = of_kind(report, "test-size", "attempt-2")
    assert "do not identify the test set" in fit.statement
    assert "291 of 468" in fit.derivation
    assert "388 of 624" in fit.derivation
    (alike,) = of_kind(report, "one-class", "attempt-2")
    assert alike.severity == "contradiction"
    assert "411 of 468" in alike.statement
    assert "0.6250" in alike.derivation


def test_attempt_3_is_233_of_468_and_so_one_image_short_of_one_answer(report: Audit) -> None:
    assert {m.tp + m.tn for m in row_of(report, "attempt-3").matrices or ()} == {233}
    (alike,) = of_kind(report, "one-class", "attempt-3")
    assert (alike.severity, "467 of 468" in alike.statement) == ("note", True)


@pytest.mark.parametrize(
    ("split", "loss", "least"),
    [
        ("train", "0.0970", ("0.365", "0.131")),
        ("val", "0.0943", ("0.350", "0.126")),
        ("test", "0.0943", ("0.348", "0.125")),
    ],
)
def test_attempt_3_s_losses_are_neither_cross_entropy_nor_squared_error_and_fit_focal_loss(
    report: Audit, split: str, loss: str, least: tuple[str, str]
) -> None:
    (found,) = [f for f in of_kind(report, "loss-too-low", "attempt-3") if f.statement.startswith(split.capitalize())]
    assert found.severity == "impossible"
    assert f"loss {loss} cannot be binary cross-entropy nor squared error" in found.statement
    assert f"cross-entropy is at least {least[0]}" in found.derivation
    assert f"squared error {least[1]}" in found.derivation
    assert "Balanced focal loss (alpha 0.25, gamma 2) is at least" in found.derivation
    assert {cited.figure.split for cited in found.rests_on if cited.figure} == {split}


def test_attempt_3_s_scores_hold_the_best_constant_of_focal_loss(report: Audit) -> None:
    (found,) = of_kind(report, "best-constant")
    assert found.row == "attempt-3"
    assert "0.399" in found.statement
    assert "0.0719" in found.derivation


def test_attempt_4_s_validation_pair_cannot_be_accuracy_and_precision_of_one_epoch(report: Audit) -> None:
    (found,) = of_kind(report, "no-shares")
    assert (found.row, found.severity) == ("attempt-4", "impossible")
    assert found.reading is not None
    assert all(value in found.statement for value in ("0.5042", "0.5063", "recall 1.0000"))


def test_attempt_2_s_validation_loss_exceeds_what_clipped_cross_entropy_can_be(report: Audit) -> None:
    (found,) = of_kind(report, "loss-too-high")
    assert (found.row, found.severity) == ("attempt-2", "note")
    assert "24.3714" in found.statement
    most = float(found.derivation.split("at most ")[1].split(",")[0])
    assert 0.4948 * -math.log(1e-7) < most < 24.3714


def test_what_the_report_states_in_two_ways_is_found(report: Audit) -> None:
    found = {(f.row, f.statement) for f in of_kind(report, "settings")}
    assert {name for name, _ in found} == {"attempt-3", "attempt-7"}
    assert any("5e-05 and 1e-05" in statement for _, statement in found)
    assert any("layers is stated as 4 and 3" in statement for _, statement in found)
    (twice,) = of_kind(report, "same-name")
    assert "Intento Nº6: attempt-6a and attempt-6b" in twice.statement


@pytest.mark.parametrize(
    ("name", "metric", "interval"),
    [
        ("attempt-6b", "accuracy", (0.727, 0.803)),
        ("attempt-6b", "recall", (0.496, 0.622)),
        ("attempt-7", "accuracy", (0.881, 0.933)),
        ("attempt-6b", "auc", (0.911, 0.958)),
        ("attempt-7", "auc", (0.943, 0.979)),
    ],
)
def test_a_row_has_its_own_intervals(report: Audit, name: str, metric: str, interval: tuple[float, float]) -> None:
    assert derived(report, name, metric).interval == pytest.approx(interval, abs=6e-4)


def test_only_what_is_so_is_impossible_in_the_report(report: Audit) -> None:
    held = [(f.kind, f.row) for f in report.findings if f.severity == "impossible"]
    assert sorted(held) == [("loss-too-low", "attempt-3")] * 3 + [("no-shares", "attempt-4")]
    contradictions = sorted((f.kind, f.row) for f in report.findings if f.severity == "contradiction")
    assert contradictions == [
        ("matrix-not-of-row", "attempt-7"),
        ("matrix-of-other-row", "attempt-7"),
        ("one-class", "attempt-2"),
        ("same-name", "attempt-6a"),
        ("settings", "attempt-3"),
        ("settings", "attempt-7"),
    ]


def test_a_figure_is_ruled_out_by_what_it_was_held_against_and_not_the_reverse(report: Audit) -> None:
    published = cards()["attempt-3"].published
    assert {f.metric for f in published if report.ruled_out("attempt-3", f) is not None} == {"loss"}
    assert all(report.ruled_out("attempt-4", f) is None for f in cards()["attempt-4"].published)

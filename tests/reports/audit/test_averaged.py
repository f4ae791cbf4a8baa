"""Rows that say what their figures are of are checked as that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from statsmodels.stats.proportion import proportion_confint

from benchmark.evidence.metrics.registry import Confusion
from reports.audit.audit import audit
from tests.support.claims import audit_of, claims_of, derived, figure, of_kind, row, row_of, several

SIZES = {"negatives": 234, "positives": 390}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def figures(**values: float) -> list[dict[str, Any]]:
    return [figure(name, value) for name, value in values.items()]


FOLDS = figures(accuracy=0.8526, precision=0.8228, recall=0.9744, f1=0.8921)
SEEDS = figures(accuracy=0.8114, recall=0.9786)


@pytest.mark.parametrize(
    ("printed", "more"),
    [
        (FOLDS, {"averaged": "folds", "folds": 5}),
        (SEEDS, {"averaged": "seeds", "seeds": 3}),
        (figures(accuracy=0.8141, precision=0.8573, recall=0.7598, f1=0.7772), {"average": "macro"}),
        (figures(accuracy=0.8141, precision=0.8381, recall=0.8141, f1=0.7999), {"average": "weighted"}),
        (figures(accuracy=0.8141, precision=0.9338, recall=0.5427, f1=0.6865), {"positive": "negatives"}),
    ],
)
def test_a_row_that_says_it_is_consistent(tmp_path: Path, printed: list[dict[str, Any]], more: dict[str, Any]) -> None:
    done = audit_of(tmp_path, row("one", *printed, **more), **SIZES)
    audited = row_of(done, "one")
    assert (audited.outcome, audited.would_fit) == ("consistent", ())
    assert {each.severity for each in done.findings} <= {"note"}
    if "averaged" not in more:
        assert audited.matrices == (Confusion(tp=381, fp=107, tn=127, fn=9),)


def test_means_of_another_number_of_seeds_are_impossible(tmp_path: Path) -> None:
    (found,) = audit_of(tmp_path, row("one", *SEEDS, averaged="seeds", seeds=2), **SIZES).findings
    assert (found.kind, found.severity) == ("no-mean", "impossible")
    assert "are not the mean of 2 seeds on 234 + 390 images" in found.statement
    assert {each.metric for each in found.rules_out} == {"accuracy", "recall"}


def test_folds_that_cannot_be_stratified_are_ambiguous_and_other_figures_impossible(tmp_path: Path) -> None:
    mixed = figures(accuracy=0.83, recall=0.98, specificity=0.64)
    harmonic = figures(precision=0.78, recall=0.98, f1=0.95)
    done = audit_of(
        tmp_path,
        row("mixed", *mixed, averaged="folds", folds=5),
        row("harmonic", *harmonic, averaged="folds", folds=5),
        **SIZES,
    )
    severities = {each.row: each.severity for each in of_kind(done, "no-mean")}
    assert severities == {"mixed": "ambiguous", "harmonic": "impossible"}
    assert row_of(done, "mixed").would_fit == ("the mean of folds that are not stratified",)


def test_figures_of_all_folds_together_are_means_of_folds_too(tmp_path: Path) -> None:
    pooled = figures(accuracy=0.8141, precision=0.7807, recall=0.9769, specificity=0.5427, f1=0.8679, mcc=0.6094)
    assert audit_of(tmp_path, row("one", *pooled, averaged="folds", folds=10), **SIZES).findings == ()


def test_a_mean_has_the_interval_of_its_test_set_and_no_matrix(tmp_path: Path) -> None:
    done = audit_of(tmp_path, row("one", *SEEDS, averaged="seeds", seeds=3), **SIZES)
    assert row_of(done, "one").matrices is None
    assert row_of(done, "one").reason == "means over 3 seeds come from no single confusion matrix"
    expected = proportion_confint(506, 624, method="wilson")
    assert derived(done, "one", "accuracy").interval == pytest.approx(expected, abs=1e-9)


def test_means_of_three_classes_are_not_whole_numbers(tmp_path: Path) -> None:
    printed = figure("accuracy", 0.8335), figure("f1", 0.8335, average="micro")
    once = audit(claims_of(tmp_path, several(row("one", *printed))))
    assert {each.kind for each in once.findings if each.severity == "impossible"} == {"off-grid"}
    mean = several(row("one", *printed, averaged="seeds", seeds=3))
    assert audit(claims_of(tmp_path, mean)).findings == ()
    differing = several(row("one", printed[0], figure("f1", 0.84, average="micro"), averaged="folds", folds=5))
    (found,) = [each for each in audit(claims_of(tmp_path, differing)).findings if each.severity == "impossible"]
    assert "cannot both be true" in found.statement

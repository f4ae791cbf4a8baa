"""Honest variants of one matrix are not called impossible, and corrupted ones are."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.evidence.metrics.registry import Confusion
from reports.audit.audit import Audit, audit
from reports.audit.figures import Outcome
from reports.claims.model import load_claims
from tests.support.claims import audit_of, claims_of, contents, figure, of_kind, row, row_of

FILES = Path(__file__).parent / "claims"
TRUE = Confusion(tp=381, fp=107, tn=127, fn=9)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def variants() -> Audit:
    return audit(load_claims(str(FILES / "variants.yaml"), {}))


@pytest.fixture(scope="module")
def rates() -> Audit:
    return audit(load_claims(str(FILES / "rates.yaml"), {}))


def kinds(done: Audit, name: str) -> set[str]:
    return {each.kind for each in done.findings if each.row == name}


@pytest.mark.parametrize(
    ("name", "outcome", "meaning"),
    [
        ("ok-rounded", "consistent", None),
        ("ok-cut", "would fit", "figures that are all cut instead of rounded"),
        ("ok-2dec", "consistent", None),
        ("ok-mixed-decimals", "consistent", None),
        ("bad-precision", "impossible", None),
        ("bad-off-grid", "impossible", None),
        ("bad-off-grid-2dec", "impossible", None),
        ("bad-typo-recall", "impossible", None),
        ("bad-auc-low", "impossible", None),
        ("bad-auc-equals-balanced", "consistent", None),
        ("bad-f1-not-harmonic", "impossible", None),
        ("legit-other-class-positive", "would fit", "figures of the other class"),
        ("legit-macro", "would fit", "macro averages"),
        ("legit-weighted", "would fit", "averages weighted by the images of each class"),
        ("legit-5fold-mean", "would fit", "the mean of 5 folds"),
        ("legit-3seed-mean", "would fit", "the mean of 3 seeds"),
    ],
)
def test_each_variant_of_one_matrix_has_its_outcome(
    variants: Audit, name: str, outcome: Outcome, meaning: str | None
) -> None:
    audited = row_of(variants, name)
    assert audited.outcome == outcome
    assert meaning in audited.would_fit if meaning else audited.would_fit == ()
    severities = {each.severity for each in variants.findings if each.row == name}
    assert ("impossible" in severities) == (outcome == "impossible")


@pytest.mark.parametrize("name", ["ok-rounded", "ok-cut"])
def test_the_one_matrix_is_found_rounded_or_cut(variants: Audit, name: str) -> None:
    audited = row_of(variants, name)
    assert (*(audited.matrices or ()), *(audited.cut or ())) == (TRUE,)
    assert bool(audited.matrices) == (name != "ok-cut")


@pytest.mark.parametrize("name", ["legit-other-class-positive", "legit-macro", "legit-weighted"])
def test_another_meaning_names_the_matrix_and_what_the_row_needs(variants: Audit, name: str) -> None:
    (finding,) = of_kind(variants, "would-fit", name)
    assert finding.severity == "ambiguous"
    assert finding.rules_out == ()
    assert "TP 381, FP 107, TN 127, FN 9 gives them" in finding.derivation
    needs = {"legit-other-class-positive": "`positive: negatives`", "legit-macro": "`average: macro`"}
    assert needs.get(name, "`average: weighted`") in finding.derivation
    assert row_of(variants, name).matrices is None
    assert variants.fits_otherwise(name, finding.rests_on[0].figure) == finding  # type: ignore[arg-type]
    assert variants.ruled_out(name, finding.rests_on[0].figure) is None  # type: ignore[arg-type]


def test_matrices_that_are_transposed_or_have_their_classes_swapped_are_no_contradiction(variants: Audit) -> None:
    transposed, swapped = of_kind(variants, "matrix-would-fit")
    assert (transposed.row, swapped.row) == ("ok-rounded", "ok-cut")
    assert transposed.would_fit == ("transposed, with the predicted classes as rows",)
    assert swapped.would_fit == ("with the other class as positive",)
    assert all("TP 381, FP 107, TN 127, FN 9" in each.statement for each in (transposed, swapped))
    assert not {"matrix-size", "matrix-not-of-row"} & {each.kind for each in variants.findings}
    assert not {"matrix-would-fit", "would-fit"} & kinds(variants, "ok-2dec")


def test_an_auc_that_is_the_balanced_accuracy_is_flagged_there_only(variants: Audit) -> None:
    (finding,) = of_kind(variants, "auc-of-decisions")
    assert (finding.row, finding.severity) == ("bad-auc-equals-balanced", "note")
    assert "equals the balanced accuracy of the decisions, 0.7598" in finding.statement


def test_an_auc_that_equals_it_for_a_reason_or_with_two_decimals_is_not_flagged(tmp_path: Path) -> None:
    constant = row("one", figure("recall", 1.0), figure("specificity", 0.0), figure("auc", 0.5))
    coarse = [figure(name, 0.9, decimals=2) for name in ("recall", "specificity", "auc")]
    assert not of_kind(audit_of(tmp_path, constant, row("two", *coarse)), "auc-of-decisions")


def test_impossible_figures_say_which_meanings_were_tried(variants: Audit) -> None:
    (finding,) = of_kind(variants, "no-matrix", "bad-precision")
    assert finding.derivation.endswith(
        "Tried without success: the other class as the positive one, macro and weighted averages and the mean of "
        "5 folds, 3 seeds or 5 seeds that resemble each other."
    )


def test_a_misprint_is_named_for_impossible_rows_only(variants: Audit) -> None:
    (finding,) = of_kind(variants, "misprint", "bad-typo-recall")
    assert [(each.printed, each.would_be) for each in finding.explanations] == [("test recall 0.9679", "0.9769")]
    assert {each.row for each in of_kind(variants, "misprint")} == {
        each.name for each in variants.rows if each.outcome == "impossible"
    }


@pytest.mark.parametrize("name", ["two-decimals", "big-set-same-mix", "off-grid-too"])
def test_rates_that_contradict_their_accuracy_are_impossible(rates: Audit, name: str) -> None:
    assert row_of(rates, name).outcome == "impossible"
    (finding,) = [each for kind in ("no-matrix", "rates") for each in of_kind(rates, kind, name)]
    assert {cited.figure.metric for cited in finding.rests_on if cited.figure} == {"accuracy", "recall", "specificity"}


def test_the_audit_goes_on_after_figures_off_the_grid(rates: Audit) -> None:
    assert len(of_kind(rates, "off-grid", "off-grid-too")) == 1
    (finding,) = of_kind(rates, "rates", "off-grid-too")
    assert "contradict each other on 234 + 390 images" in finding.statement
    assert "weighted by 390 positives and 234 negatives: 0.9204" in finding.derivation


def test_a_large_test_set_is_checked_by_its_rates(rates: Audit) -> None:
    assert row_of(rates, "huge-recall-only").would_fit == ("averages weighted by the images of each class",)


def test_one_rule_of_rounding_is_for_all_figures(tmp_path: Path) -> None:
    """Of 3 positives and 3 negatives, recall 0.67 is rounded and specificity 0.66 is cut."""
    test = {"negatives": 3, "positives": 3, "location": "Table 1"}
    mixed = row("one", figure("recall", 0.67, decimals=2), figure("specificity", 0.66, decimals=2), test=test)
    (finding,) = of_kind(audit_of(tmp_path, mixed), "no-matrix")
    assert finding.severity == "impossible"
    assert "with all figures rounded and with all figures cut" in finding.derivation
    cut = row("one", figure("recall", 0.66, decimals=2), figure("specificity", 0.66, decimals=2), test=test)
    assert row_of(audit_of(tmp_path, cut), "one").outcome == "would fit"


def test_without_a_test_set_macro_averages_are_tried_too(tmp_path: Path) -> None:
    """Of TP 5, FP 0, TN 90, FN 5 the macro averages are printed, and no prevalence gives them to one class."""
    macro = {"accuracy": 0.95, "precision": 0.9737, "recall": 0.75, "f1": 0.8198}
    data = contents(row("one", *(figure(name, value) for name, value in macro.items())))
    del data["source"]["test"]
    audited = row_of(audit(claims_of(tmp_path, data)), "one")
    assert (audited.outcome, audited.would_fit[0]) == ("would fit", "macro averages")


@pytest.mark.parametrize(
    ("positive", "advice"),
    [
        ("normal", "needs `positive: ill` instead of `positive: normal`."),
        ("negatives", "needs `positive: ill` instead of `positive: negatives`."),
    ],
)
def test_a_row_is_not_told_to_say_what_it_says(tmp_path: Path, positive: str, advice: str) -> None:
    """TP 377, FP 45, TN 189, FN 13 of 234 + 390 images, called figures of the first class."""
    figures = {"accuracy": 0.9071, "precision": 0.8934, "recall": 0.9667, "specificity": 0.8077}
    test = {"negatives": 234, "positives": 390, "classes": ["normal", "ill"], "location": "Section 2"}
    data = contents(row("one", *(figure(name, value) for name, value in figures.items()), positive=positive))
    (finding,) = of_kind(
        audit(claims_of(tmp_path, data | {"source": {"report": "A study", "test": test}})), "would-fit"
    )
    assert "They would fit as figures of the other class" in finding.statement
    assert finding.derivation.endswith(advice)

"""Rates without a test set, figures that only reports print, and printed intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.evidence.metrics.registry import Confusion
from reports.audit.audit import Audit, audit
from reports.claims.model import load_claims
from tests.support.claims import audit_of, claims_of, contents, derived, figure, of_kind, row, row_of

FILES = Path(__file__).parent / "claims"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def readmes() -> Audit:
    return audit(load_claims(str(FILES / "readmes.yaml"), {}))


def test_rates_alone_imply_the_prevalence_and_the_smallest_test_set(readmes: Audit) -> None:
    (found,) = of_kind(readmes, "prevalence")
    assert (found.row, found.severity) == ("readme-a-size-unknown", "note")
    assert "49.3% to 52.2% of the images are positive" in found.statement
    assert "at least 51 images, such as 25 negatives and 26 positives" in found.statement
    assert row_of(readmes, "readme-a-size-unknown").outcome == "consistent"
    assert row_of(readmes, "readme-a-public-test").outcome == "impossible"


def test_a_row_without_a_test_set_has_that_of_its_matrix(readmes: Audit) -> None:
    audited = row_of(readmes, "readme-b-val")
    assert audited.outcome == "consistent"
    assert audited.test is not None
    assert audited.test.total == 79 + 38 + 2041 + 526
    assert Confusion(tp=79, fp=38, tn=2041, fn=526) in (audited.matrices or ())
    assert derived(readmes, "readme-b-val", "specificity").low == pytest.approx(2041 / 2079)


def test_a_matrix_that_does_not_give_its_row_lends_it_no_test_set(tmp_path: Path) -> None:
    matrix = {"row": "one", "location": "Table 2", "tp": 40, "fp": 10, "tn": 90, "fn": 21}
    data = contents(row("one", figure("accuracy", 0.8125), figure("recall", 0.6667)), matrices=[matrix])
    del data["source"]["test"]
    done = audit(claims_of(tmp_path, data))
    assert {each.kind for each in done.findings if each.severity != "note"} == {"matrix-not-of-row"}


VALUES = {"npv": 0.8182, "kappa": 0.5862, "f2": 0.6897, "error_rate": 0.1875, "macro_f1": 0.7922, "f1": 0.7273}


@pytest.mark.parametrize("name", VALUES)
def test_a_figure_that_only_reports_print_is_used(tmp_path: Path, name: str) -> None:
    """TP 40, FP 10, TN 90, FN 20 of 100 + 60 images."""
    known = figure("recall", 0.6667), figure("precision", 0.8)
    right = audit_of(tmp_path / "right", row("one", *known, figure(name, VALUES[name])))
    assert row_of(right, "one").matrices == (Confusion(tp=40, fp=10, tn=90, fn=20),)
    wrong = audit_of(tmp_path / "wrong", row("one", *known, figure(name, round(VALUES[name] + 0.15, 4))))
    assert row_of(wrong, "one").outcome == "impossible"
    (found,) = of_kind(wrong, "misprint")
    assert f"would be {VALUES[name]:.4f}" in found.statement


def test_a_percentage_is_used_with_its_decimals(tmp_path: Path) -> None:
    printed = figure("accuracy", 81.25, decimals=2, percent=True), figure("recall", 66.7, decimals=1, percent=True)
    assert row_of(audit_of(tmp_path, row("one", *printed)), "one").matrices == (Confusion(40, 10, 90, 20),)


def test_papers_with_that_vocabulary_can_be_stated() -> None:
    done = audit(load_claims(str(FILES / "vocabulary.yaml"), {}))
    assert row_of(done, "r").outcome == "impossible"


def interval(value: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    return row("one", figure("recall", value, decimals=2, low=low, high=high, **more))


def test_an_interval_of_its_test_set_says_nothing_and_others_say_how_many_images(tmp_path: Path) -> None:
    """Wilson's interval of 363 of 390 is [.901, .952]."""
    sizes = {"negatives": 234, "positives": 390}
    assert audit_of(tmp_path, interval(0.93, 0.90, 0.95), **sizes).findings == ()
    (narrow,) = of_kind(audit_of(tmp_path, interval(0.75, 0.74, 0.76), **sizes), "interval")
    assert narrow.severity == "note"
    assert "about 7203 independent images; the figure is a share of 390" in narrow.statement
    (wide,) = of_kind(audit_of(tmp_path, interval(0.75, 0.61, 0.89), **sizes), "interval")
    assert "several images per patient" in wide.derivation
    (outside,) = of_kind(audit_of(tmp_path, interval(0.75, 0.80, 0.85), **sizes), "interval")
    assert outside.severity == "contradiction"
    assert row_of(audit_of(tmp_path, interval(0.75, 0.80, 0.85), **sizes), "one").outcome == "contradictory"


def test_a_standard_deviation_is_bounded_by_the_mean(tmp_path: Path) -> None:
    """Of five values in [0, 1] with mean .9: at most sqrt(.9 * .1 * 5 / 4) = .335, as for 1, 1, 1, 1 and .5 not."""
    means = {"averaged": "seeds", "seeds": 5}
    assert not of_kind(audit_of(tmp_path, row("one", figure("recall", 0.9, sd=0.33), **means)), "interval")
    (found,) = of_kind(audit_of(tmp_path, row("one", figure("recall", 0.9, sd=0.35), **means)), "interval")
    assert found.severity == "contradiction"
    assert "at most 0.3355" in found.derivation
    (unsaid,) = of_kind(audit_of(tmp_path, row("one", figure("recall", 0.9, sd=0.02))), "interval")
    assert unsaid.severity == "note"
    assert "the row is probably a mean" in unsaid.statement

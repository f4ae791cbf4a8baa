"""The audit names the single misprint that would explain a contradictory row, in every output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import zoo
from benchmark.evidence.metrics.registry import Confusion
from reports.audit.audit import audit
from reports.claims.model import load_claims
from tests.support.claims import (
    audit_of,
    claims_of,
    class_matrix,
    contents,
    figure,
    of_kind,
    row,
    several,
    write_claims,
)
from tests.support.records import cards

TRUE = Confusion(tp=50, fp=8, tn=92, fn=10)
MATRIX = {"row": "one", "location": "Table 3", "tp": 50, "fp": 8, "tn": 92, "fn": 10}


def figures(**changed: float) -> list[dict[str, Any]]:
    true = {"accuracy": 0.8875, "precision": 0.8621, "recall": 0.8333, "specificity": 0.92}
    return [figure(name, value) for name, value in (true | changed).items()]


def test_the_misprint_is_named_with_the_matrix_and_what_should_have_been_printed(tmp_path: Path) -> None:
    (finding,) = of_kind(audit_of(tmp_path, row("one", *figures(accuracy=0.9875))), "misprint")
    assert finding.severity == "note"
    assert finding.rules_out == ()
    assert finding.statement == (
        "One misprint would explain the contradictions of this row: test accuracy 0.9875 would be 0.8875."
    )
    assert finding.derivation == (
        "All other printed figures agree with TP 50, FP 8, TN 92, FN 10. No other single misprint would explain them: "
        "without test precision 0.8621, test recall 0.8333 or test specificity 0.9200, the rest still disagrees."
    )
    (explanation,) = finding.explanations
    assert (explanation.printed, explanation.would_be) == ("test accuracy 0.9875", "0.8875")
    assert (explanation.matrices, explanation.matrix_count) == ((TRUE,), 1)


def test_a_wrong_count_of_a_printed_matrix_is_named(tmp_path: Path) -> None:
    printed = {**MATRIX, "fp": 80}
    (finding,) = of_kind(audit_of(tmp_path, row("one", *figures()), matrices=[printed]), "misprint")
    assert [(each.printed, each.would_be) for each in finding.explanations] == [("FP 80 of the printed matrix", "8")]


def test_a_wrong_class_size_is_named(tmp_path: Path) -> None:
    done = audit_of(tmp_path, row("one", *figures()), matrices=[MATRIX], negatives=110)
    (finding,) = of_kind(done, "misprint")
    pairs = [(each.printed, each.would_be) for each in finding.explanations]
    assert ("a test set with 110 negatives", "100") in pairs


def test_several_explanations_are_listed_and_none_is_said(tmp_path: Path) -> None:
    both = [figure("accuracy", 0.8875), figure("recall", 0.8333), figure("recall", 0.7333)]
    (finding,) = of_kind(audit_of(tmp_path, row("one", *both)), "misprint")
    assert finding.statement.startswith("Each of 2 misprints alone would explain the contradictions of this row: ")
    assert {each.would_be for each in finding.explanations} == {"0.8333", "0.7333"}
    wrong = figures(accuracy=0.9875, precision=0.5)
    (none,) = of_kind(audit_of(tmp_path, row("one", *wrong)), "misprint")
    assert none.statement == "No single misprint explains the contradictions of this row."
    assert none.explanations == ()


def test_a_row_that_agrees_and_a_row_of_one_number_have_no_such_note(tmp_path: Path) -> None:
    assert not of_kind(audit_of(tmp_path, row("one", *figures()), matrices=[MATRIX]), "misprint")
    assert not of_kind(audit_of(tmp_path, row("one", figure("recall", 0.8334))), "misprint")


def test_the_matrix_of_another_row_is_no_misprint_of_one_number() -> None:
    (finding,) = of_kind(audit(load_claims("pneumonia_report", cards())), "misprint", "attempt-7")
    assert finding.explanations == ()
    assert "the printed confusion matrix" in {each.text for each in finding.rests_on}


def test_three_classes_name_a_figure_or_a_count(tmp_path: Path) -> None:
    wrong = several(
        row("one", figure("accuracy", 0.8333), figure("f1", 0.84, average="micro")), matrices=[class_matrix()]
    )
    (finding,) = of_kind(audit(claims_of(tmp_path, wrong)), "misprint")
    assert [(each.printed, each.would_be) for each in finding.explanations] == [("test micro F1 0.8400", "0.8333")]
    printed = class_matrix()
    printed["matrix"] = [[220, 10, 4], [12, 200, 30], [8, 4, 100]]
    data = several(row("one", figure("accuracy", 0.8333), figure("kappa", 0.7434)), matrices=[printed])
    (finding,) = of_kind(audit(claims_of(tmp_path, data)), "misprint")
    assert ("4 images of virus predicted as bacteria in the printed matrix", "40") in [
        (each.printed, each.would_be) for each in finding.explanations
    ]


def test_without_a_test_set_the_figures_are_named_without_values(tmp_path: Path) -> None:
    data = contents(row("one", figure("recall", 1.0), figure("precision", 0.6), figure("accuracy", 0.5)))
    del data["source"]["test"]
    (finding,) = of_kind(audit(claims_of(tmp_path, data)), "misprint")
    assert {each.would_be for each in finding.explanations} == {None}


@pytest.mark.parametrize("as_json", [False, True])
def test_python_terminal_and_json_have_it(
    tmp_path: Path, as_json: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo.cli.commands.audit import command

    monkeypatch.setenv("COLUMNS", "200")
    path = write_claims(tmp_path, contents(row("one", *figures(accuracy=0.9875))))
    command(str(path), None, False, as_json)
    text = capsys.readouterr().out
    if not as_json:
        assert "test accuracy 0.9875 would be 0.8875" in text
        return
    (finding,) = [each for each in json.loads(text)[0]["findings"] if each["kind"] == "misprint"]
    assert finding["explanations"] == [
        {
            "printed": "test accuracy 0.9875",
            "would_be": "0.8875",
            "matrices": [{"tp": 50, "fp": 8, "tn": 92, "fn": 10}],
            "matrix_count": 1,
        }
    ]
    assert "misprint" in zoo.audit(path).to_frame()["kind"].tolist()

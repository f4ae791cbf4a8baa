"""Claims about three classes or more are judged by the figures of their keys, or refused with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.evidence.comparison.verdict import Decision
from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.storage.store import Store
from reports.audit.audit import audit
from reports.claims.model import Claims, load_claims
from reports.report import build_report
from reports.results.measured import MulticlassResults, collect_multiclass_results
from reports.results.rescored import with_rule
from reports.verdicts.attribution import change_effects
from reports.verdicts.figures import ClaimVerdict, figure_verdicts
from reports.verdicts.report import TWO_CLASSES_ONLY, report_on_claims
from reports.verdicts.statements import statement_verdicts
from tests.support.claims import figure, row, several, write_claims
from tests.support.judging import of_store as of_two_classes
from tests.support.judging import two_cards
from tests.support.multiclass_stores import RADIOGRAPHS, keep_multiclass, on_test, on_val, simulated
from tests.support.records import cards

GOOD, BAD = "attempt-5", "attempt-6a"  # they publish nothing themselves
SIZES = {"NORMAL": 232, "BACTERIA": 240, "VIRUS": 128}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("runs"))
    labels = [label for label, count in enumerate(SIZES.values()) for _ in range(count)]
    few = [0] * 40 + [1] * 40 + [2] * 20
    for card, shift in ((GOOD, 3.0), (BAD, 1.0)):
        val = on_val(RADIOGRAPHS, few, simulated(few, 3, shift=shift, images=1))
        for seed in (0, 1):  # with the same scores
            test = on_test(RADIOGRAPHS, labels, simulated(labels, 3, shift=shift))
            keep_multiclass(made, card, val, test, seed=seed)
    return made


@pytest.fixture(scope="module")
def measured(store: Store) -> dict[str, MulticlassResults]:
    return collect_multiclass_results(store.runs()[0], store)


def claims_in(folder: Path, *figures: dict[str, Any], says: tuple[dict[str, Any], ...] = (), **more: Any) -> Claims:
    """A row about `GOOD` on the radiographs, and statements."""
    statements = [
        {"id": f"s{place}", "location": "p. 3", "text": "T", "assertion": one} for place, one in enumerate(says)
    ]
    figures = figures or (figure("accuracy", 0.5),)
    data = several(row("one", *figures, card=GOOD, **more), statements=statements)
    data["source"] |= {"data": RADIOGRAPHS.source, "test": {**SIZES, "location": "Section 2"}}
    return load_claims(str(write_claims(folder, data)), cards())


def verdict_on(folder: Path, measured: Any, *figures: dict[str, Any], **more: Any) -> ClaimVerdict:
    claims = claims_in(folder, *figures, **more)
    return figure_verdicts(claims, audit(claims), measured)[0]


def decision_on(folder: Path, measured: Any, says: dict[str, Any]) -> Decision:
    claims = claims_in(folder, says=(says,))
    return statement_verdicts(claims, audit(claims), measured)[0].decision


@pytest.mark.parametrize(
    ("metric", "of", "key"),
    [
        ("accuracy", {}, "accuracy"),
        ("recall", {"class": "VIRUS"}, "recall:class:VIRUS"),
        ("auc", {"class": "NORMAL"}, "auc:class:NORMAL"),
        ("f1", {"average": "macro"}, "f1:macro"),
        ("kappa", {}, "kappa"),
    ],
)
def test_a_figure_is_compared_with_the_figure_of_its_key(
    tmp_path: Path, measured: dict[str, MulticlassResults], metric: str, of: dict[str, str], key: str
) -> None:
    stored = measured[GOOD].runs[0].figures("test")[key].value
    assert stored is not None
    found = verdict_on(tmp_path, measured, figure(metric, 0.5, decimals=1, **of))
    assert found.measured is not None
    assert found.measured.value == pytest.approx(stored)
    assert found.measured.bounds is not None
    assert found.decision.verdict != "not comparable"


def test_the_interval_decides_whether_a_figure_of_a_class_is_reproduced(
    tmp_path: Path, measured: dict[str, MulticlassResults]
) -> None:
    right = sum(measured[GOOD].argmax[0][measured[GOOD].test[0].y_true == 0] == 0)
    near = figure("recall", round(right / 232, 4), **{"class": "NORMAL"})
    far = figure("recall", round((right - 100) / 232, 4), **{"class": "NORMAL"})
    assert verdict_on(tmp_path / "a", measured, near).decision.verdict in ("reproduced", "inconclusive")
    assert verdict_on(tmp_path / "b", measured, far).decision.verdict == "differs"


def test_a_figure_that_the_audit_rules_out_is_impossible(
    tmp_path: Path, measured: dict[str, MulticlassResults]
) -> None:
    found = verdict_on(tmp_path, measured, figure("recall", 0.68331, decimals=5, **{"class": "VIRUS"}))
    assert found.decision.verdict == "impossible"


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ({"NORMAL": 1, "bacteria": 2, "VIRUS": 3}, "different classes: measured NORMAL, BACTERIA and VIRUS, published"),
        ({"negatives": 10, "positives": 20}, "different classes: measured NORMAL, BACTERIA and VIRUS, published two"),
        ({"NORMAL": 100, "BACTERIA": 100, "VIRUS": 100}, "different class shares: 21% of the test images are VIRUS"),
    ],
)
def test_other_classes_or_shares_are_not_comparable(
    tmp_path: Path, measured: dict[str, MulticlassResults], test: dict[str, int], says: str
) -> None:
    found = verdict_on(tmp_path, measured, figure("accuracy", 0.5, decimals=1), test={**test, "location": "T"})
    assert found.decision.verdict == "not comparable"
    assert found.decision.reason.startswith(says)


def test_a_recall_does_not_depend_on_class_shares(tmp_path: Path, measured: dict[str, MulticlassResults]) -> None:
    test = {"NORMAL": 100, "BACTERIA": 100, "VIRUS": 100, "location": "T"}
    found = verdict_on(tmp_path, measured, figure("recall", 0.5, decimals=1, **{"class": "VIRUS"}), test=test)
    assert found.decision.verdict == "differs"


def test_runs_on_two_classes_say_nothing_about_three(tmp_path: Path) -> None:
    of_two = of_two_classes(two_cards(tmp_path))
    found = verdict_on(tmp_path / "claims", of_two, figure("recall", 0.5, decimals=1, average="macro"))
    assert found.decision.verdict == "not comparable"
    assert found.decision.reason == "different classes: measured NORMAL and PNEUMONIA, published three or more"
    says = {"at_least": {"card": GOOD, "metric": "recall", "class": "VIRUS", "value": 0.5}}
    assert "recall of VIRUS is of three classes or more" in decision_on(tmp_path / "more", of_two, says).reason


@pytest.mark.parametrize(
    ("says", "verdict", "words"),
    [
        (
            {"superior": {"a": GOOD, "b": BAD, "metric": "recall", "class": "BACTERIA"}},
            "reproduced",
            "attempt-5 better than attempt-6a in recall of BACTERIA, by highest score: ",
        ),
        (
            {"superior": {"a": BAD, "b": GOOD, "metric": "f1", "average": "macro"}},
            "differs",
            "attempt-6a better than attempt-5 in macro F1, by highest score: ",
        ),
        (
            {"superior": {"a": GOOD, "b": BAD, "metric": "log_loss"}},
            "reproduced",
            "attempt-5 better than attempt-6a in",
        ),
        (
            {"not_superior": {"a": BAD, "b": GOOD, "metric": "auc", "class": "VIRUS"}},
            "reproduced",
            "attempt-6a not better than attempt-5 in AUC of VIRUS: ",
        ),
        (
            {"equivalent": {"a": GOOD, "b": BAD, "metric": "recall", "average": "macro", "within": 0.02}},
            "differs",
            "attempt-5 and attempt-6a equivalent in macro recall, by highest score: ",
        ),
        (
            {"at_least": {"card": GOOD, "metric": "recall", "class": "VIRUS", "value": 0.5}},
            "reproduced",
            "attempt-5 recall of VIRUS at least 0.5, by highest score: ",
        ),
        (
            {"at_most": {"card": GOOD, "metric": "accuracy", "value": 0.5}},
            "differs",
            "attempt-5 accuracy at most 0.5, by highest score: ",
        ),
        (
            {"superior": {"a": GOOD, "b": BAD, "metric": "recall"}},
            "inconclusive",
            "attempt-5 better than attempt-6a in recall, by highest score: ",
        ),
        (
            {"threshold_matters": {"card": GOOD, "metric": "accuracy"}},
            "not comparable",
            "attempt-5 better in accuracy at the threshold from validation than at 0.5: cannot be judged on 3 classes: "
            "`threshold_matters` is for two classes only",
        ),
    ],
)
def test_a_statement_is_judged_by_figures_of_classes(
    tmp_path: Path, measured: dict[str, MulticlassResults], says: dict[str, Any], verdict: str, words: str
) -> None:
    found = decision_on(tmp_path, measured, says)
    assert found.verdict == verdict, found.reason
    assert found.reason.startswith(words)


def test_a_printed_matrix_belongs_to_the_row_whose_figures_it_gives(
    tmp_path: Path, measured: dict[str, MulticlassResults]
) -> None:
    says = {"id": "s", "location": "p", "text": "T", "assertion": {"matrix_of": {"matrix": "one", "card": GOOD}}}
    matrix = {
        "row": "one",
        "location": "T",
        "classes": list(SIZES),
        "matrix": [[220, 6, 6], [20, 200, 20], [8, 20, 100]],
    }
    for value, verdict in ((0.8667, "reproduced"), (0.9, "impossible")):
        data = several(row("one", figure("accuracy", value), card=GOOD), matrices=[matrix], statements=[says])
        data["source"] |= {"data": RADIOGRAPHS.source, "test": {**SIZES, "location": "Section 2"}}
        claims = load_claims(str(write_claims(tmp_path, data)), cards())
        (found,) = statement_verdicts(claims, audit(claims), measured)
        assert found.decision.verdict == verdict


def test_changes_of_cards_on_three_classes_have_effects(measured: dict[str, MulticlassResults]) -> None:
    effects = change_effects(GOOD, "accuracy", measured)
    assert {each.kind for each in effects} <= {"card", "threshold"}


def test_a_report_has_the_claims_about_its_number_of_classes(tmp_path: Path, store: Store) -> None:
    of_three = claims_in(tmp_path / "three", figure("recall", 0.5, decimals=1, **{"class": "VIRUS"}))
    of_two = load_claims("keras_xray", cards())
    runs = store.runs()[0]
    report = build_report(runs, store.history, scores=store, claims=[of_two, of_three])
    (section,) = report.sections
    assert [each.claims.title for each in section.claims] == [of_three.title]
    note = "The claims keras_xray are about two classes. These runs on 3 classes do not judge them."
    assert section.notes.count(note) == 1
    assert not any(of_three.name in text for text in section.notes)
    judged = report_on_claims(of_three, collect_multiclass_results(runs, store), "radiographs", False)
    assert section.claims[0].figures == judged.figures


def test_changes_that_are_for_two_classes_only_are_named_where_a_claim_differs(
    tmp_path: Path, measured: dict[str, MulticlassResults]
) -> None:
    far = figure("recall", 0.5, decimals=1, **{"class": "VIRUS"})
    differing = report_on_claims(claims_in(tmp_path / "far", far), measured, "radiographs", False)
    assert [each.decision.verdict for each in differing.figures] == ["differs"]
    assert differing.notes.count(TWO_CLASSES_ONLY) == 1
    none = report_on_claims(claims_in(tmp_path / "b", figure("log_loss", 9.0, decimals=1)), {}, "radiographs", False)
    assert TWO_CLASSES_ONLY not in none.notes


def test_a_statement_is_judged_by_the_decision_of_the_protocol(tmp_path: Path, store: Store) -> None:
    """Unless it asks for the class with the highest score, which the recall of VIRUS does not reach."""
    rule = DecisionRule.parse("class_at=VIRUS:sensitivity:0.99")
    decided = collect_multiclass_results([with_rule(run, store, rule) for run in store.runs()[0]], store)
    says = {"card": GOOD, "metric": "recall", "class": "VIRUS", "value": 0.97}
    highest = decision_on(tmp_path, decided, {"at_most": {**says, "at": "half"}})
    by_rule = decision_on(tmp_path, decided, {"at_most": says})
    assert "at most 0.97, by highest score: " in highest.reason
    assert "at most 0.97, by the decision of the protocol (" in by_rule.reason
    assert by_rule == decision_on(tmp_path, decided, {"at_most": {**says, "at": "chosen"}})
    pair = {"a": GOOD, "b": BAD, "metric": "recall", "class": "VIRUS"}
    better = decision_on(tmp_path, decided, {"superior": pair})
    assert "in recall of VIRUS, by the decision of the protocol (" in better.reason
    assert highest.reason.partition(": ")[2] != by_rule.reason.partition(": ")[2]


def test_a_decision_that_no_run_chose_leaves_a_statement_undecided(
    tmp_path: Path, measured: dict[str, MulticlassResults]
) -> None:
    says = {"card": GOOD, "metric": "accuracy", "value": 0.5, "at": "chosen"}
    found = decision_on(tmp_path, measured, {"at_least": says})
    assert found.verdict == "inconclusive"
    assert "a run chose no other decision than the class with the highest score" in found.reason

"""Which figures lead: those that the protocol asks for, never others in their place."""

from __future__ import annotations

import pytest

from benchmark.runs.protocol import ThresholdRule
from benchmark.runs.run import Run
from reports.report import build_report
from reports.results.comparison.leading import depends_on_decisions, leading, nothing_chosen
from tests.support.records import make_run, of_counts, on_val, planted, recorded_history


def ruled(run: Run, rule: str) -> Run:
    protocol = run.spec.protocol.model_copy(update={"threshold": ThresholdRule.parse(rule)})
    return run.model_copy(update={"spec": run.spec.model_copy(update={"protocol": protocol})})


@pytest.fixture(scope="module")
def run() -> Run:
    return make_run(test=of_counts(tp=80, fp=10, tn=90, fn=20), val=on_val(*planted(30, 30, 1.5, seed=8)))


@pytest.fixture(scope="module")
def undecided() -> Run:
    return make_run(val=on_val([0, 1] * 30, [0.4] * 60))


@pytest.mark.parametrize(
    ("rule", "words", "beside"),
    [
        ("youden", "at the threshold chosen on validation: the largest recall + specificity − 1", "at 0.5"),
        ("sensitivity=0.95", "at the threshold chosen on validation: sensitivity at least 0.95", "at 0.5"),
        ("fixed=0.3", "at the stated threshold 0.3", "at 0.5"),
        ("fixed=0.5", "at threshold 0.5", None),
    ],
)
def test_the_rule_of_the_protocol_leads_and_half_is_beside(run: Run, rule: str, words: str, beside: str | None) -> None:
    lead = leading(ruled(run, rule))
    assert (lead.words, lead.beside, lead.chosen) == (words, beside, beside is not None)


def test_decisions_lead_as_chosen_and_the_auc_is_one(run: Run) -> None:
    lead = leading(run)
    assert lead.of_run(run, "recall") == run.figures(chosen=True)["recall"]
    assert lead.beside_run(run, "recall") == run.figures()["recall"]
    assert lead.of_run(run, "auc") == run.figures()["auc"]
    assert lead.beside_run(run, "auc") is None
    assert not depends_on_decisions("loss")


def test_nothing_stands_in_for_a_threshold_that_was_not_chosen(undecided: Run) -> None:
    lead = leading(undecided)
    figure = lead.of_run(undecided, "accuracy")
    assert figure is not None
    assert figure.value is None
    assert figure.reason == nothing_chosen(undecided) == "no threshold chosen: all validation scores are the same"
    beside = lead.beside_run(undecided, "accuracy")
    assert beside is not None
    assert beside.value is not None
    assert lead.of_run(undecided, "auc") == undecided.figures()["auc"]


def test_a_card_leads_as_its_runs_do(run: Run, undecided: Run) -> None:
    section = build_report([run, undecided.model_copy()], lambda _: recorded_history()).sections[0]
    (card,) = section.cards
    assert section.leading == leading(run)
    figure = section.leading.of_card(card, "accuracy")
    assert figure is not None
    assert (figure.value, figure.reason) == (None, "a run chose nothing on validation")
    assert section.leading.card_text(card, "accuracy").startswith("– (0.")

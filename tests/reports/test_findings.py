"""Findings: every claim has one answer, and what stands out is said in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.evidence.comparison.verdict import VERDICTS
from reports.findings import ANSWERS, findings
from reports.render.markdown.findings import findings_markdown
from reports.report import Section, build_report
from tests.support.records import PHANTOM, make_run, recorded_history
from tests.support.study import report_in


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> Section:
    (found,) = report_in(tmp_path_factory.mktemp("study")).sections
    return found


def test_every_claim_has_exactly_one_answer(section: Section) -> None:
    (claims,) = section.claims
    ((title, answered),) = findings(section).claims
    assert title == "A study"
    assert [one.answer for one in answered] == list(ANSWERS)
    judged = [one for held in answered for one in (*held.statements, *held.figures)]
    assert len(judged) == len(claims.figures) + len(claims.statements)
    assert {id(one) for one in judged} == {id(one) for one in (*claims.figures, *claims.statements)}
    assert sum(findings(section).counts().values()) == len(judged)


def test_the_answer_is_that_of_the_verdict(section: Section) -> None:
    ((_, answered),) = findings(section).claims
    for held in answered:
        for one in (*held.statements, *held.figures):
            assert VERDICTS[one.decision.verdict].answer == held.answer
        assert sum(len(alike) for *_, alike in held.reasons) == len(held)


def test_known_claims_stand_where_they_belong(section: Section) -> None:
    ((_, answered),) = findings(section).claims
    about = {held.answer: [one.about for one in (*held.statements, *held.figures)] for held in answered}
    assert "fine-tuning-helps" in about["holds"]
    assert "odd" in about["does not hold"]
    assert {"both-are-alike", "freezing-helps"} <= set(about["undetermined"])  # one training contradicts nothing


def test_nothing_holds_or_fails_on_synthetic_images_but_what_is_impossible(tmp_path: Path) -> None:
    (section,) = report_in(tmp_path, dataset=PHANTOM).sections
    counts = findings(section).counts()
    assert counts["holds"] == 0
    assert counts["does not hold"] == 1
    assert "1 does not hold** (1 of them impossible as printed)" in "\n".join(findings_markdown(findings(section)))


def test_runs_failures_and_faults_are_remarked(section: Section) -> None:
    said = " ".join(findings(section).remarks)
    assert "5 runs of 4 cards; 1 failed." in said
    assert "Scratch CNN with batch normalisation [attempt-1-batchnorm] (single-class collapse: PNEUMONIA)" in said
    assert "1 impossible" in said


def test_runs_without_a_fault_are_said_to_have_none() -> None:
    (section,) = build_report([make_run()], lambda _: recorded_history()).sections
    found = findings(section)
    assert found.claims == ()
    assert found.remarks == (
        "1 run of 1 card; all finished.",
        "No fault of training or decision was found in any run.",
    )
    assert not any("claim" in line for line in findings_markdown(found))

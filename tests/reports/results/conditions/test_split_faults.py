"""A fault that all cards on a split share is said once, and a card's own stay with the card."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from benchmark.evidence import Finding
from benchmark.runs.history import NO_HISTORY
from benchmark.runs.run import Run
from reports.render.html.page import render as html
from reports.render.markdown.document import render
from reports.render.terminal.comparison import comparison_tables
from reports.render.terminal.runs import status_line
from reports.report import build_report
from reports.results.conditions.split_faults import own_faults, split_faults
from tests.support.records import make_run

SMALL = Finding("small-validation", "validation is too small to choose on", "validation holds 8 NORMAL and 8 PNEUMONIA")
GREY = Finding("intensity-shift", "test images have other grey levels", "mean grey level 140 in test, 128 in train")
OVER = Finding("overfitting", "overfits after epoch 2", "validation loss rose")


def run(card: str, seed: int, split: str, *found: Finding) -> Run:
    one = make_run(card, seed=seed)
    return one.model_copy(update={"diagnosis": found, "split": replace(one.split, fingerprint=split)})


def test_a_fault_of_one_split_is_one_sentence_for_all_cards() -> None:
    runs = [run(card, 0, "s", SMALL, OVER) for card in ("attempt-1", "attempt-6b")]
    remedy = "More validation images would make choices and calibration more certain."
    assert split_faults(runs, {}) == (f"This split: {SMALL.title} ({SMALL.evidence}). {remedy}",)
    assert own_faults(runs[0].diagnosis, runs[0].spec.card) == (OVER,)


def test_splits_of_their_own_are_told_apart() -> None:
    first, second = run("attempt-1", 0, "a", SMALL, GREY), run("attempt-1", 1, "b", replace(GREY, evidence="141"))
    small, grey = split_faults([first, second], {})
    assert small.startswith("The split of seed 0: validation is too small")
    assert grey == f"Every split: {GREY.title} ({GREY.evidence}; seed 0)."


def test_a_sentence_has_one_colon() -> None:
    folded = replace(SMALL, evidence="in all 5 folds, such as fold 1: validation has 8 NORMAL: too few")
    (sentence,) = split_faults([run("attempt-1", 0, "s", folded)], {})
    assert sentence.startswith(
        f"This split: {SMALL.title} (in all 5 folds, such as fold 1; validation has 8 NORMAL; too few). More validation"
    )


def test_every_rendering_says_it_once() -> None:
    runs = [run(card, 0, "s", SMALL, OVER) for card in ("attempt-1", "attempt-6b")]
    report = build_report(runs, lambda _: NO_HISTORY)
    text = io.StringIO()
    Console(file=text, width=200).print(comparison_tables(report))
    for shown in (text.getvalue(), render(report), html(report)):
        assert shown.count(SMALL.title) == 1
        assert shown.count(OVER.title) >= 2
    assert all(list(card.diagnosis) == [OVER.title] for card in report.sections[0].cards)
    assert [finding.code for finding in report.sections[0].runs[0].diagnosis] == ["small-validation", "overfitting"]


def test_the_line_of_a_finished_run_holds_its_own_faults_alone() -> None:
    line = status_line(run("attempt-1", 0, "s", SMALL, OVER), reused=False)
    assert OVER.title in line
    assert SMALL.title not in line

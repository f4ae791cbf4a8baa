"""A claims file against one section of runs: its verdicts, what explains failures, what verdicts leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.evidence.comparison.verdict import VERDICTS
from benchmark.evidence.diagnosis.training_record import TrainingDiagnostics
from benchmark.runs.history import NO_HISTORY
from benchmark.runs.run import DatasetFacts
from benchmark.runs.storage.store import Store
from reports.claims.model import Claims, load_claims
from reports.report import build_report
from reports.results.measured import collect_results
from reports.verdicts.report import ClaimsReport, differs, report_on_claims
from tests.support.claims import contents, figure, row, write_claims
from tests.support.records import KAGGLE, PHANTOM, cards, make_run, of_counts, on_test, on_val, planted
from tests.support.stored import keep, keep_seeds

CARD, OTHER = "attempt-5", "attempt-6a"
ELSEWHERE = KAGGLE.model_copy(update={"source": "folder", "title": "other radiographs"})
RIGHT = of_counts(tp=212, fp=20, tn=214, fn=22)


def claims_of(folder: Path, *rows: dict[str, Any], **more: Any) -> Claims:
    test = {"negatives": 234, "positives": 234, "location": "Section 2"}
    held = contents(*rows, **{"source": {"report": "A study", "data": KAGGLE.source, "test": test}, **more})
    return load_claims(str(write_claims(folder / "claims", held)), cards())


def reported(store: Store, claims: Claims, dataset: DatasetFacts = KAGGLE) -> ClaimsReport:
    return report_on_claims(claims, collect_results(store.runs()[0], store), dataset.title, dataset.synthetic)


def accuracy(value: float) -> dict[str, Any]:
    return row("one", figure("accuracy", value), card=CARD)


def statement(says: dict[str, Any]) -> dict[str, Any]:
    return {"id": "said", "location": "Conclusion", "text": "Dicho.", "assertion": says}


BETTER = statement({"superior": {"a": CARD, "b": OTHER, "metric": "auc"}})


def test_verdicts_are_counted_in_their_order_and_add_up(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep_seeds(store, CARD, RIGHT)
    rows = [row("one", figure("accuracy", 0.9103), figure("recall", 0.9, "train"), card=CARD)]
    claims = claims_of(tmp_path, *rows, row("two", figure("accuracy", 0.5), card=CARD), statements=[BETTER])
    counts = reported(store, claims).counts()
    assert counts == {"reproduced": 1, "differs": 1, "not comparable": 1, "not run": 1}
    assert list(counts) == [verdict for verdict in VERDICTS if verdict in counts]


@pytest.mark.parametrize(("printed", "found"), [(0.9103, False), (0.8697, False), (0.5, True), (0.9113, True)])
def test_a_report_differs_when_a_claim_differs_or_is_impossible(tmp_path: Path, printed: float, found: bool) -> None:
    store = Store(tmp_path / "runs")
    keep_seeds(store, CARD, RIGHT)
    assert differs([reported(store, claims_of(tmp_path, accuracy(printed)))]) is found


def test_nothing_differs_in_no_report_and_one_of_several_is_enough(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep_seeds(store, CARD, RIGHT)
    same, other = (reported(store, claims_of(tmp_path / str(v), accuracy(v))) for v in (0.9103, 0.5))
    assert not differs([])
    assert differs([same, other])


def test_claims_are_judged_where_no_run_finished(tmp_path: Path) -> None:
    """Impossible by the audit and not run are verdicts too."""
    rows = [accuracy(0.9113), row("two", figure("accuracy", 0.5), card=OTHER)]
    store = Store(tmp_path / "runs")
    report = build_report(
        [make_run(CARD, error="no memory")], store.history, scores=store, claims=[claims_of(tmp_path, *rows)]
    )
    assert report.sections[0].claims[0].counts() == {"impossible": 1, "not run": 1}


def test_without_scores_no_claim_is_judged(tmp_path: Path) -> None:
    section = build_report(
        [make_run(CARD)], lambda _: NO_HISTORY, claims=[claims_of(tmp_path, accuracy(0.5))]
    ).sections[0]
    assert (section.claims, section.ranking, section.probabilities) == ((), None, ())


def test_a_card_that_differs_has_the_effects_of_its_changes(tmp_path: Path) -> None:
    """Scores at a tenth of their size: the threshold alone gives the accuracy back."""
    store = Store(tmp_path / "runs")
    val, test = on_val(*planted(60, 60, 3.0, seed=1)), on_test(*planted(234, 234, 3.0, seed=2))
    small = on_test(test.y_true.tolist(), (0.1 * test.y_score).tolist())
    keep(store, CARD, small, on_val(val.y_true.tolist(), (0.1 * val.y_score).tolist()))
    keep(store, OTHER, test, val)
    report = reported(store, claims_of(tmp_path, accuracy(0.9103)))
    assert set(report.changes) == {CARD}
    kinds = {each.kind: each.effect.value for each in report.changes[CARD]}
    assert kinds["threshold"] is not None
    assert kinds["threshold"] > 0.3


def test_a_card_that_is_as_published_is_not_explained(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, CARD, RIGHT)
    assert reported(store, claims_of(tmp_path, accuracy(0.9103))).changes == {}


@pytest.mark.parametrize(("better", "explained"), [((CARD, OTHER), set()), ((OTHER, CARD), {OTHER})])
def test_a_card_of_which_a_statement_says_something_that_differs_is_explained(
    tmp_path: Path, better: tuple[str, str], explained: set[str]
) -> None:
    store = Store(tmp_path / "runs")
    keep(store, CARD, on_test(*planted(234, 234, 3.0, seed=2)))
    keep(store, OTHER, on_test(*planted(234, 234, 1.0, seed=3)))
    says = {"superior": {"a": better[0], "b": better[1], "metric": "auc"}}
    report = reported(store, claims_of(tmp_path, accuracy(0.9338), statements=[statement(says)]))
    decision = report.statements[0].decision
    assert (decision.verdict, decision.one_training) == (("inconclusive", True) if explained else ("reproduced", False))
    assert set(report.changes) - {CARD} == explained


def test_a_fault_in_every_seed_is_explained_and_one_in_a_single_seed_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    labels = [0] * 100 + [1] * 100
    for seed in (0, 1):
        keep(store, "attempt-1", on_test(labels, [0.9] * 200), on_val([0, 1] * 60, [0.9] * 120), seed=seed)
    keep(store, OTHER, on_test(labels, [0.9] * 200), on_val([0, 1] * 60, [0.9] * 120), seed=0)
    keep(store, OTHER, on_test(*planted(100, 100)), seed=1)
    assert set(reported(store, claims_of(tmp_path, accuracy(0.5))).changes) == {"attempt-1"}


def test_a_verdict_on_one_seed_says_that_seeds_are_not_counted(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, CARD, RIGHT)
    (note,) = reported(store, claims_of(tmp_path, accuracy(0.9103))).notes
    assert "for every card" in note
    assert "between seeds" in note


def test_the_cards_with_one_seed_are_named_beside_those_with_several(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, CARD, RIGHT)
    for seed in (0, 1):
        keep(store, OTHER, RIGHT, seed=seed)
    claims = claims_of(tmp_path, accuracy(0.9103), statements=[BETTER])
    (note,) = reported(store, claims).notes
    assert f"One seed was run for {CARD}" in note
    keep(store, CARD, RIGHT, seed=1)
    assert reported(store, claims).notes == ()


@pytest.mark.parametrize(("related", "said"), [({}, True), ({"identical": ("test/1",)}, False), (None, False)])
def test_that_nothing_leaks_is_said_where_every_run_looked(
    tmp_path: Path, related: dict[str, tuple[str, ...]] | None, said: bool
) -> None:
    store = Store(tmp_path / "runs")
    keep(store, CARD, checks=TrainingDiagnostics(related=related))
    notes = reported(store, claims_of(tmp_path, accuracy(0.9))).notes
    assert any("leakage explains no difference" in note for note in notes) == said


def test_seeds_that_saw_other_test_images_are_named(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for seed, images in ((0, "test"), (1, "elsewhere"), (2, "elsewhere")):
        keep(store, CARD, RIGHT, seed=seed, images=images)
    notes = reported(store, claims_of(tmp_path, accuracy(0.9103))).notes
    assert any(f"{CARD}, seeds 1, 2" in note for note in notes)


def test_synthetic_images_need_no_note_since_nothing_rests_on_them(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for card in (CARD, OTHER):
        keep(store, card, RIGHT, dataset=PHANTOM)
    assert reported(store, claims_of(tmp_path, accuracy(0.9103), statements=[BETTER]), PHANTOM).notes == ()


def test_runs_that_only_keep_their_models_or_not_are_compared(tmp_path: Path) -> None:
    run = make_run(CARD)
    kept = run.spec.protocol.model_copy(update={"keep_models": True})
    other = make_run(OTHER, protocol=kept)
    assert len(build_report([run, other], lambda _: NO_HISTORY).sections) == 1

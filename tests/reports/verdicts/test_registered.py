"""Which claims are older than the scores, and what an edit since changes in the verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.runs.run import now
from benchmark.runs.storage.beside.chain import read_chain
from benchmark.runs.storage.store import Store
from reports.claims.model import Claims
from reports.claims.registered import RULES
from reports.results.measured import collect_results
from reports.verdicts.registered import ClaimsOrder, names_of, order_of, order_text, verdict_changes
from tests.support.registered import CARD, OTHER, claims_in, entry, registered_store, spec_of
from tests.support.stored import keep
from zoo.api.registration.registrations import record_outcome

ROWS = (f"row {CARD}", f"row {OTHER}")
SAID = "statement said-0"


def order(store: Store, claims: Claims) -> ClaimsOrder:
    return order_of(claims, store.runs()[0], read_chain(store))


def test_claims_as_they_were_registered_came_before(tmp_path: Path) -> None:
    claims = claims_in(tmp_path)
    store = registered_store(tmp_path, claims)
    same = order(store, claims)
    assert (same.before, same.after, same.removed, same.is_same) == ((RULES, *ROWS, SAID), (), (), True)
    assert order_text(same) == "Registered before the scores: 3 claims of study, and the margins."
    assert verdict_changes(same, claims, collect_results(store.runs()[0], store)) == ()


def test_an_edited_claim_came_after_and_its_verdict_is_compared(tmp_path: Path) -> None:
    store = registered_store(tmp_path, claims_in(tmp_path, auc=0.91), seeds=(0, 1))
    edited = claims_in(tmp_path, auc=0.5)
    changed = order(store, edited)
    assert (changed.after, changed.removed) == ((ROWS[0],), ())
    assert order_text(changed) == f"Of 3 claims of study, 2 were registered before the scores; {ROWS[0]} came after."
    changes = verdict_changes(changed, edited, collect_results(store.runs()[0], store))
    assert [(each.claim, each.registered, each.present) for each in changes or ()] == [
        (f"{ROWS[0]}: test auc", "reproduced", "differs")
    ]


def test_another_margin_concerns_every_verdict(tmp_path: Path) -> None:
    store = registered_store(tmp_path, claims_in(tmp_path), seeds=(0, 1))
    wide = claims_in(tmp_path, margin=0.3)
    changed = order(store, wide)
    assert changed.after == (RULES,)
    assert "margins, conditions or data of the file were changed after" in order_text(changed)
    changes = verdict_changes(changed, wide, collect_results(store.runs()[0], store)) or ()
    assert [(each.claim, each.present) for each in changes] == [(f"{ROWS[1]}: test auc", "reproduced")]


def test_a_removed_claim_and_one_that_was_never_registered_are_named(tmp_path: Path) -> None:
    claims = claims_in(tmp_path)
    store = registered_store(tmp_path, claims)
    fewer = claims.model_copy(update={"statements": ()})
    assert order(store, fewer).removed == (SAID,)
    assert f"{SAID} was removed" in order_text(order(store, fewer))
    unknown = claims.model_copy(update={"name": "other"})
    assert (order(store, unknown).registered, order(store, unknown).before) == (None, ())
    assert "were not registered before the scores" in order_text(order(store, unknown))
    assert verdict_changes(order(store, unknown), unknown, {}) is None


def test_a_registration_after_the_scores_does_not_count_even_if_the_run_is_computed_again(tmp_path: Path) -> None:
    store = registered_store(tmp_path, claims_in(tmp_path))
    edited = claims_in(tmp_path, auc=0.7)
    link = entry(store, [spec_of()], [edited])
    assert order(store, edited).after == (ROWS[0],)
    keep(store, CARD, registration=link.digest, finished=now())  # its scores are those that were known
    record_outcome(store, [spec_of().run_id])
    assert order(store, edited).after == (ROWS[0],)


def test_claims_of_runs_that_are_still_to_be_scored_came_before(tmp_path: Path) -> None:
    store, claims = Store(tmp_path / "runs"), claims_in(tmp_path)
    entry(store, [spec_of()], [claims_in(tmp_path, auc=0.7)])
    entry(store, [spec_of()], [claims])
    assert order(store, claims).is_same


@pytest.mark.parametrize(("count", "text"), [(2, "a0 and a1"), (10, "a0, a1, a2, a3, a4, a5, a6, a7 and 2 more")])
def test_many_names_are_cut(count: int, text: str) -> None:
    assert names_of([f"a{number}" for number in range(count)]) == text

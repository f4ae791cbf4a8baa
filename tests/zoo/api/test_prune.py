"""`zoo.prune`: lists first, removes on request, and removes no result."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import zoo
from benchmark.runs.registration import Outcome
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.chain import append, record_digest
from benchmark.runs.storage.store import MODEL, Store
from tests.support.records import KAGGLE, make_card, make_spec
from tests.support.registered import entry
from tests.support.stored import keep
from tests.support.tiny import split_facts
from zoo.config.leftovers import STALE_S


def failed(store: Store, name: str, *, seed: int = 0, finished: str = "2020-01-01T00:00:00+00:00") -> Run:
    """A failed run of an earlier recipe of a card."""
    card = make_card(name)
    card = card.model_copy(update={"recipe": card.recipe.model_copy(update={"epochs": 99})})
    run = Run.failed(make_spec(card, seed=seed, dataset=KAGGLE), "no memory", split_facts())
    run = run.model_copy(update={"finished": finished})
    store.save(run)
    return run


def write_model(path: Path) -> None:
    path.write_bytes(bytes(2**20))


def test_superseded_failures_and_leftovers_go_and_results_stay(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    run = keep(store, "attempt-1")
    gone, other_seed = failed(store, "attempt-1"), failed(store, "attempt-1", seed=7)
    later = failed(store, "attempt-2", finished="2099-01-01T00:00:00+00:00")
    keep(store, "attempt-2")
    old = store.root / ".writing-old"
    old.mkdir()
    (old / "half").write_bytes(bytes(2**20))
    past = time.time() - STALE_S - 60
    for path in (old / "half", old):
        os.utime(path, (past, past))
    (store.root / ".writing-young").mkdir()
    before = store.runs()[0]
    results = zoo.prune(store)
    assert [(each.kind, each.path.name) for each in results.entries] == [
        ("failed run", gone.run_id),
        ("leftover", old.name),
    ]
    assert run.run_id in results.entries[0].about
    assert 1 <= results.mib < 1.1
    assert store.runs()[0] == before
    assert zoo.prune(store, apply=True).removed
    assert store.runs()[0] == [each for each in before if each.run_id != gone.run_id]
    assert {other_seed.run_id, later.run_id} <= {each.run_id for each in store.runs()[0]}
    assert not old.exists()
    assert (store.root / ".writing-young").exists()
    assert zoo.prune(store).entries == ()


def test_a_failed_run_that_a_registration_recorded_stays(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, "attempt-1")
    run = failed(store, "attempt-1")
    entry(store, [run.spec])
    append(store, lambda _: Outcome(program="1", records={run.run_id: str(record_digest(store, run.run_id))}))
    assert zoo.prune(store, apply=True).entries == ()
    assert store.get(run.run_id) is not None


@pytest.mark.parametrize("models", [False, True])
def test_stored_models_go_only_on_request_and_figures_stay(models: bool, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    run = keep(store, "attempt-1")
    parts = [(store.scores(run, split), store.images(run, split)) for split in ("val", "test")]
    store.save(run, parts, store.history(run), write_model)
    results = zoo.prune(store, models=models, apply=True)
    assert [each.path.name for each in results.models] == [MODEL]
    assert results.models_mib == 1
    assert store.has_model(run) is not models
    assert [each.at_half for each in store.runs()[0]] == [run.at_half]
    assert store.runs()[1] == []

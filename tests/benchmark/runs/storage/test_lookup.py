"""A run by its name: id, card, seed or the beginning of an id; everything else in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.runs.run import Run
from benchmark.runs.storage.beside.remembered import remember_bench
from benchmark.runs.storage.lookup import Conditions, resolve_run
from benchmark.runs.storage.store import Store
from tests.support.records import KAGGLE, PHANTOM, make_run
from zoo.config.errors import ConfigError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    kept = Store(tmp_path / "runs")
    for card, seed in (("attempt-1", 0), ("attempt-1", 1), ("attempt-2", 0)):
        kept.save(make_run(card, seed=seed))
    kept.save(make_run("attempt-2", seed=1, error="boom"))
    return kept


def held(store: Store, card: str, seed: int) -> Run:
    return next(run for run in store.runs()[0] if (run.spec.card.name, run.spec.seed) == (card, seed))


def test_id_prefix_card_and_seed_name_a_run(store: Store) -> None:
    run = held(store, "attempt-1", 1)
    for name in (run.run_id, run.run_id[:8], "attempt-1:1"):
        assert resolve_run(store, name) == run
    assert resolve_run(store, "attempt-2") == held(store, "attempt-2", 0)  # its other run failed


def test_a_failed_run_is_found_when_it_is_the_only_one(store: Store) -> None:
    assert resolve_run(store, "attempt-2:1").status == "failed"


def test_a_card_of_several_runs_lists_them(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"'attempt-1' names 2 runs: .*attempt-1:0.*attempt-1:1.*give one by its id"):
        resolve_run(store, "attempt-1")


def test_an_ambiguous_beginning_lists_what_it_may_mean(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "run_id", property(lambda run: f"ab{run.spec.seed}"))
    runs = [make_run("attempt-1", seed=0), make_run("attempt-1", seed=1)]
    monkeypatch.setattr(store, "survey", lambda: (runs, []))
    with pytest.raises(ConfigError, match=r"'ab' names 2 runs: ab0 .*, ab1 .*give one by its id"):
        resolve_run(store, "ab")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("attempt-12", "attempt-1"),
        ("attempt-1:7", "attempt-1:[01]"),
        ("zzz", "attempt-1, attempt-2"),
        ("", "attempt-1"),
    ],
)
def test_an_unknown_name_answers_with_the_nearest(store: Store, name: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"Unknown run '{name}'.*{near}"):
        resolve_run(store, name)


@pytest.mark.parametrize("name", ["attempt-7", "attempt-7:0"])
def test_a_known_card_without_a_run_answers_with_the_command_that_makes_one(store: Store, name: str) -> None:
    with pytest.raises(ConfigError, match=r"no run of attempt-7; `zoo bench attempt-7 --store .*` creates one"):
        resolve_run(store, name)


def test_an_empty_store_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="contains no runs; `zoo bench --all"):
        resolve_run(Store(tmp_path), "attempt-1")


def two_data_sets(tmp_path: Path) -> Store:
    """A store with a card on the phantom and, later, on other images."""
    both = Store(tmp_path / "both")
    both.save(make_run("attempt-7", dataset=PHANTOM))
    both.save(make_run("attempt-7", dataset=KAGGLE, finished="2026-03-01T00:00:00+00:00"))
    return both


def test_a_card_of_two_data_sets_means_the_latest_bench_and_the_others_are_named(tmp_path: Path) -> None:
    both, notes = two_data_sets(tmp_path), list[str]()
    on_phantom, on_images = (next(r for r in both.runs()[0] if r.spec.dataset == facts) for facts in (PHANTOM, KAGGLE))
    assert resolve_run(both, "attempt-7", note=notes.append) == on_images  # it finished last
    remember_bench(both, [on_phantom.run_id], PHANTOM)
    assert resolve_run(both, "attempt-7:0", note=notes.append) == on_phantom
    assert "of the run that finished last" in notes[0]
    assert "of the latest bench" in notes[1]
    assert f"choose another: {KAGGLE.source} under quick" in notes[1]
    for name in (on_images.run_id, on_images.run_id[:8]):
        assert resolve_run(both, name, note=notes.append) == on_images
    assert len(notes) == 2


def test_data_and_protocol_choose_among_the_runs_of_a_card(tmp_path: Path) -> None:
    both = two_data_sets(tmp_path)
    both.save(make_run("attempt-7", dataset=KAGGLE, protocol="full"))
    run = resolve_run(both, "attempt-7", among=Conditions(data=KAGGLE.source, protocol="full"))
    assert (run.spec.dataset, run.spec.protocol.name) == (KAGGLE, "full")
    assert resolve_run(both, "attempt-7", among=Conditions(data=PHANTOM.source)).spec.dataset == PHANTOM
    with pytest.raises(ConfigError, match=r"--data digits --protocol quick: .* has runs on .*kaggle:.* under full"):
        resolve_run(both, "attempt-7", among=Conditions("digits", "quick"))


def test_a_run_that_failed_in_the_latest_bench_is_not_replaced_by_one_on_other_data(tmp_path: Path) -> None:
    both = two_data_sets(tmp_path)
    failed = make_run("attempt-7", dataset=KAGGLE, protocol="full", error="boom", finished="2026-04-01T00:00:00+00:00")
    both.save(failed)
    assert resolve_run(both, "attempt-7").status == "failed"


def test_a_trial_of_a_search_is_named_as_one(store: Store) -> None:
    spec = make_run("attempt-6b").spec.model_copy(update={"stage": "search"})
    trial = make_run("attempt-6b", spec=spec)
    store.save(trial)
    for name in ("attempt-6b", "attempt-6b:0"):
        with pytest.raises(ConfigError, match=f"{name} is a trial of a search.*`zoo show {trial.run_id}`"):
            resolve_run(store, name)
    assert resolve_run(store, trial.run_id).spec.stage == "search"

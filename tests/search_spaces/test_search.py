"""Searches: the oracle proposes, the store remembers, a killed search ends with the trials it would have had."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.data.dataset import Dataset
from benchmark.data.sources.npz import open_npz
from benchmark.data.splits import make_fold, make_split
from benchmark.runs.execution.execute import execute_all
from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.store import Store
from benchmark.runs.trial import SearchResult, Trial, rank_under_reseeding
from search_spaces import search as searching
from search_spaces.search import search
from search_spaces.space import SearchSpace
from tests.support.forked import run_forked
from tests.support.tiny import card, environment, finished, protocol, spec, start_zoo, write_npz, write_protocol
from zoo.config.errors import ConfigError

RATE, UNITS = "recipe.optimizer.learning_rate", "model.dense_units"
TUNERS = ["random", "bayesian", "hyperband", "grid", "optuna"]


class Killed(BaseException):
    """What a test throws where a process would be killed."""


def space(**changes: Any) -> SearchSpace:
    fields = {
        "name": "mine",
        "title": "Mine",
        "budget": {"trials": 8, "epochs": 4},
        "reseed": {"top": 0, "seeds": 0},
        "parameters": {
            RATE: {"kind": "float", "low": 1e-4, "high": 1e-1, "scale": "log"},
            UNITS: {"kind": "choice", "values": [4, 8, 16, 32]},
        },
    }
    return SearchSpace.model_validate(fields | changes)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return open_npz(write_npz(tmp_path_factory.mktemp("data") / "two.npz"))


Executor = Callable[..., list[Run]]


def executor(killed_after: int | None = None, fails: Callable[[RunSpec], bool] = lambda _: False) -> Executor:
    """Runs that cost nothing: the objective follows from the card and the seed, and the store keeps them."""
    computed = 0

    def execute(specs: Sequence[RunSpec], dataset: Dataset, store: Store, **_: Any) -> list[Run]:
        nonlocal computed
        runs = []
        for wanted in specs:
            held = store.get(wanted.run_id)
            if held is None or held.status == "failed":
                if computed == killed_after:
                    raise Killed
                computed += 1
                rate = wanted.card.recipe.optimizer.learning_rate
                units = wanted.card.model.params["dense_units"]
                auc = 0.6 + 10 * rate * (0.05 - rate) + units / 400 + (wanted.seed * 37 % 11) / 500
                held = finished(wanted, auc=auc)
                if fails(wanted):
                    held = Run.failed(wanted, "it broke", held.split)
                store.save(held)
            runs.append(held)
        return runs

    return execute


def told(result: SearchResult) -> list[Any]:
    return [(trial.number, trial.values, trial.epochs, result.value(trial)) for trial in result.trials]


@pytest.mark.parametrize("tuner", TUNERS)
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_search_killed_twice_ends_with_the_trials_of_one_left_alone(
    tuner: str, jobs: int, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = space(tuner=tuner)
    monkeypatch.setattr(searching, "execute_all", executor())
    alone = search(card(), asked, protocol(), dataset, Store(tmp_path / "alone"), jobs=jobs)
    for killed_after in (2, 5):
        monkeypatch.setattr(searching, "execute_all", executor(killed_after))
        with pytest.raises(Killed):
            search(card(), asked, protocol(), dataset, Store(tmp_path / "killed"), jobs=jobs)
    monkeypatch.setattr(searching, "execute_all", executor())
    again = search(card(), asked, protocol(), dataset, Store(tmp_path / "killed"), jobs=jobs)
    assert told(again) == told(alone)
    assert len(alone.trials) == 8


def test_a_search_leaves_nothing_unfinished_in_its_store(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "execute_all", executor())
    store = Store(tmp_path / "runs")
    search(card(), space(tuner="random"), protocol(), dataset, store)
    assert not list(store.root.glob(".writing-*"))


@pytest.mark.parametrize("tuner", TUNERS)
def test_failed_trials_are_rows_and_the_search_goes_on(
    tuner: str, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        searching, "execute_all", executor(fails=lambda wanted: wanted.card.model.params["dense_units"] < 32)
    )
    result = search(card(), space(tuner=tuner), protocol(), dataset, Store(tmp_path))
    failed = [trial for trial in result.trials if trial.problem]
    assert len(result.trials) == 8 or tuner == "hyperband"
    assert len(failed) >= 3
    assert all(trial.problem == "it broke" and result.value(trial) is None for trial in failed)
    assert not [trial for trial in result.ranked() if trial in failed]


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband", "optuna"])
def test_seed_0_is_a_seed(tuner: str, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "execute_all", executor())
    results = [
        told(search(card(), space(tuner=tuner, seed=seed), protocol(), dataset, Store(tmp_path / str(number))))
        for number, seed in enumerate((0, 0, 1))
    ]
    assert results[0] == results[1] != results[2]


def test_executions_and_folds_are_all_runs_and_averaged(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "execute_all", executor())
    result = search(card(), space(executions=2, folds=3), protocol(), dataset, Store(tmp_path))
    trial = result.trials[0]
    assert [(run.spec.seed, run.spec.fold) for run in trial.runs] == [(s, (3, f)) for s in (0, 1) for f in (0, 1, 2)]
    values = [run.figures("val")["auc"].value or 0.0 for run in trial.runs]
    assert result.value(trial) == pytest.approx(sum(values) / 6)
    assert len(Store(tmp_path).runs("search")[0]) == 8 * 6


def test_a_parameter_under_a_condition_is_left_out_where_it_does_not_count(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "execute_all", executor())
    parameters = {
        "model.pooling": {"kind": "choice", "values": ["max", "average"]},
        "model.dropout": {"kind": "float", "low": 0.1, "high": 0.5, "when": {"model.pooling": ["average"]}},
    }
    result = search(card(), space(parameters=parameters), protocol(), dataset, Store(tmp_path))
    assert {("model.dropout" in trial.values, trial.values["model.pooling"]) for trial in result.trials} == {
        (True, "average"),
        (False, "max"),
    }


def test_the_best_are_run_again_with_seeds_that_did_not_choose_them(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "execute_all", executor())
    result = search(card(), space(reseed={"top": 2, "seeds": 3}), protocol(), dataset, Store(tmp_path))
    again = [trial for trial in result.trials if trial.reseeded]
    assert {trial.number for trial in again} == {trial.number for trial in result.ranked()[:2]}
    assert {run.spec.seed for trial in again for run in trial.reseeded}.isdisjoint({0})
    assert sorted(rank for _, rank in rank_under_reseeding(result).values()) == [1, 2]


def test_the_lower_objective_wins_where_lower_is_better() -> None:
    trials = tuple(Trial(n, {}, card(), (finished(spec(n), auc=auc),)) for n, auc in enumerate((0.7, 0.9)))
    result = SearchResult(card(), "s", "random", "auc", "lower", (), trials)
    assert [trial.number for trial in result.ranked()] == [0, 1]


def test_a_space_that_does_not_fit_the_card_stops_before_the_first_run(dataset: Dataset, tmp_path: Path) -> None:
    odd = space(parameters={"model.dense_unit": {"kind": "choice", "values": [4]}})
    with pytest.raises(ConfigError, match=r"Did you mean model\.dense_units"):
        search(card(), odd, protocol(), dataset, Store(tmp_path))


def test_values_that_make_no_card_are_a_failed_trial(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "execute_all", executor())
    parameters = {"model.dropout": {"kind": "choice", "values": [0.5, 2.0]}}
    result = search(card(), space(parameters=parameters), protocol(), dataset, Store(tmp_path))
    problems = {trial.values["model.dropout"]: trial.problem for trial in result.trials}
    assert problems[0.5] is None
    assert "less than 1" in (problems[2.0] or "")


def test_folds_hold_every_image_once_and_keep_patients_together(dataset: Dataset) -> None:
    split = make_split(dataset, protocol().sampling, 0)
    folds = [make_fold(split, 4, index, 0) for index in range(4)]
    held = [image.name for fold in folds for image in fold.val]
    assert sorted(held) == sorted(image.name for image in (*split.train, *split.val))
    for fold in folds:
        assert fold.test == split.test
        assert not {image.patient for image in fold.train} & {image.patient for image in fold.val}


@pytest.mark.slow
def test_a_search_never_scores_the_test_split(dataset: Dataset, tmp_path: Path) -> None:
    asked = space(budget={"trials": 1, "epochs": 1})
    result = search(card(), asked, protocol(keep_models=False), dataset, Store(tmp_path))
    [run] = result.trials[0].runs
    assert run.status == "ok", run.error
    assert run.figures("val")["auc"].value is not None
    assert run.figures("test") == {}
    with pytest.raises(ValueError, match="at least 1"):
        Store(tmp_path).scores(run, "test")


@pytest.mark.slow
def test_the_winner_is_trained_again_and_to_the_same_figures(dataset: Dataset, tmp_path: Path) -> None:
    store, rules = Store(tmp_path / "store"), protocol()
    result = search(card(), space(budget={"trials": 2, "epochs": 2}), rules, dataset, store)
    [searched] = result.ranked()[0].runs
    bench = RunSpec(card=searched.spec.card, protocol=rules, dataset=searched.spec.dataset, seed=0)
    [benched] = execute_all([bench], dataset, store)
    assert benched.status == "ok"
    assert np.array_equal(store.scores(benched, "val").y_score, store.scores(searched, "val").y_score)
    assert store.history(benched).column("loss") == store.history(searched).column("loss")


@pytest.mark.slow
def test_kill_9_of_the_command_twice_ends_with_the_same_trials(tmp_path: Path) -> None:
    write_npz(tmp_path / "two.npz")
    rules = write_protocol(tmp_path / "smallest.yaml")
    (tmp_path / "rates.yaml").write_text(
        "title: Rates\nobjective: auc\ntuner: random\nbudget: {trials: 4}\nreseed: {top: 1, seeds: 1}\nparameters:\n"
        "  recipe.optimizer.learning_rate: {kind: float, low: 1.0e-5, high: 1.0e-2, scale: log}\n"
        "  model.pooling: {kind: choice, values: [max, average]}\n",
        encoding="utf-8",
    )
    asked = ["search", "attempt-1", "--data", "two.npz", "--protocol", rules.name, "--space", "rates.yaml"]

    def arguments(name: str) -> list[str]:
        return [*asked, "--store", f"store-{name}", "--out", f"out-{name}"]

    for runs in (1, 2):
        process = start_zoo(*arguments("killed"), cwd=tmp_path, cache=tmp_path / "cache")
        ends = time.monotonic() + 240
        while len(list(tmp_path.glob("store-killed/*/run.json"))) < runs and time.monotonic() < ends:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    finished_before = len(list(tmp_path.glob("store-killed/*/run.json")))
    assert finished_before >= 2
    tables = {}
    for name in ("killed", "alone"):
        done = run_forked(arguments(name), tmp_path, environment(tmp_path / "cache"))
        assert done.returncode == 0, done.stderr
        rows = json.loads((tmp_path / f"out-{name}" / "trials.json").read_text(encoding="utf-8"))
        tables[name] = [{key: row[key] for key in row if key != "seconds"} for row in rows]
        assert (tmp_path / f"out-{name}" / "attempt-1-tuned.yaml").is_file()
    assert tables["killed"] == tables["alone"]

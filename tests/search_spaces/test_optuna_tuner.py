"""The tuner `optuna` against Optuna itself, and what it proposes of each kind of parameter."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from search_spaces.optuna_tuner import make_optuna_tuner
from search_spaces.space import SearchSpace
from zoo.config.errors import ConfigError

RATE, POOLING, DROPOUT = "recipe.optimizer.learning_rate", "model.pooling", "model.dropout"


def space(parameters: dict[str, Any] | None = None, **changes: Any) -> SearchSpace:
    fields = {"name": "mine", "title": "Mine", "tuner": "optuna", "budget": {"trials": 12, "epochs": 4}}
    rate = {RATE: {"kind": "float", "low": 1e-4, "high": 1e-1, "scale": "log"}}
    return SearchSpace.model_validate(fields | {"parameters": parameters or rate} | changes)


def tried(of: SearchSpace, jobs: int = 1, count: int = 12) -> list[dict[str, Any]]:
    """The values of rounds of `jobs` trials, whose objective is highest for a rate of 0.01; every fifth trial fails."""
    tuner, trials = make_optuna_tuner(of), []
    for _ in range(0, count, jobs):
        proposals = tuner.propose(jobs)
        for proposal in proposals:
            trials.append(proposal.values)
            tuner.report(proposal, None if len(trials) % 5 == 0 else 1 - abs(proposal.values[RATE] - 0.01))
    return trials


def test_the_trials_are_those_of_tpe_with_the_seed_of_the_space() -> None:
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=3, n_startup_trials=5, constant_liar=True)
    )
    expected = []
    for number in range(1, 13):
        trial = study.ask()
        rate = trial.suggest_float("any", 1e-4, 1e-1, log=True)
        expected.append({RATE: rate})
        if number % 5:
            study.tell(trial, 1 - abs(rate - 0.01))
        else:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
    assert tried(space(seed=3)) == expected
    assert tried(space(seed=4)) != expected


def test_a_round_of_several_trials_repeats_and_differs_from_single_ones() -> None:
    assert tried(space(), jobs=3) == tried(space(), jobs=3)
    assert tried(space(), jobs=3) != tried(space())
    assert len({trial[RATE] for trial in tried(space(), jobs=3)}) == 12


def test_each_kind_of_parameter_has_its_values() -> None:
    parameters = {
        POOLING: {"kind": "choice", "values": ["max", "average"]},
        DROPOUT: {"kind": "float", "low": 0.1, "high": 0.5, "step": 0.1, "when": {POOLING: ["average"]}},
        "model.filters": {"kind": "choice", "values": [[8, 16], [4]], "when": {POOLING: ["average"]}},
        "model.dense_units": {"kind": "int", "low": 8, "high": 64, "step": 2, "scale": "log"},
        "recipe.batch_size": {"kind": "int", "low": 4, "high": 16, "step": 4},
        "recipe.epochs": {"kind": "int", "low": 1, "high": 1000, "scale": "log"},
        "recipe.augmentation.horizontal_flip": {"kind": "boolean"},
    }
    trials = [proposal.values for proposal in make_optuna_tuner(space(parameters)).propose(60)]
    assert {trial[POOLING] for trial in trials} == {"max", "average"}
    for trial in trials:
        assert (DROPOUT in trial) == ("model.filters" in trial) == (trial[POOLING] == "average")
    assert {round(trial[DROPOUT], 6) for trial in trials if DROPOUT in trial} == {0.1, 0.2, 0.3, 0.4, 0.5}
    assert {str(trial["model.filters"]) for trial in trials if DROPOUT in trial} == {"[8, 16]", "[4]"}
    assert {trial["model.dense_units"] for trial in trials} == {8, 16, 32, 64}
    assert {trial["recipe.batch_size"] for trial in trials} == {4, 8, 12, 16}
    assert all(isinstance(trial["recipe.epochs"], int) and 1 <= trial["recipe.epochs"] <= 1000 for trial in trials)
    assert {trial["recipe.augmentation.horizontal_flip"] for trial in trials} == {False, True}


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'zoo-bench\[optuna\]'"):
        make_optuna_tuner(space())

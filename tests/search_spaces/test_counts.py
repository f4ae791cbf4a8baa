"""The values that a space counts are those that KerasTuner has."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.oracle import _values, hyperparameters, make_oracle
from search_spaces.space import SearchSpace

QUICK = settings(deadline=None, max_examples=200)
PATH = "recipe.batch_size"
SCALES = st.sampled_from(["linear", "log"])


def space(parameter: dict[str, Any], **changes: Any) -> SearchSpace:
    return SearchSpace.model_validate({"name": "mine", "title": "Mine", "parameters": {PATH: parameter}, **changes})


def of_tuner(asked: SearchSpace) -> Any:
    """KerasTuner's own parameter."""
    (found,) = hyperparameters(asked).space
    return found


@QUICK
@given(low=st.integers(1, 2000), more=st.integers(1, 100_000), step=st.integers(2, 500), scale=SCALES)
def test_the_options_of_an_int_with_steps_are_those_of_keras_tuner(low: int, more: int, step: int, scale: str) -> None:
    asked = space({"kind": "int", "low": low, "high": low + more, "step": step, "scale": scale})
    options = list(asked.parameters[PATH].options())
    theirs = of_tuner(asked)
    assert options == [int(value) for value in theirs.values]
    drawn = {theirs.prob_to_value((place + 0.5) / len(options)) for place in range(len(options))}
    assert drawn == set(options)
    assert asked.parameters[PATH].count() == len(options)


@QUICK
@given(low=st.integers(1, 50), more=st.integers(1, 60), scale=SCALES, seed=st.integers(0, 10**6))
def test_an_int_without_steps_is_any_number_of_its_range(low: int, more: int, scale: str, seed: int) -> None:
    asked = space({"kind": "int", "low": low, "high": low + more, "scale": scale})
    assert of_tuner(asked).random_sample(seed) in asked.parameters[PATH].options()


@QUICK
@given(
    low=st.floats(1e-6, 10),
    span=st.floats(1.01, 1000),
    parts=st.floats(0.4, 500),
    scale=SCALES,
)
def test_a_float_with_steps_has_as_many_values_as_keras_tuner_counts(
    low: float, span: float, parts: float, scale: str
) -> None:
    step = span ** (1 / parts) if scale == "log" else low * (span - 1) / parts
    if scale == "log" and step <= 1:
        return
    asked = space({"kind": "float", "low": low, "high": low * span, "step": step, "scale": scale})
    assert asked.parameters[PATH].count() == len(list(of_tuner(asked).values))


@pytest.mark.parametrize("tuner", ["grid", "random", "bayesian"])
def test_every_tuner_proposes_whole_numbers_on_a_log_scale(tuner: str, tmp_path: Any) -> None:
    asked = space({"kind": "int", "low": 8, "high": 64, "step": 2, "scale": "log"}, tuner=tuner)
    proposed = proposals(asked, 4, tmp_path)
    assert proposed
    assert all(isinstance(value, int) for value in proposed)
    assert set(proposed) <= {8, 16, 32, 64}


@pytest.mark.parametrize("tuner", ["grid", "random", "bayesian"])
def test_every_tuner_proposes_floats_that_a_card_can_be_written_with(tuner: str, tmp_path: Any) -> None:
    """The Bayesian oracle proposes NumPy's floats once it has a model of the objective."""
    asked = space({"kind": "float", "low": 0.1, "high": 0.9, "step": 0.05}, tuner=tuner)
    proposed = proposals(asked, 9, tmp_path)
    assert proposed
    assert all(type(value) is float for value in proposed)


def proposals(asked: SearchSpace, count: int, folder: Path) -> list[Any]:
    """The first `count` values that the tuner of a space proposes for PATH."""
    oracle = make_oracle(asked)
    oracle._set_project_dir(str(folder), "search")
    proposed = []
    for number in itertools.count():
        trial = oracle.create_trial(f"worker-{number}") if number < count else None
        if trial is None or trial.status != "RUNNING":
            break
        proposed.append(_values(asked, trial.hyperparameters.values)[PATH])
        oracle.update_trial(trial.trial_id, {"auc": 0.5})
        trial = oracle.get_trial(trial.trial_id)
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    return proposed

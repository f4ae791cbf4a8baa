"""The trial of this machine for training: when it is needed, that it is kept, and what replaces it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

import benchmark.runs.execution.machine.convolution_trial as machine
from benchmark.data.cache import clear_cache, forget_choices
from benchmark.runs.execution.machine.cached_measurement import MachineTrials, read_measurement
from benchmark.runs.execution.machine.prefix_trial import trial_file
from benchmark.training.convolutions.methods import ConvolutionMethod, ConvolutionTrial
from tests.support.records import cards, make_spec
from tests.support.tiny import protocol
from zoo.config.cgroups import usable_cores
from zoo.config.errors import ConfigError
from zoo.models.card import ModelSpec

CONTEXT = multiprocessing.get_context("spawn")


def trials(threads: int, context: Any) -> MachineTrials[ConvolutionTrial, ConvolutionMethod]:
    return MachineTrials(machine.CONVOLUTION_TRIAL, threads, context)


FOUND = ConvolutionTrial(direct=2.0, filtered=1.0, difference=1e-6)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv(machine.VARIABLE, raising=False)


def not_measured() -> None:
    pytest.fail("measured")


@pytest.mark.parametrize(
    "rules",
    [{"training_convolutions": "direct"}, {"training_convolutions": "filtered"}, {"training_precision": "bfloat16"}],
)
def test_a_protocol_that_decides_needs_no_trial(rules: dict[str, str]) -> None:
    spec = make_spec("attempt-7", protocol=protocol(**rules))
    assert trials(2, CONTEXT).trial_for(spec, not_measured) is None


@pytest.mark.parametrize("card", ["attempt-1", "attempt-6b"])
def test_a_card_that_fine_tunes_nothing_needs_no_trial(card: str) -> None:
    assert trials(2, CONTEXT).trial_for(make_spec(card), not_measured) is None


def test_a_card_that_unfreezes_no_layers_needs_no_trial() -> None:
    card = cards()["attempt-7"]
    model = ModelSpec.model_validate(card.model.model_dump() | {"unfreeze_layers": 0})
    head_only = card.model_copy(update={"model": model})
    assert trials(2, CONTEXT).trial_for(make_spec(head_only), not_measured) is None


def test_another_backend_needs_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert trials(2, CONTEXT).trial_for(make_spec("attempt-7"), not_measured) is None


def test_the_variable_replaces_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = make_spec("attempt-7")
    monkeypatch.setenv(machine.VARIABLE, "direct")
    assert trials(2, CONTEXT).trial_for(spec, not_measured) == "direct"
    monkeypatch.setenv(machine.VARIABLE, "keras")
    with pytest.raises(ConfigError, match=r"ZOO_CONVOLUTIONS is 'keras'; it can be direct, filtered, or left out"):
        trials(2, CONTEXT).trial_for(spec, not_measured)


def test_a_trial_is_kept_beside_that_of_frozen_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    path = machine.CONVOLUTION_TRIAL.path(2)
    assert path != trial_file(2)
    monkeypatch.setattr(machine, "_measure", lambda threads: FOUND)
    assert machine.load_or_measure(path, 2) == FOUND
    clear_cache()
    assert trials(2, None).trial_for(make_spec("attempt-7"), not_measured) == FOUND
    forget_choices()
    assert read_measurement(path, ConvolutionTrial) is None


@pytest.mark.slow
def test_a_new_machine_is_measured_once_in_a_process_of_its_own() -> None:
    threads = usable_cores()
    heard: list[str] = []
    spec = make_spec("attempt-7")
    found = trials(threads, CONTEXT).trial_for(spec, lambda: heard.append("measuring"))
    assert isinstance(found, ConvolutionTrial)
    assert heard == ["measuring"]
    assert found.difference < 1e-4
    assert trials(threads, None).trial_for(spec, not_measured) == found

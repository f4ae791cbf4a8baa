"""The trial of this machine: measured once, kept, shared by processes, forgotten only when that is asked for."""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import benchmark.runs.execution.machine.prefix_trial as machine
from benchmark.data.cache import CHOICES, clear_cache, describe_cache, forget_choices
from benchmark.runs.execution.machine.cached_measurement import MachineTrials
from benchmark.training.frozen.methods import PrefixMethod, PrefixTrial
from tests.support.records import make_spec
from tests.support.tiny import protocol
from zoo.cli.app import app
from zoo.config.cgroups import usable_cores
from zoo.config.errors import ConfigError

FOUND = PrefixTrial(
    rates={"keras": 20.0, "filtered": 30.0},
    speedups={"keras": 1.0, "filtered": 1.5},
    differences={"keras": 0.0, "filtered": 1e-6},
)
CONTEXT = multiprocessing.get_context("spawn")


def trials(threads: int, context: Any) -> MachineTrials[PrefixTrial, PrefixMethod]:
    return MachineTrials(machine.PREFIX_TRIAL, threads, context)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv(machine.VARIABLE, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The threads of every trial that is measured; what it finds differs from the last by its rate."""
    calls: list[int] = []

    def measure(threads: int) -> PrefixTrial:
        calls.append(threads)
        time.sleep(0.05)
        return FOUND.model_copy(update={"rates": {"keras": 20.0 + len(calls), "filtered": 30.0}})

    monkeypatch.setattr(machine, "_measure", measure)
    return calls


def test_a_trial_is_measured_once_and_kept(measured: list[int]) -> None:
    path = machine.trial_file(2)
    assert machine.read_trial(path) is None
    first = machine.load_or_measure(path, 2)
    assert machine.load_or_measure(path, 2) == machine.read_trial(path) == first
    assert measured == [2]


def test_who_asks_at_the_same_time_gets_the_same_trial(measured: list[int]) -> None:
    path = machine.trial_file(2)
    found: list[PrefixTrial | None] = []
    threads = [threading.Thread(target=lambda: found.append(machine.load_or_measure(path, 2))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert measured == [2]
    assert len(found) == 6
    assert len({trial.model_dump_json() for trial in found if trial}) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"rates": {"keras": 1}}', '{"rates": 1e999}', "\x00\xff"])
def test_a_damaged_trial_is_a_miss(content: str, measured: list[int]) -> None:
    path = machine.trial_file(2)
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="latin-1")
    assert machine.load_or_measure(path, 2) == machine.read_trial(path)
    assert measured == [2]


def test_a_cache_that_cannot_be_written_costs_a_trial_and_nothing_else(cache: Path, measured: list[int]) -> None:
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file where the folder would be")
    assert machine.load_or_measure(machine.trial_file(2), 2) is not None
    assert measured == [2]


@pytest.mark.parametrize("variable", ["OPENBLAS_CORETYPE", "ONEDNN_MAX_CPU_ISA", "NPY_DISABLE_CPU_FEATURES"])
def test_other_kernels_are_another_machine(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variable, raising=False)
    plain = machine.trial_file(2)
    monkeypatch.setenv(variable, "AVX2")
    assert machine.trial_file(2) != plain


def test_threads_processor_and_versions_make_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = machine.trial_file(2)
    assert machine.trial_file(2) == plain
    assert machine.trial_file(4) != plain
    with monkeypatch.context() as patch:
        patch.setattr(machine, "processor", lambda: "another processor")
        assert machine.trial_file(2) != plain
    with monkeypatch.context() as patch:
        patch.setattr(machine, "FILTERING", machine.FILTERING + 1)
        assert machine.trial_file(2) != plain
    with monkeypatch.context() as patch:
        patch.setattr(machine, "_version", lambda package: f"{package} 99")
        assert machine.trial_file(2) != plain


def test_clearing_the_cache_keeps_choices_and_forgetting_removes_them(measured: list[int]) -> None:
    path = machine.trial_file(2)
    machine.load_or_measure(path, 2)
    clear_cache()
    assert machine.read_trial(path) is not None
    uses = {use.kind: use for use in describe_cache()}
    assert uses[CHOICES].bytes == path.stat().st_size
    assert forget_choices() > 0
    assert machine.read_trial(path) is None


def test_the_command_forgets_choices_only_when_told(measured: list[int]) -> None:
    path = machine.trial_file(2)
    machine.load_or_measure(path, 2)
    assert CliRunner().invoke(app, ["cache", "--clear"]).exit_code == 0
    assert path.exists()
    assert CliRunner().invoke(app, ["cache", "--forget-choices"]).exit_code == 0
    assert not path.exists()


@pytest.mark.parametrize("rules", [{"precision": "bfloat16"}, {"prefix": "keras"}, {"prefix": "filtered"}])
def test_a_protocol_that_says_it_needs_no_trial(rules: dict[str, str]) -> None:
    spec = make_spec("attempt-6b", protocol=protocol(**rules))
    assert trials(2, CONTEXT).trial_for(spec, lambda: pytest.fail("measured")) is None


def test_a_network_without_a_base_needs_no_trial() -> None:
    assert trials(2, CONTEXT).trial_for(make_spec("attempt-1"), lambda: pytest.fail("measured")) is None


def test_the_variable_stands_for_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = make_spec("attempt-6b")
    monkeypatch.setenv(machine.VARIABLE, "bfloat16")
    assert trials(2, CONTEXT).trial_for(spec, lambda: pytest.fail("measured")) == "bfloat16"
    monkeypatch.setenv(machine.VARIABLE, "avx512")
    with pytest.raises(ConfigError, match=r"ZOO_PREFIX is 'avx512'; it can be keras, filtered, bfloat16"):
        trials(2, CONTEXT).trial_for(spec, lambda: None)


def test_a_trial_that_is_kept_is_read_without_a_process(measured: list[int]) -> None:
    kept = machine.load_or_measure(machine.trial_file(2), 2)
    found = trials(2, None).trial_for(make_spec("attempt-6b"), lambda: pytest.fail("measured"))
    assert found == kept


@pytest.mark.slow
def test_a_new_machine_is_measured_in_a_process_of_its_own() -> None:
    threads = usable_cores()
    heard: list[str] = []
    found = trials(threads, CONTEXT).trial_for(make_spec("attempt-6b"), lambda: heard.append("measuring"))
    assert isinstance(found, PrefixTrial)
    assert heard == ["measuring"]
    assert machine.read_trial(machine.trial_file(threads)) == found
    assert found.differences["keras"] == 0
    assert "keras" in found.rates
    for way, difference in found.differences.items():
        assert difference < {"keras": 1e-9, "filtered": 1e-4, "bfloat16": 0.02}[way]
    assert trials(threads, None).trial_for(make_spec("attempt-6b"), lambda: pytest.fail("measured again")) == found

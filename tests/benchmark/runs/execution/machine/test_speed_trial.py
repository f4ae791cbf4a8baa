"""The speed of the machine: stated, cached or measured once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.runs.execution.machine import speed_trial
from benchmark.runs.execution.machine.prefix_trial import trial_file
from benchmark.runs.execution.machine.speed_trial import VARIABLE, machine_speed
from benchmark.training.machine_speed import MachineSpeed
from zoo.config.cgroups import usable_cores
from zoo.config.errors import ConfigError

MEASURED = MachineSpeed(frozen=50, training=2)


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A new cache, and the files for which the machine was measured."""
    calls: list[Path] = []
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path))

    def measure(path: Path, threads: int) -> MachineSpeed:
        calls.append(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MEASURED.model_dump_json(), encoding="utf-8")
        return MEASURED

    monkeypatch.setattr(speed_trial, "_measure_in_process", measure)
    return calls


def test_a_stated_speed_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "100, 1.5")
    assert machine_speed() == MachineSpeed(frozen=100, training=1.5)


@pytest.mark.parametrize("text", ["fast", "1", "1,2,3", "0,1", "1,nan", "-1,2"])
def test_another_text_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ConfigError, match=f"{VARIABLE} is '{text}'; give GMAC/s"):
        machine_speed()


def test_a_machine_is_measured_once_and_the_caller_hears_of_it(measured: list[Path]) -> None:
    heard: list[str] = []
    for _ in range(2):
        assert machine_speed(lambda: heard.append("measuring")) == MEASURED
    assert measured == [trial_file(usable_cores(), "speed-")]
    assert heard == ["measuring"]


def test_a_damaged_file_is_measured_again(measured: list[Path]) -> None:
    machine_speed()
    measured[0].write_text(json.dumps({"frozen": -1}), encoding="utf-8")
    assert machine_speed() == MEASURED
    assert len(measured) == 2


def test_a_failed_measurement_leaves_an_assumed_speed(monkeypatch: pytest.MonkeyPatch, measured: list[Path]) -> None:
    monkeypatch.setattr(speed_trial, "_measure_in_process", lambda path, threads: None)
    assert machine_speed().frozen > 0

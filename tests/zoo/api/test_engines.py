"""Where runs are computed: a wrong choice is one line, before anything is read."""

from __future__ import annotations

from typing import Any

import pytest

import zoo
from benchmark.runs.execution.engines.local import LocalEngine
from tests.support.tiny import write_npz, write_protocol
from zoo.api.engines import EngineChoice, resolve_engine


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"engine": "pbs"}, "--engine pbs: give local, slurm or ray"),
        ({"engine": 3}, "engine: is 3; give local, slurm or ray"),
        (
            {"engine_options": {"time": 30}},
            "engine_options: are for the engines slurm and ray; name one",
        ),
        ({"engine": "ray", "engine_options": ["time"]}, "engine_options: is ['time']; give options by name, such as "),
        ({"print_batch": True}, "--print-batch: is for --engine slurm; add it, or leave --print-batch out"),
        ({"cores": 0}, "cores: is 0; give"),
        (
            {"engine": "slurm", "print_batch": True, "cores": 2, "engine_options": {"cpus_per_task": 4}},
            "--cores 2: differs from --slurm cpus_per_task=4; give one",
        ),
    ],
)
def test_a_wrong_choice_is_one_line(arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(zoo.ConfigError) as raised:
        zoo.plan_bench("no-such-card", **arguments)
    assert str(raised.value).startswith(error)
    assert "\n" not in str(raised.value)


def test_cores_are_those_of_a_task_unless_both_are_named() -> None:
    choice = resolve_engine("slurm", {"time": 30}, 4, "phantom", only_printed=True)
    assert choice == EngineChoice("slurm", {"time": "30", "cpus_per_task": "4"}, 4)
    assert resolve_engine("local", None, 2, "phantom").maker() is LocalEngine


def test_images_that_other_machines_cannot_open_are_refused(tmp_path: Any) -> None:
    dataset = zoo.open_dataset(str(write_npz(tmp_path / "tiny.npz")))
    with pytest.raises(zoo.ConfigError, match="other machines cannot open a Dataset object; give its source as text"):
        resolve_engine("slurm", None, None, dataset, only_printed=True)


def test_trials_that_no_objective_decides_are_sent_at_once(tmp_path: Any) -> None:
    pytest.importorskip("ray", reason="the ray extra is not installed")
    pytest.importorskip("keras_tuner", reason="the search extra is not installed")
    chosen: dict[str, Any] = {
        "data": write_npz(tmp_path / "tiny.npz"),
        "protocol": write_protocol(tmp_path / "p.yaml"),
        "store": tmp_path / "runs",
        "out": tmp_path / "out",
        "trials": 7,
        "jobs": 2,
    }

    def at_once(tuner: str, engine: str) -> int:
        return zoo.plan_search("attempt-1-no-augmentation", **chosen, tuner=tuner, engine=engine).jobs

    assert [at_once(tuner, "ray") for tuner in ("random", "grid", "bayesian")] == [7, 7, 2]
    assert at_once("random", "local") == 2

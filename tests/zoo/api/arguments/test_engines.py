"""Where runs are computed: a wrong choice is one line, before anything is read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import zoo
from benchmark.runs.execution.engines.local import LocalEngine
from benchmark.runs.execution.engines.tasks import ENGINES
from tests.support.tiny import write_npz, write_protocol
from zoo.api.arguments.engines import EngineChoice, resolve_engine


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


UNREACHABLE = "allocation failure: Unable to contact slurm controller (connect failure)"
UNKNOWN = "sbatch: error: invalid partition specified: mian allocation failure: Invalid partition name specified"
DRAINED = "allocation failure: Requested node configuration is not available"


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A request for SLURM whose store does not exist yet."""
    pytest.importorskip("submitit", reason="the slurm extra is not installed")
    monkeypatch.setenv("PATH", f"{tmp_path / 'programs'}:/usr/bin:/bin")
    (tmp_path / "programs").mkdir()
    data, protocol = write_npz(tmp_path / "tiny.npz"), write_protocol(tmp_path / "p.yaml")
    return {"data": data, "protocol": protocol, "store": tmp_path / "runs", "engine": "slurm"}


def slurm_answers(folder: Path, test_only: str, submission: str) -> None:
    """Let sbatch refuse with these words; nothing refuses a test without words."""
    answer = f"echo '{test_only}' >&2; exit {int(bool(test_only))}"
    for name, script in {
        "sbatch": f"[ $1 = --test-only ] && {{ {answer}; }}; echo '{submission}' >&2; exit 1",
        "squeue": "exit 1",
        "scancel": "exit 0",
    }.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)


def bench_constant(chosen: dict[str, Any]) -> None:
    zoo.bench("constant", **chosen, seeds=1)


def curve_constant(chosen: dict[str, Any]) -> None:
    zoo.curve("constant", **chosen, sizes=[8], draws=1)


@pytest.mark.parametrize("command", [bench_constant, curve_constant])
@pytest.mark.parametrize("words", [UNREACHABLE, UNKNOWN])
def test_nothing_is_written_if_slurm_does_not_answer_or_refuses_an_option(
    chosen: dict[str, Any], tmp_path: Path, command: Any, words: str
) -> None:
    slurm_answers(tmp_path / "programs", words, "submitted in spite of the test")
    with pytest.raises(zoo.ConfigError) as raised:
        command(chosen)
    assert str(raised.value) == f"--engine slurm: sbatch refuses: {words.removeprefix('sbatch: error: ')}"
    assert not chosen["store"].exists()


def test_a_cluster_without_free_nodes_is_asked_and_no_task_remains_if_it_refuses(
    chosen: dict[str, Any], tmp_path: Path
) -> None:
    slurm_answers(tmp_path / "programs", DRAINED, "sbatch: error: Batch job submission failed: Job limit")
    with pytest.raises(zoo.ConfigError, match="sbatch refuses: Batch job submission failed: Job limit"):
        bench_constant(chosen)
    assert not (chosen["store"] / ENGINES).exists()


def test_stored_runs_need_no_cluster(chosen: dict[str, Any], tmp_path: Path) -> None:
    here = {name: value for name, value in chosen.items() if name != "engine"}
    first = zoo.bench("constant", **here, seeds=1)
    slurm_answers(tmp_path / "programs", UNREACHABLE, UNREACHABLE)
    again = zoo.bench("constant", **chosen, seeds=1)
    assert [run.run_id for run in again.runs] == [run.run_id for run in first.runs]


def test_nothing_is_written_without_a_cluster_of_ray(
    chosen: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stub").mkdir()
    code = (
        "def is_initialized():\n    return False\ndef init(**_):\n    raise ConnectionError('nothing listens there')\n"
    )
    (tmp_path / "stub" / "ray.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "stub")
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    with pytest.raises(zoo.ConfigError, match="--ray address=head:1: no cluster answers: nothing listens there"):
        bench_constant({**chosen, "engine": "ray", "engine_options": {"address": "head:1"}})
    monkeypatch.delitem(sys.modules, "ray")
    assert not chosen["store"].exists()

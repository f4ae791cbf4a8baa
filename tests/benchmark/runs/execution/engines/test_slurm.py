"""What SLURM's commands answer, as states of tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.runs.execution.engines.slurm import JobState, job_states, slurm_queue
from zoo.config.errors import ConfigError

pytest.importorskip("submitit", reason="the slurm extra is not installed")


def command(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_the_controller_answers_first_and_the_accounting_for_what_it_has_forgotten(programs: Path) -> None:
    command(programs, "squeue", "echo '7_0|RUNNING|n1'; echo '7_1|TIMEOUT|n2'; echo '7_3|PENDING|'")
    command(
        programs, "sacct", "echo 'JobID|State|NodeList'; echo '7_2|CANCELLED by 1000|n3'; echo '7_2.batch|FAILED|n3'"
    )
    assert job_states(["7_0", "7_1", "7_2", "7_4"]) == {
        "7_0": JobState("RUNNING", "n1"),
        "7_1": JobState("TIMEOUT", "n2"),
        "7_2": JobState("CANCELLED", "n3"),
    }


def test_a_controller_that_does_not_answer_says_nothing_about_jobs(programs: Path) -> None:
    command(programs, "squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    assert job_states(["7_0"]) is None
    command(programs, "squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    command(programs, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert job_states(["7_0"]) == {}


@pytest.mark.parametrize(
    ("name", "has_ended"), [("COMPLETING", False), ("PREEMPTED", True), ("REQUEUED", False), ("OUT_OF_MEMORY", True)]
)
def test_a_job_that_will_run_again_has_not_ended(name: str, has_ended: bool) -> None:
    assert JobState(name).has_ended == has_ended


def test_a_machine_outside_of_a_cluster_is_told_what_to_do(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(programs))
    for name in ("sbatch", "scancel"):
        command(programs, name, "")
    with pytest.raises(ConfigError, match="squeue not found; run the command on a machine of the cluster, or use"):
        slurm_queue({})

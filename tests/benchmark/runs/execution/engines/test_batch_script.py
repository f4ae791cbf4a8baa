"""Batch scripts: what a user asks of SLURM, and one task per missing run that any process can compute."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import zoo
from benchmark.runs.execution.engines.batch_script import batch_script, parse_options
from benchmark.runs.execution.engines.compute_task import compute, main
from benchmark.runs.execution.engines.remote import MODULE
from benchmark.runs.execution.engines.tasks import ENGINES
from tests.support.tiny import write_npz, write_protocol
from zoo.config.errors import ConfigError

pytest.importorskip("submitit", reason="the slurm extra is not installed")


def test_options_are_pairs_and_a_value_may_contain_commas() -> None:
    texts = ["partition=main,time=0:30:00,gres=gpu:1,nodelist=n1,n2", "--cpus-per-task=4"]
    assert parse_options(texts) == {
        "partition": "main",
        "time": "0:30:00",
        "gres": "gpu:1",
        "nodelist": "n1,n2",
        "cpus_per_task": "4",
    }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("partition", "--slurm partition: give NAME=VALUE, such as partition=main,time=30"),
        ("array=0-9", "--slurm array: is set by the program; leave it out"),
        ("cpus_per_task=many", "--slurm cpus_per_task=many: give a whole number from 1"),
        ("cpus_per_task=0", "--slurm cpus_per_task=0: give a whole number from 1"),
    ],
)
def test_a_wrong_option_is_one_line(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_options([text])
    assert str(raised.value) == error


def test_a_script_asks_for_what_the_options_say_and_runs_one_task_per_element() -> None:
    options = {"partition": "main", "time": "30", "reservation": "night", "exclusive": "true", "setup": "module load x"}
    lines = batch_script(Path("/store/tasks"), 3, options, MODULE).splitlines()
    assert lines[0] == "#!/bin/bash"
    directives = {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH ")}
    assert {"array=0-2%3", "partition=main", "time=30", "reservation=night", "exclusive"} <= directives
    assert not [line for line in directives if line.startswith(("wckey", "error"))]
    assert "module load x" in lines
    assert lines[-1 if lines[-1] else -2].endswith(f'-m {MODULE} /store/tasks "$SLURM_ARRAY_TASK_ID"')


def test_a_limit_of_simultaneous_tasks_is_one_of_the_options() -> None:
    assert "#SBATCH --array=0-9%2" in batch_script(Path("/t"), 10, {"array_parallelism": "2"}, MODULE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_npz(tmp_path / "tiny.npz")
    write_protocol(tmp_path / "p.yaml")
    return tmp_path


def plan(folder: Path) -> zoo.BenchPlan:
    return zoo.plan_bench(
        ["constant"],
        data="tiny.npz",
        protocol=str(folder / "p.yaml"),
        seeds=1,
        store=folder / "runs",
        engine="slurm",
        engine_options={"time": 30},
        print_batch=True,
    )


@pytest.mark.slow
def test_a_printed_script_computes_the_missing_runs_wherever_its_tasks_run(folder: Path) -> None:
    planned = plan(folder)
    script = planned.batch_script()
    assert script is not None
    (tasks,) = (folder / "runs" / ENGINES).iterdir()
    assert f' {tasks} "$SLURM_ARRAY_TASK_ID"' in script
    assert (tasks / "batch.sh").read_text(encoding="utf-8") == script
    os.chdir("/")  # the task returns to the folder of the command
    assert main([str(tasks), "0"]) == 0
    os.chdir(folder)
    assert plan(folder).batch_script() is None
    results = plan(folder).store.runs()[0]
    assert [run.status for run in results] == ["ok"]
    assert results[0].registration is not None  # written before the script was printed


def test_a_task_whose_images_differ_says_so_and_computes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(folder).batch_script()
    (tasks,) = (folder / "runs" / ENGINES).iterdir()
    write_npz(folder / "tiny.npz", test_seed=2)
    assert main([str(tasks), "0"]) == 2
    line = "tiny.npz: has other images here than where the runs were planned; give a folder that all machines share"
    assert (tasks / "0.error").read_text(encoding="utf-8") == line
    assert capsys.readouterr().err == f"zoo: {line}\n"


def test_tasks_of_another_version_are_refused(folder: Path) -> None:
    plan(folder).batch_script()
    (tasks,) = (folder / "runs" / ENGINES).iterdir()
    content = json.loads((tasks / "tasks.json").read_text(encoding="utf-8"))
    (tasks / "tasks.json").write_text(json.dumps({**content, "colour": 1}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"tasks\.json: colour: .*; submit the runs again with this version"):
        compute(tasks, 0)

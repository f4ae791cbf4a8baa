"""Runs on a real SLURM cluster of two nodes: rows for jobs that end, a lost driver, the results of one machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

import zoo
from benchmark.runs.execution.engines import slurm
from benchmark.runs.execution.engines.remote import MODULE
from benchmark.runs.execution.engines.tasks import ENGINES
from benchmark.runs.execution.engines.unit import Program
from benchmark.runs.execution.events import Event, Started, Submitted
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from tests.support.evaluated_models import keep_models, write_elsewhere
from tests.support.tiny import environment, run_zoo, start_zoo, write_npz, write_protocol
from zoo.api.bench import BenchResults

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("slurm_cluster")
CARDS = ("constant", "pixels-logistic")
OPTIONS = {"partition": "main", "time": 10}
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The commands of SLURM reach two idle nodes."""
    pytest.importorskip("submitit", reason="the slurm extra is not installed")
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    programs = ("slurmctld", "slurmd", "munged", "sbatch")
    if missing := [name for name in programs if shutil.which(name, path=path) is None]:
        pytest.skip(f"SLURM is not installed: no {', '.join(missing)} (Debian: slurm-wlm, munge)")
    folder = tmp_path_factory.mktemp("slurm")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = min(free.getsockname()[1], 65000)
    variables = environment(tmp_path_factory.mktemp("cache")) | {"SLURM_CONF": str(folder / "slurm.conf")}
    started = subprocess.run(
        [SCRIPT, "start", folder], env={**variables, "PORT": str(port)}, capture_output=True, text=True, check=False
    )
    try:
        if started.returncode:
            pytest.skip(f"no SLURM cluster can be started here: {started.stderr.strip()[-300:]}")
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            patch.setattr(slurm, "_POLL_S", 0.5)
            yield
    finally:
        subprocess.run([SCRIPT, "stop", folder], env=variables, capture_output=True, check=False)


@dataclass(frozen=True)
class Story:
    """What happened to one command that was given four times.

    Attributes:
        ended: The jobs of its first start were ended: one was cancelled, the process of the other was killed.
        again: Its last start, after the process of the third one was killed while its jobs were pending.
        events: The events of the last start.
        arrays: The numbers of all jobs that were submitted.
        here: The same runs on this machine alone, with as many threads.
    """

    ended: BenchResults
    logs: list[str]
    again: BenchResults
    events: list[Event]
    arrays: set[str]
    here: BenchResults


@pytest.fixture(scope="module")
def story(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("story")
    data, protocol, root = write_npz(folder / "tiny.npz"), write_protocol(folder / "p.yaml"), folder / "runs"
    chosen: dict[str, Any] = {"data": data, "protocol": protocol, "seeds": 1}
    on_slurm: dict[str, Any] = {**chosen, "store": root, "engine": "slurm", "engine_options": OPTIONS}

    def end(event: Event) -> None:
        if isinstance(event, Submitted) and event.spec.card.name == "constant":
            _slurm("scancel", _note(root, event.spec.run_id)["job"])
        if isinstance(event, Started) and event.spec.card.name == "pixels-logistic":
            _kill_task(_note(root, event.spec.run_id)["index"])

    ended = zoo.bench(CARDS, **on_slurm, on_event=end)
    logs = [path.name for path in (root / ENGINES).glob("*/*.out")]
    _slurm("scontrol", "update", "nodename=n1,n2", "state=drain", "reason=test")
    words = ["--data", str(data), "--protocol", str(protocol), "--seeds", "1", "--store", str(root)]
    driver = start_zoo(
        *("bench", *CARDS, *words, "--engine", "slurm", "--slurm", "partition=main,time=10"),
        cwd=folder,
        cache=Path(os.environ["ZOO_CACHE_DIR"]),
    )
    try:
        _until(lambda: len(list((root / ENGINES).glob("*.json"))) == len(CARDS))
    finally:
        driver.kill()
        driver.communicate()
    _slurm("scontrol", "update", "nodename=n1,n2", "state=resume")
    events: list[Event] = []
    again = zoo.bench(CARDS, **on_slurm, on_event=events.append)
    arrays = set(_slurm("squeue", "-h", "--array", "--states=all", "--format=%F").split())
    here = zoo.bench(CARDS, **chosen, store=folder / "here", cores=1)
    return Story(ended, logs, again, events, arrays, here)


def test_jobs_that_end_before_their_run_are_rows_with_the_reason_and_their_logs_stay(story: Story) -> None:
    cancelled, killed = story.ended.runs
    assert (cancelled.status, killed.status) == ("failed", "failed")
    assert "it was cancelled; the same command computes the run again" in (cancelled.error or "")
    assert "ended as FAILED" in (killed.error or "")
    assert " on n" in (killed.error or "")
    assert any(name in (killed.error or "") for name in story.logs)


def test_the_same_command_watches_the_jobs_of_a_lost_process_instead_of_submitting_again(story: Story) -> None:
    assert len(story.arrays) == 2  # the first start, and the process that was killed
    submitted = [event.where for event in story.events if isinstance(event, Submitted)]
    assert len(submitted) == len(CARDS)
    assert len(set(submitted)) == 1
    assert len([event for event in story.events if isinstance(event, Started)]) == len(CARDS)


def test_the_results_are_those_of_one_machine_to_the_last_bit(story: Story) -> None:
    def results(bench: BenchResults) -> list[Any]:
        return [(run.run_id, *_results(run, bench.store)) for run in bench.runs]

    assert [run.status for run in story.again.runs] == ["ok", "ok"]
    assert results(story.again) == results(story.here)


def test_nothing_is_left_of_tasks_whose_runs_are_finished(story: Story) -> None:
    assert [path.is_dir() for path in (story.again.store.root / ENGINES).iterdir()] == [
        True
    ]  # that of the first start, whose jobs failed


def test_a_curve_is_tasks_with_the_bits_of_one_machine(cluster: None, tmp_path: Path) -> None:
    chosen: dict[str, Any] = {
        **{"data": write_npz(tmp_path / "tiny.npz"), "protocol": write_protocol(tmp_path / "p.yaml")},
        **{"sizes": (10, 20, 28), "draws": 1},
    }
    on_slurm: dict[str, Any] = {"store": tmp_path / "runs", "engine": "slurm", "engine_options": OPTIONS}
    events: list[Event] = []
    there = zoo.curve("pixels-logistic", **chosen, **on_slurm, on_event=events.append)
    here = zoo.curve("pixels-logistic", **chosen, store=tmp_path / "here", cores=1)
    assert len([event for event in events if isinstance(event, Submitted)]) == len(chosen["sizes"])
    assert not there.failed
    assert [(run.run_id, *_results(run, there.store)) for run in there.runs] == [
        (run.run_id, *_results(run, here.store)) for run in here.runs
    ]


def test_evaluations_are_tasks_with_the_bits_of_one_machine_and_a_cancelled_one_is_a_row(
    cluster: None, tmp_path: Path
) -> None:
    store, other = keep_models(tmp_path), write_elsewhere(tmp_path / "other")
    shutil.copytree(store.root, tmp_path / "here")
    on_slurm: dict[str, Any] = {"store": store, "engine": "slurm", "engine_options": OPTIONS}

    def cancel_first(line: str) -> None:
        if line.startswith("tiny:0") and "submitted" in line:
            _slurm("scancel", f"{line.rpartition(' ')[2]}_0")

    runs = ["tiny:0", "tiny:1"]
    cancelled, computed = zoo.evaluate_all(runs, other, **on_slurm, on_line=cancel_first).rows
    assert "it was cancelled" in (cancelled.error or "")
    assert computed.results is not None
    again = zoo.evaluate_all(runs, other, **on_slurm)
    assert [row.results is not None and row.results.reused for row in again.rows] == [False, True]
    words = ["--data", str(other), "--store", str(tmp_path / "here"), "--cores", "1", "--json"]
    here = run_zoo("evaluate", *runs, *words, cwd=tmp_path, cache=Path(os.environ["ZOO_CACHE_DIR"]))
    assert [each["per_image"] for each in json.loads(here.stdout)["evaluations"]] == [
        json.loads(json.dumps(row.results.to_dict()))["per_image"] for row in again.rows if row.results is not None
    ]


def test_memory_that_the_cluster_refuses_is_left_out_and_one_that_it_takes_is_declared(
    cluster: None, tmp_path: Path
) -> None:
    """The nodes state 1,000 MB."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    queue = slurm.SlurmQueue(Program("this", folder, lambda units, engine, threads: folder), {"partition": "main"})
    _slurm("scontrol", "update", "nodename=n1,n2", "state=drain", "reason=test")
    small, large = FakeUnit("small", 512), FakeUnit("large", 4096)
    try:
        queue.submit([small, large])
        jobs = [_note_of(folder, unit.key) for unit in (small, large)]
        assert [job["memory_mib"] for job in jobs] == [512, None]
        asked = [_slurm("squeue", "-h", "--array", f"--jobs={job['job']}", "--format=%m").strip() for job in jobs]
        assert asked == ["512M", "0"]
        assert not queue.declares_memory
    finally:
        queue.cancel()
        _slurm("scontrol", "update", "nodename=n1,n2", "state=resume")


@dataclass
class FakeUnit:
    """A unit of which nothing is computed."""

    key: str
    memory_mib: int | None

    def submitted(self, where: str) -> None: ...

    def started(self) -> None: ...

    def has_outcome(self) -> bool:
        return False

    def is_whole(self) -> bool:
        return False

    def fail(self, reason: str, memory_limit_mib: int | None = None) -> None: ...


def _note_of(folder: Path, key: str) -> dict[str, Any]:
    note: dict[str, Any] = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
    return note


def _results(run: Run, store: Store) -> tuple[Any, ...]:
    scores = [store.scores(run, split).y_score.tolist() for split in ("val", "test")]
    return run.threshold, run.at_half, run.at_chosen, run.diagnosis, scores


def _slurm(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def _note(root: Path, run_id: str) -> dict[str, Any]:
    return _note_of(root / ENGINES, run_id)


def _kill_task(index: int) -> None:
    """Kill the process that computes a task, once it runs."""

    def kill() -> bool:
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if MODULE in words and words[-1] == str(index):
                process.kill()
                return True
        return False

    _until(kill)


def _until(condition: Any) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)

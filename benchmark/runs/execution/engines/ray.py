"""The engine of Ray: each missing run is a task of a cluster, and results return through the store alone.

A task whose worker or machine dies is submitted again, twice at most. Ray ends the tasks of a process that ends; the
same command then submits what the store lacks.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmark.runs.drawn_split import draw_split
from benchmark.runs.execution.engines.compute_task import main
from benchmark.runs.execution.engines.engine import Ended, Make, Work
from benchmark.runs.execution.engines.tasks import TaskFolders, error_file, write_tasks
from benchmark.runs.execution.events import Started, Submitted
from benchmark.runs.execution.failure import save_failed
from benchmark.runs.history import NO_HISTORY
from benchmark.runs.run import Run, RunSpec, SplitFacts
from zoo.config.errors import ConfigError

OPTIONS = {"address": "address of the cluster", "num_gpus": "GPUs of each run", "memory": "bytes of each run"}
"""The options, each with its meaning."""

MOST_TRIES = 3
"""Times that a run is submitted whose worker or machine dies."""

_POLL_S = 1.0
_THREADS = "OMP_NUM_THREADS"


@dataclass
class _Submission:
    spec: RunSpec
    folder: Path
    index: int
    split: SplitFacts
    stored_before: Run | None
    tries: int = 1
    has_started: bool = False


def ray_engine(options: Mapping[str, str]) -> Make:
    """Make the engine of Ray.

    Args:
        options: Options by name, of `OPTIONS`. Without an address, a cluster is started on this machine.

    Returns:
        What makes the engine of a command.

    Raises:
        ConfigError: Ray is not installed, or an option is unknown or no number.
    """
    if find_spec("ray") is None:
        raise ConfigError("--engine ray: needs Ray; install it with pip install 'zoo-bench[ray]'")
    for name, value in options.items():
        if name not in OPTIONS:
            raise ConfigError(f"--ray {name}: is unknown; give {', '.join(OPTIONS)}")
        if name != "address":
            try:
                float(value)
            except ValueError as error:
                raise ConfigError(f"--ray {name}={value[:20]}: give a number ({OPTIONS[name]})") from error
    return partial(RayEngine, options=options)


class RayEngine:
    """Submits each run as a task, and submits it again if its worker or machine dies."""

    def __init__(self, work: Work, options: Mapping[str, str]) -> None:
        """Make an engine that has submitted nothing yet.

        Args:
            work: What all runs share.
            options: Options by name.
        """
        self._work = work
        self._options = options
        self._cores = work.threads or 1
        self._refs: dict[Any, _Submission] = {}
        self._folders = TaskFolders()

    @property
    def is_busy(self) -> bool:
        """Whether runs are pending or in progress."""
        return bool(self._refs)

    def submit(self, specs: Sequence[RunSpec]) -> list[RunSpec]:
        """Submit all runs."""
        if not specs:
            return []
        splits = [SplitFacts.of(draw_split(self._work.dataset, spec)) for spec in specs]
        self._connect()
        folder = write_tasks(self._work, specs, "ray", self._cores)
        self._folders.add(folder)
        for index, (spec, split) in enumerate(zip(specs, splits, strict=True)):
            self._start(_Submission(spec, folder, index, split, self._work.store.get(spec.run_id)))
            self._work.on_event(Submitted(spec, f"Ray, {len(specs)} tasks"))
        return []

    def watch(self) -> list[Ended]:
        """Wait up to a second for a task that ends."""
        import ray

        ready, _ = ray.wait(list(self._refs), num_returns=1, timeout=_POLL_S)
        for submission in self._refs.values():
            if not submission.has_started and _started_file(submission.folder, submission.index).exists():
                submission.has_started = True
                self._work.on_event(Started(submission.spec, submission.split))
        ended = []
        for ref in ready:
            submission = self._refs.pop(ref)
            try:
                ray.get(ref)
                reason = "ended without a run"
            except ray.exceptions.RayTaskError as error:
                reason = f"failed: {' '.join(str(error.cause).split())[:300]}"
            except ray.exceptions.RayError as error:
                reason = f"died: {' '.join(str(error).split())[:300]}"
                if submission.tries < MOST_TRIES:
                    submission.tries += 1
                    submission.has_started = False
                    _started_file(submission.folder, submission.index).unlink(missing_ok=True)
                    self._start(submission)
                    continue
            ended.append(Ended(submission.spec, self._outcome(submission, reason)))
        if not self._refs:
            self._folders.tidy()
        return ended

    def cancel(self) -> None:
        """End all tasks. The connection to the cluster stays for later runs of this process."""
        if not self._refs:
            return
        import ray

        for ref in self._refs:
            with suppress(ray.exceptions.RayError):
                ray.cancel(ref, force=True)
        self._refs.clear()

    def _connect(self) -> None:
        """Join the cluster, or start one on this machine. Raises ConfigError."""
        import ray

        if ray.is_initialized():
            return
        address = self._options.get("address")
        where: dict[str, Any] = {"address": address} if address else {"num_cpus": os.cpu_count() or 1}
        if not address:
            where["include_dashboard"] = False
        try:
            ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            words = " ".join(str(error).split())[:200]
            raise ConfigError(f"--ray address={address or 'local'}: no cluster answers: {words}") from error

    def _start(self, submission: _Submission) -> None:
        import ray

        resources: dict[str, Any] = {"num_cpus": self._cores, "max_retries": 0}
        resources |= {name: float(value) for name, value in self._options.items() if name != "address"}
        task = ray.remote(**resources)(_compute)
        ref = task.remote(str(submission.folder), submission.index, os.environ.get(_THREADS))
        self._refs[ref] = submission

    def _outcome(self, submission: _Submission, reason: str) -> Run:
        """The stored run of a task, a failed one with the reason if the task left none."""
        run = self._work.store.get(submission.spec.run_id)
        if run is None or run == submission.stored_before:
            with suppress(OSError):
                reason = error_file(submission.folder, submission.index).read_text(encoding="utf-8")
            tries = "" if submission.tries == 1 else f", {submission.tries} times"
            run = Run.failed(submission.spec, f"the Ray task{tries} {reason}", submission.split)
            save_failed(self._work.store, run, (), NO_HISTORY)
        if run.status != "ok":
            self._folders.keep(submission.folder)
        return run


def _compute(folder: str, index: int, threads: str | None) -> int:
    """Compute a task in a process of Ray, without the number of threads that Ray sets for libraries."""
    os.environ.pop(_THREADS, None)
    if threads is not None:
        os.environ[_THREADS] = threads
    _started_file(Path(folder), index).touch()
    return main([folder, str(index)])


def _started_file(folder: Path, index: int) -> Path:
    """The file that a task creates when it starts."""
    return folder / f"{index}.started"

"""The engine of Ray: each missing unit is a task of a cluster, and results return through the store alone.

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
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmark.runs.execution.engines.tasks import TaskFolders, error_file
from benchmark.runs.execution.engines.unit import MakeQueue, Program, Unit
from zoo.config.cgroups import usable_cores
from zoo.config.errors import ConfigError

OPTIONS = {"address": "address of the cluster", "num_gpus": "GPUs of each run", "memory": "bytes of each run"}
"""The options, each with its meaning."""

MOST_TRIES = 3
"""Times that a unit is submitted whose worker or machine dies."""

_POLL_S = 1.0
_VARIABLES = ("OMP_NUM_THREADS", "KERAS_BACKEND", "ZOO_PREFIX", "ZOO_CONVOLUTIONS")
"""Variables of the environment that decide bits; processes of Ray have those of their node."""
_MIB = 1024**2


@dataclass
class _Submission:
    unit: Unit
    folder: Path
    index: int
    tries: int = 1
    has_started: bool = False


def ray_queue(options: Mapping[str, str], threads: int | None) -> MakeQueue:
    """Make the engine of Ray.

    Args:
        options: Options by name, of `OPTIONS`. Without an address, a cluster is started on this machine.
        threads: Number of cores, and threads, of each unit; None for one.

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
    return partial(RayQueue, options=options, cores=threads or 1)


def connect(options: Mapping[str, str]) -> None:
    """Join the cluster, or start one on this machine, unless this process has one.

    Args:
        options: Options by name, of `OPTIONS`.

    Raises:
        ConfigError: No cluster answers.
    """
    import ray

    if ray.is_initialized():
        return
    address = options.get("address")
    where: dict[str, Any] = {"address": address} if address else {"num_cpus": usable_cores()}
    if not address:
        where["include_dashboard"] = False
    try:
        ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # a node that does not start in time is a plain Exception
        words = " ".join(str(error).split())[:200]
        raise ConfigError(f"--ray address={address or 'local'}: no cluster answers: {words}") from error


class RayQueue:
    """Submits each unit as a task, and submits it again if its worker or machine dies."""

    def __init__(self, program: Program, options: Mapping[str, str], cores: int) -> None:
        """Make an engine that has submitted nothing yet.

        Args:
            program: What computes the units.
            options: Options by name.
            cores: Number of cores, and threads, of each unit.
        """
        self._program = program
        self._options = options
        self._cores = cores
        self._refs: dict[Any, _Submission] = {}
        self._folders = TaskFolders()

    @property
    def is_busy(self) -> bool:
        """Whether units are pending or in progress."""
        return bool(self._refs)

    @property
    def declares_memory(self) -> bool:
        """Whether the user left the memory open."""
        return "memory" not in self._options

    def submit(self, units: Sequence[Unit]) -> None:
        """Submit all units."""
        if not units:
            return
        connect(self._options)
        folder = self._program.write(units, "ray", self._cores)
        self._folders.add(folder)
        for index, unit in enumerate(units):
            self._start(_Submission(unit, folder, index))
            unit.submitted(f"Ray, {len(units)} tasks")

    def watch(self) -> list[Unit]:
        """Wait up to a second for a task that ends."""
        import ray

        ready, _ = ray.wait(list(self._refs), num_returns=1, timeout=_POLL_S)
        for submission in self._refs.values():
            if not submission.has_started and _started_file(submission.folder, submission.index).exists():
                submission.has_started = True
                submission.unit.started()
        ended = []
        for ref in ready:
            submission = self._refs.pop(ref)
            try:
                ray.get(ref)
                reason = "ended without a result"
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
            self._conclude(submission, reason)
            ended.append(submission.unit)
        if not self._refs:
            self._folders.tidy()
        return ended

    def cancel(self) -> None:
        """End all tasks. The connection to the cluster stays for later units of this process."""
        if not self._refs:
            return
        import ray

        for ref in self._refs:
            with suppress(ray.exceptions.RayError):
                ray.cancel(ref, force=True)
        self._refs.clear()

    def _start(self, submission: _Submission) -> None:
        import ray

        resources: dict[str, Any] = {"num_cpus": self._cores, "max_retries": 0}
        resources |= {name: float(value) for name, value in self._options.items() if name != "address"}
        declared = submission.unit.memory_mib
        if declared is not None and self.declares_memory and declared * _MIB <= _most_memory():
            resources["memory"] = declared * _MIB
        task = ray.remote(**resources)(_compute)
        where = (self._program.module, str(submission.folder), submission.index)
        ref = task.remote(*where, {name: os.environ.get(name) for name in _VARIABLES})
        self._refs[ref] = submission

    def _conclude(self, submission: _Submission, reason: str) -> None:
        """Give a unit whose task left no outcome a failed one with the reason."""
        if not submission.unit.has_outcome():
            with suppress(OSError):
                reason = error_file(submission.folder, submission.index).read_text(encoding="utf-8")
            tries = "" if submission.tries == 1 else f", {submission.tries} times"
            submission.unit.fail(f"the Ray task{tries} {reason}")
        if not submission.unit.is_whole():
            self._folders.keep(submission.folder)


def _most_memory() -> float:
    """The memory in bytes of the largest machine of the cluster: a task that declares more would wait forever."""
    import ray

    return max((node["Resources"].get("memory", 0.0) for node in ray.nodes() if node["Alive"]), default=0.0)


def _compute(module: str, folder: str, index: int, variables: Mapping[str, str | None]) -> int:
    """Compute a task in a process of Ray with the `_VARIABLES` of the command; Ray sets threads, and its nodes the
    others."""
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    _started_file(Path(folder), index).touch()
    code: int = import_module(module).main([folder, str(index)])
    return code


def _started_file(folder: Path, index: int) -> Path:
    """The file that a task creates when it starts."""
    return folder / f"{index}.started"

"""The engine of SLURM: missing units become the tasks of an array, and results return through the store alone.

The process that submits may end. The store notes the job of each unit, and the same command then watches the jobs that
are still pending or running and submits the other units.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.runs.execution.engines.batch_script import (
    Refused,
    batch_script,
    call,
    check_accepted,
    check_installed,
    log_file,
    submit,
)
from benchmark.runs.execution.engines.engine import Work
from benchmark.runs.execution.engines.remote import MODULE
from benchmark.runs.execution.engines.tasks import TaskFolders, error_file, remove_folder, write_tasks
from benchmark.runs.execution.engines.unit import MakeQueue, Program, Unit
from benchmark.runs.execution.measured_memory import in_gib, memory_after_excess
from benchmark.runs.run import RunSpec
from zoo.config.atomic import write_text
from zoo.config.errors import ConfigError

MOST_TASKS = 1000
"""The most tasks of an array; SLURM's own default limit is one more."""

_POLL_S = 5.0
_MEMORY = ("mem", "mem_per_cpu", "mem_per_gpu")
_SEEN_AFTER_S = 60.0
"""A network file system may show the files of another machine this much later."""

_ENDED = {
    "COMPLETED": "",
    "BOOT_FAIL": "; the same command computes the run again",
    "CANCELLED": ": it was cancelled; the same command computes the run again",
    "DEADLINE": "; give a later deadline",
    "FAILED": "",
    "NODE_FAIL": ": its machine failed; the same command computes the run again",
    "OUT_OF_MEMORY": ": it needed more memory than it had",
    "PREEMPTED": ": another job took its place; the same command computes the run again",
    "REVOKED": "; the same command computes the run again",
    "TIMEOUT": ": it reached its time limit; give more with --slurm time=",
}
"""The states in which a job has ended, and what follows them in the error of its run."""


@dataclass(frozen=True)
class JobState:
    """What SLURM reports about a task.

    Attributes:
        name: Its state, in capitals: `PENDING`, `RUNNING`, `TIMEOUT`.
        node: The machine on which it runs or ran; empty before it starts.
    """

    name: str
    node: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether it will not run again."""
        return self.name in _ENDED


@dataclass
class _Submission:
    unit: Unit
    job: str
    folder: Path
    index: int
    memory_mib: int | None
    has_started: bool = False
    ended_since: float | None = None
    last: JobState = JobState("PENDING")


def slurm_queue(options: Mapping[str, str]) -> MakeQueue:
    """Make the engine of SLURM.

    Args:
        options: Options of SLURM by name (`parse_options`).

    Returns:
        What makes the engine of a command.

    Raises:
        ConfigError: submitit or SLURM is not installed, or an option is refused.
    """
    check_installed()
    batch_script(Path("/tasks"), 1, options, MODULE)
    missing = [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name) is None]
    if missing:
        raise ConfigError(
            f"--engine slurm: {', '.join(missing)} not found; run the command on a machine of the cluster, or use "
            "--print-batch"
        )
    return partial(SlurmQueue, options=options)


def check_cluster(options: Mapping[str, str]) -> None:
    """Raise ConfigError if SLURM does not answer, or would refuse the options of a command. Nothing is submitted."""
    check_accepted(options, MODULE)


def prepared_batch(work: Work, specs: Sequence[RunSpec], options: Mapping[str, str]) -> str:
    """Write the tasks of runs into the store, and return the script that computes them.

    Args:
        work: What the runs share.
        specs: The runs that the store lacks.
        options: Options of SLURM by name.

    Returns:
        The script, for sbatch.

    Raises:
        ConfigError: submitit is not installed or refuses an option, or there are too many runs for one array.
        OSError: The store cannot be written.
    """
    if len(specs) > MOST_TASKS:
        raise ConfigError(
            f"--print-batch: {len(specs):,} runs are missing, and an array has at most {MOST_TASKS:,} tasks; name "
            "fewer cards"
        )
    batch_script(Path("/tasks"), 1, options, MODULE)
    folder = write_tasks(work, specs, "slurm", cores(options))
    script = batch_script(folder, len(specs), options, MODULE)
    write_text(folder / "batch.sh", script)
    return script


def cores(options: Mapping[str, str]) -> int:
    """Return the number of cores, and of threads, of a task: 1 unless `cpus_per_task` is given."""
    return int(options.get("cpus_per_task", "1"))


class SlurmQueue:
    """Submits units as arrays, and waits until the store has them or SLURM reports that they ended."""

    def __init__(self, program: Program, options: Mapping[str, str]) -> None:
        """Make an engine that has submitted nothing yet.

        Args:
            program: What computes the units.
            options: Options of SLURM by name.
        """
        self._program = program
        self._options = options
        self._answered = 0.0
        self._refuses_memory = False
        self._watched: dict[str, _Submission] = {}
        self._folders = TaskFolders()

    @property
    def is_busy(self) -> bool:
        """Whether units are pending or in progress."""
        return bool(self._watched)

    @property
    def declares_memory(self) -> bool:
        """Whether the user left the memory open, and the cluster has not refused a number."""
        return not self._refuses_memory and not any(name in self._options for name in _MEMORY)

    def submit(self, units: Sequence[Unit]) -> None:
        """Submit units, except those with a job that is pending or running: one array per declared memory."""
        noted = {unit.key: note for unit in units if (note := self._note(unit.key)) is not None}
        states = job_states(note["job"] for note in noted.values()) if noted else {}
        if states is None:
            raise ConfigError("--engine slurm: squeue does not answer, so that submitted tasks are unknown; try again")
        new: dict[int | None, list[Unit]] = {}
        for unit in units:
            note = noted.get(unit.key)
            state = None if note is None else states.get(note["job"])
            if note is None or state is None or state.has_ended:
                new.setdefault(unit.memory_mib, []).append(unit)
            else:
                self._watch(unit, note["job"], Path(note["folder"]), note["index"], note.get("memory_mib"))
        for memory_mib, alike in new.items():
            for first in range(0, len(alike), MOST_TASKS):
                self._submit_array(alike[first : first + MOST_TASKS], memory_mib)

    def watch(self) -> list[Unit]:
        """Ask SLURM once, after a few seconds, and return the units that have ended."""
        time.sleep(_POLL_S)
        states = job_states(submission.job for submission in self._watched.values())
        if states is None:  # the controller does not answer; jobs go on
            return []
        is_recent, self._answered = time.monotonic() - self._answered < _SEEN_AFTER_S, time.monotonic()
        ended = []
        for submission in list(self._watched.values()):
            if self._has_ended(submission, states.get(submission.job), is_recent):
                del self._watched[submission.unit.key]
                self._note_file(submission.unit.key).unlink(missing_ok=True)
                if not submission.unit.is_whole():
                    self._folders.keep(submission.folder)
                ended.append(submission.unit)
        if not self._watched:
            self._folders.tidy()
        return ended

    def cancel(self) -> None:
        """Cancel the jobs of the units that have not ended, unless a signal other than Ctrl-C ends the command."""
        if _is_lost(sys.exception()):
            return
        if self._watched:
            with suppress(OSError, subprocess.SubprocessError):
                call("scancel", *(submission.job for submission in self._watched.values()))
        for key in self._watched:
            self._note_file(key).unlink(missing_ok=True)
        self._watched.clear()

    def _submit_array(self, units: Sequence[Unit], memory_mib: int | None) -> None:
        """Submit units as one array. A cluster that refuses the declared memory gets them without it."""
        folder = self._program.write(units, "slurm", cores(self._options))
        if self._refuses_memory:
            memory_mib = None
        try:
            array, memory_mib = self._sbatch_or_without_memory(folder, len(units), memory_mib)
        except Refused:
            remove_folder(folder)
            raise
        for index, unit in enumerate(units):
            job = f"{array}_{index}"
            note = {"job": job, "folder": str(folder), "index": index, "memory_mib": memory_mib}
            write_text(self._note_file(unit.key), json.dumps(note))
            self._watch(unit, job, folder, index, memory_mib)

    def _sbatch_or_without_memory(self, folder: Path, count: int, memory_mib: int | None) -> tuple[str, int | None]:
        """Submit an array; its number, and the memory in MiB that it declares."""
        try:
            return self._sbatch(folder, count, memory_mib), memory_mib
        except ConfigError:
            if memory_mib is None:
                raise
            array = self._sbatch(folder, count, None)
            self._refuses_memory = True  # it was the memory: a cluster may not manage it, or know too little of it
            return array, None

    def _sbatch(self, folder: Path, count: int, memory_mib: int | None) -> str:
        memory = {} if memory_mib is None else {"mem": f"{memory_mib}M"}
        script = batch_script(folder, count, {**self._options, **memory}, self._program.module)
        write_text(folder / "batch.sh", script)
        return submit(folder / "batch.sh")

    def _watch(self, unit: Unit, job: str, folder: Path, index: int, memory_mib: int | None) -> None:
        self._watched[unit.key] = _Submission(unit, job, folder, index, memory_mib)
        self._folders.add(folder)
        unit.submitted(f"SLURM job {job.partition('_')[0]}")

    def _note_file(self, key: str) -> Path:
        return self._program.folder / f"{key}.json"

    def _note(self, key: str) -> dict[str, Any] | None:
        """The note about the job of a unit; None if there is none that can be read."""
        try:
            note: dict[str, Any] = json.loads(self._note_file(key).read_text(encoding="utf-8"))
            return note if {"job", "folder", "index"} <= note.keys() else None
        except (OSError, ValueError, AttributeError):
            return None

    def _has_ended(self, submission: _Submission, state: JobState | None, is_recent: bool) -> bool:
        """Whether the job of a unit has ended, with an outcome; a failed one if the job left none.

        `is_recent` says whether SLURM answered shortly before, so that `last` is the state from which the job ended.
        """
        now = time.monotonic()
        if state is not None:
            submission.last = state
            if state.name == "RUNNING" and not submission.has_started:
                submission.has_started = True
                submission.unit.started()
            if not state.has_ended:
                submission.ended_since = None
                return False
        if submission.ended_since is None:  # a job that is requeued may seem to have ended for a moment
            submission.ended_since = now
            return False
        try:
            if submission.unit.has_outcome():
                return True
        except ConfigError:  # a shared folder may refuse access for a moment; an error here would cancel all jobs
            if now - submission.ended_since < _SEEN_AFTER_S:
                return False
            raise
        never_started = is_recent and state is None and submission.last.name == "PENDING"
        has_reason = never_started or (state is not None and state.name != "COMPLETED")
        if not has_reason and now - submission.ended_since < _SEEN_AFTER_S:
            return False
        is_excess = state is not None and state.name == "OUT_OF_MEMORY"
        submission.unit.fail(self._reason(submission, state), submission.memory_mib if is_excess else None)
        return True

    def _reason(self, submission: _Submission, state: JobState | None) -> str:
        with suppress(OSError):
            return error_file(submission.folder, submission.index).read_text(encoding="utf-8")
        where = f" on {submission.last.node}" if submission.last.node else ""
        log = log_file(submission.folder, submission.job)
        if state is not None:
            what = f"ended as {state.name}{_ENDED[state.name]}"
            if state.name == "OUT_OF_MEMORY":
                what += self._more_memory(submission.memory_mib)
        elif submission.last.name == "PENDING":
            return f"SLURM job {submission.job} left the queue before it started{_ENDED['CANCELLED']}"
        else:
            what = "is unknown to SLURM and left no run"
        return f"SLURM job {submission.job}{where} {what}; log: {log}"

    def _more_memory(self, declared_mib: int | None) -> str:
        """What to give after a job ended because of memory."""
        option = next((f"{name}={self._options[name]}" for name in _MEMORY if name in self._options), None)
        if option is not None:
            return f"; give more than --slurm {option}"
        if declared_mib is None:
            return "; give more with --slurm mem="
        more = in_gib(memory_after_excess(declared_mib))
        return (
            f"; {in_gib(declared_mib)} was declared; the same command declares {more}, or give more with --slurm mem="
        )


def job_states(jobs: Iterable[str]) -> dict[str, JobState] | None:
    """Ask SLURM for the states of tasks: the controller first, then, for those that it has forgotten, the accounting.

    Args:
        jobs: Jobs with the numbers of their tasks: `12_3`.

    Returns:
        The states that are known, by job; None if the controller does not answer.
    """
    wanted = set(jobs)
    arrays = sorted({job.partition("_")[0] for job in wanted})
    try:
        answer = call("squeue", "-h", "--array", "--states=all", "--format=%i|%T|%N", f"--jobs={','.join(arrays)}")
    except (OSError, subprocess.SubprocessError):
        return None
    if answer.returncode and "Invalid job id" not in answer.stderr:
        return None
    states = {}
    for line in answer.stdout.splitlines():
        job, name, node = line.strip().split("|")
        if job in wanted:
            states[job] = JobState(name, node)
    return states | _accounted(wanted - states.keys())


def _accounted(jobs: set[str]) -> dict[str, JobState]:
    """The states of ended tasks in SLURM's accounting; empty where it keeps none."""
    if not jobs or shutil.which("sacct") is None:
        return {}
    from submitit.slurm.slurm import SlurmInfoWatcher

    arrays = sorted({job.partition("_")[0] for job in jobs})
    try:
        answer = call("sacct", "-o", "JobID,State,NodeList", "--parsable2", f"--jobs={','.join(arrays)}")
    except (OSError, subprocess.SubprocessError):
        return {}
    rows: dict[str, dict[str, str]] = SlurmInfoWatcher().read_info(answer.stdout)
    return {job: JobState(rows[job]["State"].split()[0], rows[job]["NodeList"]) for job in jobs & rows.keys()}


def _is_lost(error: BaseException | None) -> bool:
    """Whether a signal other than Ctrl-C ends the command; a later command then watches the jobs."""
    return isinstance(error, KeyboardInterrupt) and error.args not in ((), (signal.SIGINT,))

"""The engine of SLURM: missing runs become the tasks of an array, and results return through the store alone.

The process that submits may end. The store notes the job of each run, and the same command then watches the jobs that
are still pending or running and submits the other runs.
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

from benchmark.runs.drawn_split import draw_split
from benchmark.runs.execution.engines.batch_script import batch_script, check_installed, log_file
from benchmark.runs.execution.engines.engine import Ended, Make, Work
from benchmark.runs.execution.engines.tasks import ENGINES, TaskFolders, error_file, write_tasks
from benchmark.runs.execution.events import Started, Submitted
from benchmark.runs.execution.failure import save_failed
from benchmark.runs.history import NO_HISTORY
from benchmark.runs.run import Run, RunSpec, SplitFacts
from zoo.config.atomic import write_text
from zoo.config.errors import ConfigError

MOST_TASKS = 1000
"""The most tasks of an array; SLURM's own default limit is one more."""

_POLL_S = 5.0
_LIMIT_S = 60.0
_SEEN_AFTER_S = 60.0
"""A network file system may show the files of another machine this much later."""

_ENDED = {
    "COMPLETED": "",
    "BOOT_FAIL": "; the same command computes the run again",
    "CANCELLED": ": it was cancelled; the same command computes the run again",
    "DEADLINE": "; give a later deadline",
    "FAILED": "",
    "NODE_FAIL": ": its machine failed; the same command computes the run again",
    "OUT_OF_MEMORY": ": it needed more memory than it had; give more with --slurm mem=",
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
    spec: RunSpec
    job: str
    folder: Path
    index: int
    split: SplitFacts
    stored_before: Run | None
    has_started: bool = False
    ended_since: float | None = None
    last: JobState = JobState("PENDING")


def slurm_engine(options: Mapping[str, str]) -> Make:
    """Make the engine of SLURM.

    Args:
        options: Options of SLURM by name (`parse_options`).

    Returns:
        What makes the engine of a command.

    Raises:
        ConfigError: submitit or SLURM is not installed, or an option is refused.
    """
    check_installed()
    batch_script(Path("/tasks"), 1, options)
    missing = [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name) is None]
    if missing:
        raise ConfigError(
            f"--engine slurm: {', '.join(missing)} not found; run the command on a machine of the cluster, or use "
            "--print-batch"
        )
    return partial(SlurmEngine, options=options)


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
    batch_script(Path("/tasks"), 1, options)
    folder = write_tasks(work, specs, "slurm", cores(options))
    script = batch_script(folder, len(specs), options)
    write_text(folder / "batch.sh", script)
    return script


def cores(options: Mapping[str, str]) -> int:
    """Return the number of cores, and of threads, of a task: 1 unless `cpus_per_task` is given."""
    return int(options.get("cpus_per_task", "1"))


class SlurmEngine:
    """Submits runs as arrays, and waits until the store has them or SLURM reports that they ended."""

    def __init__(self, work: Work, options: Mapping[str, str]) -> None:
        """Make an engine that has submitted nothing yet.

        Args:
            work: What all runs share.
            options: Options of SLURM by name.
        """
        self._work = work
        self._options = options
        self._notes = work.store.root / ENGINES
        self._answered = 0.0
        self._watched: dict[str, _Submission] = {}
        self._folders = TaskFolders()

    @property
    def is_busy(self) -> bool:
        """Whether runs are pending or in progress."""
        return bool(self._watched)

    def submit(self, specs: Sequence[RunSpec]) -> list[RunSpec]:
        """Submit all runs, except those with a job that is pending or running."""
        if not specs:
            return []
        splits = {spec.run_id: SplitFacts.of(draw_split(self._work.dataset, spec)) for spec in specs}
        noted = {spec.run_id: note for spec in specs if (note := self._note(spec.run_id)) is not None}
        states = job_states(note["job"] for note in noted.values()) if noted else {}
        if states is None:
            raise ConfigError("--engine slurm: squeue does not answer, so that submitted runs are unknown; try again")
        new: list[RunSpec] = []
        for spec in specs:
            note = noted.get(spec.run_id)
            state = None if note is None else states.get(note["job"])
            if note is None or state is None or state.has_ended:
                new.append(spec)
            else:
                self._watch(spec, note["job"], Path(note["folder"]), note["index"], splits[spec.run_id])
        for first in range(0, len(new), MOST_TASKS):
            part = new[first : first + MOST_TASKS]
            folder = write_tasks(self._work, part, "slurm", cores(self._options))
            write_text(folder / "batch.sh", batch_script(folder, len(part), self._options))
            array = _sbatch(folder / "batch.sh")
            for index, spec in enumerate(part):
                job = f"{array}_{index}"
                note = {"job": job, "folder": str(folder), "index": index}
                write_text(self._notes / f"{spec.run_id}.json", json.dumps(note))
                self._watch(spec, job, folder, index, splits[spec.run_id])
        return []

    def watch(self) -> list[Ended]:
        """Ask SLURM once, after a few seconds, and return the runs that have ended."""
        time.sleep(_POLL_S)
        states = job_states(submission.job for submission in self._watched.values())
        if states is None:  # the controller does not answer; jobs go on
            return []
        is_recent, self._answered = time.monotonic() - self._answered < _SEEN_AFTER_S, time.monotonic()
        ended = []
        for submission in list(self._watched.values()):
            run = self._outcome(submission, states.get(submission.job), is_recent)
            if run is not None:
                del self._watched[submission.spec.run_id]
                (self._notes / f"{submission.spec.run_id}.json").unlink(missing_ok=True)
                ended.append(Ended(submission.spec, run))
        if not self._watched:
            self._folders.tidy()
        return ended

    def cancel(self) -> None:
        """Cancel the jobs of the runs that have not ended, unless a signal other than Ctrl-C ends the command."""
        if _is_lost(sys.exception()):
            return
        if self._watched:
            with suppress(OSError, subprocess.SubprocessError):
                _call("scancel", *(submission.job for submission in self._watched.values()))
        for run_id in self._watched:
            (self._notes / f"{run_id}.json").unlink(missing_ok=True)
        self._watched.clear()

    def _watch(self, spec: RunSpec, job: str, folder: Path, index: int, split: SplitFacts) -> None:
        before = self._work.store.get(spec.run_id)
        self._watched[spec.run_id] = _Submission(spec, job, folder, index, split, before)
        self._folders.add(folder)
        self._work.on_event(Submitted(spec, f"SLURM job {job.partition('_')[0]}"))

    def _note(self, run_id: str) -> dict[str, Any] | None:
        """The note about the job of a run; None if there is none that can be read."""
        try:
            note: dict[str, Any] = json.loads((self._notes / f"{run_id}.json").read_text(encoding="utf-8"))
            return note if {"job", "folder", "index"} <= note.keys() else None
        except (OSError, ValueError, AttributeError):
            return None

    def _outcome(self, submission: _Submission, state: JobState | None, is_recent: bool) -> Run | None:
        """The stored run of a job that has ended, a failed one if the job left none; None if it has not ended.

        `is_recent` says whether SLURM answered shortly before, so that `last` is the state from which the job ended.
        """
        now = time.monotonic()
        if state is not None:
            submission.last = state
            if state.name == "RUNNING" and not submission.has_started:
                submission.has_started = True
                self._work.on_event(Started(submission.spec, submission.split))
            if not state.has_ended:
                submission.ended_since = None
                return None
        if submission.ended_since is None:  # a job that is requeued may seem to have ended for a moment
            submission.ended_since = now
            return None
        try:
            run = self._work.store.get(submission.spec.run_id)
        except ConfigError:  # a shared folder may refuse access for a moment; an error here would cancel all jobs
            if now - submission.ended_since < _SEEN_AFTER_S:
                return None
            raise
        if run is not None and run != submission.stored_before:
            if run.status != "ok":
                self._folders.keep(submission.folder)
            return run
        never_started = is_recent and state is None and submission.last.name == "PENDING"
        has_reason = never_started or (state is not None and state.name != "COMPLETED")
        if not has_reason and now - submission.ended_since < _SEEN_AFTER_S:
            return None
        self._folders.keep(submission.folder)
        run = Run.failed(submission.spec, self._reason(submission, state), submission.split)
        save_failed(self._work.store, run, (), NO_HISTORY)
        return run

    def _reason(self, submission: _Submission, state: JobState | None) -> str:
        with suppress(OSError):
            return error_file(submission.folder, submission.index).read_text(encoding="utf-8")
        where = f" on {submission.last.node}" if submission.last.node else ""
        log = log_file(submission.folder, submission.job)
        if state is not None:
            what = f"ended as {state.name}{_ENDED[state.name]}"
        elif submission.last.name == "PENDING":
            return f"SLURM job {submission.job} left the queue before it started{_ENDED['CANCELLED']}"
        else:
            what = "is unknown to SLURM and left no run"
        return f"SLURM job {submission.job}{where} {what}; log: {log}"


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
        answer = _call("squeue", "-h", "--array", "--states=all", "--format=%i|%T|%N", f"--jobs={','.join(arrays)}")
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
        answer = _call("sacct", "-o", "JobID,State,NodeList", "--parsable2", f"--jobs={','.join(arrays)}")
    except (OSError, subprocess.SubprocessError):
        return {}
    rows: dict[str, dict[str, str]] = SlurmInfoWatcher().read_info(answer.stdout)
    return {job: JobState(rows[job]["State"].split()[0], rows[job]["NodeList"]) for job in jobs & rows.keys()}


def _is_lost(error: BaseException | None) -> bool:
    """Whether a signal other than Ctrl-C ends the command; a later command then watches the jobs."""
    return isinstance(error, KeyboardInterrupt) and error.args not in ((), (signal.SIGINT,))


def _sbatch(script: Path) -> str:
    """Submit a script; the number of its job. Raises ConfigError with SLURM's own words."""
    try:
        answer = _call("sbatch", "--parsable", str(script))
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigError(f"--engine slurm: sbatch failed: {error}") from error
    if answer.returncode:
        words = " ".join(answer.stderr.split()).removeprefix("sbatch: error: ")
        raise ConfigError(f"--engine slurm: sbatch refuses {script}: {words}")
    return answer.stdout.strip().partition(";")[0]


def _call(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=_LIMIT_S)

"""The local engine: one process per run on this machine, several at a time."""

from __future__ import annotations

import math
import multiprocessing.connection
import signal
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchmark.data.decoding.prepared import prepare
from benchmark.data.splits import Split
from benchmark.runs.drawn_split import draw_whole_split, split_key, with_subset
from benchmark.runs.execution.engines.engine import Ended, Work
from benchmark.runs.execution.events import ComputedElsewhere, Preparing, Progressed, Started, Waiting
from benchmark.runs.execution.failure import save_failed
from benchmark.runs.execution.fork_server import warm_up, worker_context
from benchmark.runs.execution.limits import (
    Excess,
    exceeding_memory,
    has_room,
    in_words,
    is_scarce,
    kill_tree,
    kills_for_memory,
    memory_left,
)
from benchmark.runs.execution.machine.batch_size_trial import SMALLER_IMAGES, batch_size_of, fitting_batch_size
from benchmark.runs.execution.machine.cached_measurement import MEASURING, MachineTrials
from benchmark.runs.execution.machine.convolution_trial import CONVOLUTION_TRIAL
from benchmark.runs.execution.machine.prefix_trial import PREFIX_TRIAL
from benchmark.runs.execution.main_module import Registration, registration_of, without_main_module
from benchmark.runs.execution.messages import Message, NotStored, PreparedLost, ScoresReady, StepBegun, Stored
from benchmark.runs.execution.reuse import feature_key, reusable_run, shared_cuts
from benchmark.runs.run import Job, Progress, Run, RunSpec, SplitFacts
from benchmark.training.quiet import check_backend, load_keras
from zoo.config.cgroups import usable_cores

_POLL_S = 0.5
_RETRY_S = 2.0
_MIB = 1024**2
_GIB = 1024**3
_MARGIN = 0.2
"""The share of a limit that a trial of batch sizes leaves free."""
_LONGEST_WAIT_S = 600.0
"""A run starts after this time however little memory is left: what uses the memory may never end."""


@dataclass
class _Worker:
    job: Job
    process: BaseProcess
    pipe: Connection
    split: SplitFacts
    claim: ExitStack
    stored_before: Run | None
    alone: bool
    started: float = field(default_factory=time.monotonic)
    step: str = "its start"
    scores: ScoresReady = field(default_factory=ScoresReady)
    stored: Stored | None = None
    end_reason: str | None = None
    may_fit: bool = False
    memory_was_scarce: bool = False
    limit: float | None = None
    kills_before: int = field(default_factory=kills_for_memory)

    @property
    def spec(self) -> RunSpec:
        """The run."""
        return self.job.spec


class LocalEngine:
    """Starts and follows worker processes; draws and prepares each split once."""

    def __init__(self, work: Work) -> None:
        """Make an engine that computes nothing yet.

        Args:
            work: What all runs share.

        Raises:
            ConfigError: The environment names a backend of Keras that cannot be used.
        """
        check_backend()
        self._work = work
        self._store = work.store
        self._on_event = work.on_event
        self._limits = work.limits
        self._also_unfrozen = shared_cuts(work.specs, work.also_unfrozen)
        self._memory_checked = -math.inf
        self._waiting_since: float | None = None
        self._mentioned_wait = False
        self._splits: dict[Any, Split] = {}
        self._context = worker_context()
        self._threads = work.threads or usable_cores()
        self._trials = MachineTrials(PREFIX_TRIAL, self._threads, self._context)
        self._convolution_trials = MachineTrials(CONVOLUTION_TRIAL, self._threads, self._context)
        self._running: list[_Worker] = []
        self._ended: list[Ended] = []
        self._exceeding: list[tuple[_Worker, Run]] = []
        self._again: set[str] = set()

    @property
    def is_busy(self) -> bool:
        """Whether runs are in progress."""
        return bool(self._running or self._ended or self._exceeding)

    def submit(self, specs: Sequence[RunSpec]) -> list[RunSpec]:
        """Start runs while `jobs` and memory allow it; those that another process computes are returned last."""
        waiting = deque(specs)
        for _ in range(len(waiting)):
            if len(self._running) >= self._work.jobs or not self._may_start(waiting[0]):
                break
            spec = waiting.popleft()
            claim = ExitStack()
            if not claim.enter_context(self._store.claim(spec.run_id)):
                self._on_event(ComputedElsewhere(spec))
                waiting.append(spec)
                continue
            run = reusable_run(self._store, spec)
            if run is not None:  # another process finished it before this one claimed it
                claim.close()
                self._ended.append(Ended(spec, run, is_reused=True))
                continue
            self._running.append(self._start(spec, claim))
        return list(waiting)

    def watch(self) -> list[Ended]:
        """Handle messages of workers, enforce the limits, and collect the workers that have ended."""
        ended, self._ended = self._ended, []
        if not self._running and self._exceeding:  # nothing else runs: the memory is free for a trial
            ended.append(self._advised(*self._exceeding.pop(0)))
        if ended and not self._running:
            return ended
        self._wait(_POLL_S if self._running else _RETRY_S)
        for worker in [w for w in self._running if not w.process.is_alive()]:
            self._drain(worker)
            self._running.remove(worker)
            run = self._collect(worker)
            if run.memory_limit_mib is None or (worker.may_fit and run.run_id not in self._again):
                self._again.add(run.run_id)
                ended.append(Ended(worker.spec, run, may_fit=worker.may_fit))
            else:
                self._exceeding.append((worker, run))
        return ended

    def cancel(self) -> None:
        """Kill the workers; their claims end."""
        for worker in self._running:
            kill_tree(_pid(worker))
            worker.process.join()
            worker.claim.close()
        self._running.clear()

    def _may_start(self, spec: RunSpec) -> bool:
        """Whether enough memory is left to start a run, or nothing else runs and it has waited long enough."""
        if has_room():
            self._waiting_since = None
            return True
        if self._running:
            return False
        now = time.monotonic()
        if self._waiting_since is None:
            self._waiting_since = now
        if not self._mentioned_wait:
            self._mentioned_wait = True
            self._on_event(Waiting(spec))
        return now - self._waiting_since >= _LONGEST_WAIT_S

    def _start(self, spec: RunSpec, claim: ExitStack) -> _Worker:
        self._on_event(Preparing(spec))
        warm_up()
        try:
            folder, split = self._prepare(spec)
            facts = SplitFacts.of(with_subset(split, spec))
            here, there = self._context.Pipe(duplex=False)
            measuring = Progressed(spec, Progress(0, 1, MEASURING))
            job = Job(
                spec,
                folder,
                facts,
                also_unfrozen=self._also_unfrozen[feature_key(spec)],
                trial=self._trials.trial_for(spec, lambda: self._on_event(measuring)),
                convolutions=self._convolution_trials.trial_for(spec, lambda: self._on_event(measuring)),
                registration=self._work.registration,
            )
            stored_before = self._store.get(spec.run_id)
            registration = registration_of(spec.card.model.builder)
            process = self._context.Process(
                target=_work, args=(registration, job, self._store.root, self._threads, there), daemon=True
            )
            with without_main_module():
                process.start()
            there.close()
        except BaseException:
            claim.close()
            raise
        self._on_event(Started(spec, facts))
        return _Worker(job, process, here, facts, claim, stored_before, alone=not self._running)

    def _wait(self, seconds: float) -> None:
        """Wait up to `seconds` for messages or the end of a worker, handle messages, and enforce the limits."""
        handles = [w.process.sentinel for w in self._running]
        pipes = [w.pipe for w in self._running if not w.pipe.closed]
        ready = multiprocessing.connection.wait([*handles, *pipes], timeout=seconds)
        for worker in self._running:
            if worker.pipe in ready:
                self._drain(worker)
        self._enforce_limits([worker for worker in self._running if worker.end_reason is None])

    def _drain(self, worker: _Worker) -> None:
        """Handle all messages that a worker has sent."""
        while not worker.pipe.closed and worker.pipe.poll():
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                worker.pipe.close()
                return
            self._handle(worker, message)

    def _collect(self, worker: _Worker) -> Run:
        """The stored run of a worker that has ended. If it crashed, store a failed run with the scores it had sent."""
        try:
            worker.process.join()
            if worker.stored is not None and worker.stored.failed is not None:
                return worker.stored.failed
            run = self._store.get(worker.spec.run_id)
            if run is not None and (worker.stored is not None or run != worker.stored_before):
                return run
            code = worker.process.exitcode
            if worker.end_reason is None and code == -signal.SIGKILL:
                is_sure = kills_for_memory() > worker.kills_before
                if is_sure or worker.memory_was_scarce:  # the system ends processes when memory is used up
                    worker.limit = memory_left()[1]
                    worker.may_fit = not (is_sure and worker.alone)
            run = Run.failed(worker.spec, _failure(worker), worker.split)
            if worker.limit is not None:
                run = run.model_copy(update={"memory_limit_mib": round(worker.limit / _MIB, 1)})
            save_failed(self._store, run, worker.scores.scores, worker.scores.history)
            return run
        finally:
            worker.claim.close()

    def _advised(self, worker: _Worker, run: Run) -> Ended:
        """Add what would fit to the error of a run that was ended because of its memory."""
        free, _ = memory_left()
        most = self._limits.memory_gib
        limit = (1 - _MARGIN) * (free if most is None else min(free, most * _GIB))
        result = fitting_batch_size(worker.job, self._threads, self._context, limit)
        size = batch_size_of(worker.spec.card)
        advice = SMALLER_IMAGES if result is None or size is None else result.advice(size)
        run = run.model_copy(update={"error": f"{run.error}; {advice}"})
        save_failed(self._store, run, worker.scores.scores, worker.scores.history)
        return Ended(worker.spec, run, may_fit=worker.may_fit)

    def _handle(self, worker: _Worker, message: Message) -> None:
        match message:
            case Progress():
                self._on_event(Progressed(worker.spec, message))
            case StepBegun(step):
                worker.step = step
            case ScoresReady():
                worker.scores = message
            case PreparedLost():
                self._prepare(worker.spec)
            case Stored():
                worker.stored = message
            case NotStored(reason):
                worker.process.join()
                raise OSError(None, f"{reason}; the run {worker.spec.card.name} could not be stored")

    def _enforce_limits(self, running: Sequence[_Worker]) -> None:
        now = time.monotonic()
        for worker in running:
            if self._limits.seconds is not None and now - worker.started > self._limits.seconds:
                reason = f"ended after {in_words(self._limits.seconds)} (--run-timeout)"
                self._end(worker, Excess(reason, may_fit=False))
        if now - self._memory_checked >= _POLL_S:
            self._memory_checked = now
            by_id = {worker.spec.run_id: worker for worker in running if worker.end_reason is None}
            pids = {run_id: _pid(worker) for run_id, worker in by_id.items()}
            scarce = is_scarce()
            for worker in by_id.values():
                worker.memory_was_scarce |= scarce
            for run_id, excess in exceeding_memory(pids, self._limits).items():
                self._end(by_id[run_id], excess)

    def _end(self, worker: _Worker, excess: Excess) -> None:
        worker.end_reason, worker.may_fit, worker.limit = excess.reason, excess.may_fit, excess.limit
        kill_tree(_pid(worker))

    def _prepare(self, spec: RunSpec) -> tuple[Path, Split]:
        """The folder of the prepared images, filled again if it was cleared, and their split, drawn once.

        Runs on subsets of the training images share the folder of all of them.
        """
        key = split_key(spec)
        if key not in self._splits:
            self._splits[key] = draw_whole_split(self._work.dataset, spec)
        return prepare(self._work.dataset, self._splits[key], spec.protocol.image_size), self._splits[key]


def _work(registration: Registration, *arguments: Any) -> None:
    registration.ensure()
    load_keras()  # here, since the parent never needs it
    from benchmark.runs.execution.worker import work

    work(*arguments)


def _pid(worker: _Worker) -> int:
    assert worker.process.pid is not None
    return worker.process.pid


def _failure(worker: _Worker) -> str:
    """Say in one line why a worker ended without a run."""
    code, hint = worker.process.exitcode, ""
    if worker.end_reason is not None:
        reason = worker.end_reason
    elif code is not None and code < 0:
        name = signal.Signals(-code).name
        reason = f"the process of this run was ended by {name}"
        hint = "; the machine may have run out of memory" if name == "SIGKILL" else ""
        if worker.limit is not None and kills_for_memory() > worker.kills_before:
            hint = f"; it reached the memory limit of {worker.limit / _GIB:.1f} GiB"
    else:
        reason = f"the process of this run ended with code {code} without a result"
    scores = "; scores are kept" if worker.scores.scores else ""
    return f"{reason} during {worker.step}{hint}{scores}"

"""Execution of runs: one process per run, several at a time, each run stored as soon as it ends."""

from __future__ import annotations

import math
import multiprocessing
import multiprocessing.connection
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchmark.data.dataset import Dataset
from benchmark.data.decoding.prepared import prepare
from benchmark.data.splits import Split
from benchmark.runs.drawn_split import draw_whole_split, split_key, with_subset
from benchmark.runs.execution.events import (
    ComputedElsewhere,
    Event,
    Finished,
    Postponed,
    Preparing,
    Progressed,
    Reused,
    Started,
    Waiting,
)
from benchmark.runs.execution.failure import save_failed
from benchmark.runs.execution.limits import (
    NO_LIMITS,
    Excess,
    Limits,
    exceeding_memory,
    has_room,
    in_words,
    is_scarce,
    kill_tree,
)
from benchmark.runs.execution.main_module import Registration, registration_of, without_main_module
from benchmark.runs.execution.messages import Message, NotStored, PreparedLost, ScoresReady, StepBegun, Stored
from benchmark.runs.execution.order import cheap_first
from benchmark.runs.execution.prefix_trial import MEASURING, MachineTrials
from benchmark.runs.run import Job, Progress, Run, RunSpec, SplitFacts
from benchmark.runs.storage.store import Store
from benchmark.training.quiet import load_keras
from zoo.models.registry import Unfrozen, get_builder

_POLL_S = 0.5
_RETRY_S = 2.0
_LONGEST_WAIT_S = 600.0
"""A run starts after this time however little memory is left: what uses the memory may never end."""


def warm_up() -> None:
    """Start the process from which workers are forked, so that it imports Keras in the background."""
    if worker_context().get_start_method() == "forkserver":
        from multiprocessing import forkserver, resource_tracker  # not on every platform

        resource_tracker.ensure_running()  # first, since the fork server would start it, and its start unblocks SIGINT
        # Blocked from the start of the new process: only this process handles Ctrl-C.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass
class _Worker:
    spec: RunSpec
    process: BaseProcess
    pipe: Connection
    split: SplitFacts
    claim: ExitStack
    stored_before: Run | None
    started: float = field(default_factory=time.monotonic)
    step: str = "its start"
    scores: ScoresReady = field(default_factory=ScoresReady)
    stored: Stored | None = None
    end_reason: str | None = None
    may_fit: bool = False
    memory_was_scarce: bool = False


def execute_all(
    specs: Sequence[RunSpec],
    dataset: Dataset,
    store: Store,
    *,
    jobs: int = 1,
    also_unfrozen: Sequence[Unfrozen] = (),
    limits: Limits = NO_LIMITS,
    on_event: Callable[[Event], None] = lambda _: None,
    registration: str | None = None,
) -> list[Run]:
    """Compute and store runs, each in a separate process; those of cheap kinds first.

    Finished runs of the store are reused; failed ones are computed again. A run that another process computes is
    awaited. A run that exceeds a limit is ended and stored as failed; the others continue. No run starts while other
    programs use nearly all memory, for at most ten minutes. A run that was ended for want of memory is tried again
    once, alone, after all others. On an exception, including KeyboardInterrupt, runs in progress are ended; finished
    ones stay stored.

    Args:
        specs: The runs.
        dataset: Their images.
        store: Where runs are stored.
        jobs: The most runs computed at once.
        also_unfrozen: Unfrozen layers that later runs will have, so that they find their features.
        limits: Limits of each run.
        on_event: Called with each event.
        registration: Digest of the registration that contains the runs; their records name it.

    Returns:
        The runs in the order of `specs`.

    Raises:
        DataError: The data cannot be split as the protocol requests.
        OSError: The store cannot be written.
    """
    store.sweep()
    engine = _Engine(dataset, store, on_event, _shared_cuts(specs, also_unfrozen), limits, registration)
    waiting: deque[RunSpec] = deque()
    done: dict[str, Run] = {}
    for spec in cheap_first(specs):
        run = reusable_run(store, spec)
        if run is not None:
            done[spec.run_id] = run
            on_event(Reused(spec, run))
        else:
            waiting.append(spec)
    running: list[_Worker] = []
    postponed: deque[RunSpec] = deque()
    tried: set[str] = set()
    try:
        while waiting or running or postponed:
            if not waiting and not running:
                waiting.append(postponed.popleft())
            for _ in range(len(waiting)):
                if len(running) >= jobs or not engine.may_start(waiting[0], running):
                    break
                spec = waiting.popleft()
                claim = ExitStack()
                if not claim.enter_context(store.claim(spec.run_id)):
                    on_event(ComputedElsewhere(spec))
                    waiting.append(spec)
                    continue
                run = reusable_run(store, spec)
                if run is not None:  # another process finished it before this one claimed it
                    claim.close()
                    done[spec.run_id] = run
                    on_event(Reused(spec, run))
                    continue
                running.append(engine.start(spec, claim))
            if running or waiting:
                engine.watch(running, _POLL_S if running else _RETRY_S)
            for worker in [w for w in running if not w.process.is_alive()]:
                engine.drain(worker)
                running.remove(worker)
                run = engine.collect(worker)
                if run.error is not None and worker.may_fit and run.run_id not in tried:
                    tried.add(run.run_id)
                    postponed.append(worker.spec)
                    on_event(Postponed(worker.spec, run.error))
                    continue
                done[worker.spec.run_id] = run
                on_event(Finished(worker.spec, run))
    finally:
        for worker in running:
            kill_tree(_pid(worker))
            worker.process.join()
            worker.claim.close()
    return [done[spec.run_id] for spec in specs]


class _Engine:
    """Starts and follows worker processes; draws and prepares each split once."""

    def __init__(
        self,
        dataset: Dataset,
        store: Store,
        on_event: Callable[[Event], None],
        also_unfrozen: Mapping[str, tuple[Unfrozen, ...]],
        limits: Limits,
        registration: str | None,
    ) -> None:
        self._registration = registration
        self._also_unfrozen = also_unfrozen
        self._dataset = dataset
        self._store = store
        self._on_event = on_event
        self._limits = limits
        self._memory_checked = -math.inf
        self._waiting_since: float | None = None
        self._mentioned_wait = False
        self._splits: dict[Any, Split] = {}
        self._context = worker_context()
        self._threads = os.cpu_count() or 1
        self._trials = MachineTrials(self._threads, self._context)

    def may_start(self, spec: RunSpec, running: Sequence[_Worker]) -> bool:
        """Whether enough memory is left to start a run, or it has waited long enough.

        Args:
            spec: The run that is next.
            running: The runs in progress. While there are any, no time limit is needed.

        Returns:
            False if it must wait.
        """
        if has_room():
            self._waiting_since = None
            return True
        if running:
            return False
        now = time.monotonic()
        if self._waiting_since is None:
            self._waiting_since = now
        if not self._mentioned_wait:
            self._mentioned_wait = True
            self._on_event(Waiting(spec))
        return now - self._waiting_since >= _LONGEST_WAIT_S

    def start(self, spec: RunSpec, claim: ExitStack) -> _Worker:
        self._on_event(Preparing(spec))
        warm_up()
        try:
            folder, split = self._prepare(spec)
            facts = SplitFacts.of(with_subset(split, spec))
            here, there = self._context.Pipe(duplex=False)
            measuring = Progressed(spec, Progress(0, 1, MEASURING))
            trial = self._trials.trial_for(spec, lambda: self._on_event(measuring))
            stored_before = self._store.get(spec.run_id)
            job = Job(spec, folder, facts, self._also_unfrozen[_feature_key(spec)], trial, self._registration)
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
        return _Worker(spec, process, here, facts, claim, stored_before)

    def watch(self, running: Sequence[_Worker], seconds: float) -> None:
        """Wait up to `seconds` for messages or the end of a worker, handle messages, and enforce the limits."""
        handles = [w.process.sentinel for w in running]
        pipes = [w.pipe for w in running if not w.pipe.closed]
        ready = multiprocessing.connection.wait([*handles, *pipes], timeout=seconds)
        for worker in running:
            if worker.pipe in ready:
                self.drain(worker)
        self._enforce_limits([worker for worker in running if worker.end_reason is None])

    def drain(self, worker: _Worker) -> None:
        """Handle all messages that a worker has sent."""
        while not worker.pipe.closed and worker.pipe.poll():
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                worker.pipe.close()
                return
            self._handle(worker, message)

    def collect(self, worker: _Worker) -> Run:
        """The stored run of a worker that has ended. If it crashed, store a failed run with the scores it had sent."""
        try:
            worker.process.join()
            if worker.stored is not None and worker.stored.failed is not None:
                return worker.stored.failed
            run = self._store.get(worker.spec.run_id)
            if run is not None and (worker.stored is not None or run != worker.stored_before):
                return run
            code = worker.process.exitcode
            if worker.end_reason is None and worker.memory_was_scarce and code == -signal.SIGKILL:
                worker.may_fit = True  # the system ends processes when memory is used up
            run = Run.failed(worker.spec, _failure(worker), worker.split)
            save_failed(self._store, run, worker.scores.scores, worker.scores.history)
            return run
        finally:
            worker.claim.close()

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
        worker.end_reason, worker.may_fit = excess.reason, excess.may_fit
        kill_tree(_pid(worker))

    def _prepare(self, spec: RunSpec) -> tuple[Path, Split]:
        """The folder of the prepared images, filled again if it was cleared, and their split, drawn once.

        Runs on subsets of the training images share the folder of all of them.
        """
        key = split_key(spec)
        if key not in self._splits:
            self._splits[key] = draw_whole_split(self._dataset, spec)
        return prepare(self._dataset, self._splits[key], spec.protocol.image_size), self._splits[key]


def worker_context() -> Any:
    """The context that starts workers: forked from a server that has imported Keras, where the platform can fork."""
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(["benchmark.runs.execution.preload"])
    return context


def _feature_key(spec: RunSpec) -> str:
    """A key that is equal for runs with the same features: the same builder, base, views and preprocessing."""
    recipe, model = spec.card.recipe, spec.card.model
    builder = get_builder(model.builder)
    weights = builder.weights_of(model.params)
    facts = (
        model.builder,
        weights and weights.name,
        builder.base_of(model.params),
        recipe.preprocessing,
        recipe.augmentation,
    )
    return repr((*facts, spec.split_seed, spec.protocol.identity()))


def _shared_cuts(specs: Sequence[RunSpec], also: Sequence[Unfrozen]) -> dict[str, tuple[Unfrozen, ...]]:
    """The unfrozen layers in each group of runs that may share features, by `_feature_key`."""
    numbers: dict[str, set[Unfrozen]] = {}
    for spec in specs:
        model = spec.card.model
        numbers.setdefault(_feature_key(spec), set(also)).add(get_builder(model.builder).unfrozen(model.params))
    return {key: tuple(sorted(layers, key=lambda each: f"{each:>9}")) for key, layers in numbers.items()}


def _work(registration: Registration, *arguments: Any) -> None:
    registration.ensure()
    load_keras()  # here, since the parent never needs it
    from benchmark.runs.execution.worker import work

    work(*arguments)


def reusable_run(store: Store, spec: RunSpec) -> Run | None:
    """The stored run of `spec` if it finished and is intact, with its model if the protocol keeps models; else None."""
    run = store.get(spec.run_id)
    if run is None or run.status != "ok" or (spec.protocol.keep_models and not store.model_is_whole(run)):
        return None
    return run


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
    else:
        reason = f"the process of this run ended with code {code} without a result"
    scores = "; scores are kept" if worker.scores.scores else ""
    return f"{reason} during {worker.step}{hint}{scores}"

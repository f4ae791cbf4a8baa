"""Runs executed in processes of their own, some at a time, each stored as soon as it is done."""

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
from benchmark.data.splits import Split, make_fold, make_split
from benchmark.runs.execution.events import Elsewhere, Event, Finished, Preparing, Reused, Started, Stepped
from benchmark.runs.execution.failure import save_failed
from benchmark.runs.execution.limits import NO_LIMITS, Limits, end, in_words, over_memory
from benchmark.runs.execution.main_module import Registration, main_left_out, registration_of
from benchmark.runs.execution.messages import Message, NotStored, PreparedLost, ScoresReady, StepBegun, Stored
from benchmark.runs.execution.prefix_trial import MEASURING, Machine
from benchmark.runs.run import Job, Progress, Run, RunSpec, SplitFacts
from benchmark.runs.storage.store import Store
from benchmark.training.quiet import load_keras
from zoo.models.registry import get_builder

_POLL_S = 0.5
_RETRY_S = 2.0


def warm_up() -> None:
    """Start the process that workers are forked from: it imports Keras while this one does something else."""
    if _context().get_start_method() == "forkserver":
        from multiprocessing import forkserver, resource_tracker  # not on every platform

        resource_tracker.ensure_running()  # it unblocks the signal, and is started by the other unless it is there
        # The new process has it blocked from its first moment on: Ctrl-C is this one's to answer.
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
    before: Run | None
    started: float = field(default_factory=time.monotonic)
    step: str = "its start"
    scores: ScoresReady = field(default_factory=ScoresReady)
    stored: Stored | None = None
    ended: str | None = None


def execute_all(
    specs: Sequence[RunSpec],
    dataset: Dataset,
    store: Store,
    *,
    jobs: int = 1,
    also_unfrozen: Sequence[int] = (),
    limits: Limits = NO_LIMITS,
    on_event: Callable[[Event], None] = lambda _: None,
) -> list[Run]:
    """The runs of `specs`, in their order: those the store holds are reused, failed ones are tried again, the others
    are computed, `jobs` at a time. A run that another process computes is waited for. `also_unfrozen` are numbers of
    unfrozen layers that later runs will have. A run beyond its `limits` is ended and is a failed run; the others go on.

    Raises DataError when the data cannot be split as asked, OSError when the store cannot be written; what was
    finished is kept. On KeyboardInterrupt the runs in progress are ended.
    """
    store.sweep()
    engine = _Engine(dataset, store, on_event, _shared_cuts(specs, also_unfrozen), limits)
    waiting: deque[RunSpec] = deque()
    done: dict[str, Run] = {}
    for spec in specs:
        run = reusable_run(store, spec)
        if run is not None:
            done[spec.run_id] = run
            on_event(Reused(spec, run))
        else:
            waiting.append(spec)
    running: list[_Worker] = []
    try:
        while waiting or running:
            for _ in range(len(waiting)):
                if len(running) >= jobs:
                    break
                spec = waiting.popleft()
                claim = ExitStack()
                if not claim.enter_context(store.claim(spec.run_id)):
                    on_event(Elsewhere(spec))
                    waiting.append(spec)
                    continue
                run = reusable_run(store, spec)
                if run is not None:  # another process has just finished it
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
                done[worker.spec.run_id] = run
                on_event(Finished(worker.spec, run))
    finally:
        for worker in running:
            end(_pid(worker))
            worker.process.join()
            worker.claim.close()
    return [done[spec.run_id] for spec in specs]


class _Engine:
    """Starts and follows worker processes; the splits it drew are prepared once."""

    def __init__(
        self,
        dataset: Dataset,
        store: Store,
        on_event: Callable[[Event], None],
        also_unfrozen: Mapping[str, tuple[int, ...]],
        limits: Limits,
    ) -> None:
        self._also_unfrozen = also_unfrozen
        self._dataset = dataset
        self._store = store
        self._on_event = on_event
        self._limits = limits
        self._looked = -math.inf
        self._splits: dict[Any, Split] = {}
        self._context = _context()
        self._threads = os.cpu_count() or 1
        self._machine = Machine(self._threads, self._context)

    def start(self, spec: RunSpec, claim: ExitStack) -> _Worker:
        self._on_event(Preparing(spec))
        warm_up()
        try:
            folder, split = self._prepare(spec)
            facts = SplitFacts.of(split)
            here, there = self._context.Pipe(duplex=False)
            measuring = Stepped(spec, Progress(0, 1, MEASURING))
            trial = self._machine.trial_for(spec, lambda: self._on_event(measuring))
            before = self._store.get(spec.run_id)
            job = Job(spec, folder, facts, self._also_unfrozen[_feature_key(spec)], trial)
            registration = registration_of(spec.card.model.builder)
            process = self._context.Process(
                target=_work, args=(registration, job, self._store.root, self._threads, there), daemon=True
            )
            with main_left_out():
                process.start()
            there.close()
        except BaseException:
            claim.close()
            raise
        self._on_event(Started(spec, facts))
        return _Worker(spec, process, here, facts, claim, before)

    def watch(self, running: Sequence[_Worker], seconds: float) -> None:
        """Wait for news of any worker, and pass it on."""
        handles = [w.process.sentinel for w in running]
        pipes = [w.pipe for w in running if not w.pipe.closed]
        ready = multiprocessing.connection.wait([*handles, *pipes], timeout=seconds)
        for worker in running:
            if worker.pipe in ready:
                self.drain(worker)
        self._end_those_beyond_limits([worker for worker in running if worker.ended is None])

    def drain(self, worker: _Worker) -> None:
        """Read everything a worker has said so far."""
        while not worker.pipe.closed and worker.pipe.poll():
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                worker.pipe.close()
                return
            self._handle(worker, message)

    def collect(self, worker: _Worker) -> Run:
        """The stored run of a worker that has ended; a crashed one is stored as failed, with the scores it had."""
        try:
            worker.process.join()
            if worker.stored is not None and worker.stored.failed is not None:
                return worker.stored.failed
            run = self._store.get(worker.spec.run_id)
            if run is not None and (worker.stored is not None or run != worker.before):
                return run
            run = Run.failed(worker.spec, _why(worker), worker.split)
            save_failed(self._store, run, worker.scores.scores, worker.scores.history)
            return run
        finally:
            worker.claim.close()

    def _handle(self, worker: _Worker, message: Message) -> None:
        match message:
            case Progress():
                self._on_event(Stepped(worker.spec, message))
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

    def _end_those_beyond_limits(self, running: Sequence[_Worker]) -> None:
        now = time.monotonic()
        for worker in running:
            if self._limits.seconds is not None and now - worker.started > self._limits.seconds:
                self._end(worker, f"ended after {in_words(self._limits.seconds)} (--run-timeout)")
        if now - self._looked >= _POLL_S:
            self._looked = now
            by_id = {worker.spec.run_id: worker for worker in running if worker.ended is None}
            pids = {run_id: _pid(worker) for run_id, worker in by_id.items()}
            for run_id, why in over_memory(pids, self._limits).items():
                self._end(by_id[run_id], why)

    def _end(self, worker: _Worker, why: str) -> None:
        worker.ended = why
        end(_pid(worker))

    def _prepare(self, spec: RunSpec) -> tuple[Path, Split]:
        """The folder of the prepared images, filled again where it was cleared, and their split, drawn once."""
        key = (spec.split_seed, spec.protocol.sampling, spec.fold)
        if key not in self._splits:
            split = make_split(self._dataset, spec.protocol.sampling, spec.split_seed)
            if spec.fold is not None:
                split = make_fold(split, *spec.fold, spec.split_seed)
            self._splits[key] = split
        return prepare(self._dataset, self._splits[key], spec.protocol.image_size), self._splits[key]


def _context() -> Any:
    """Workers are forked from a server that has imported Keras once and has run nothing. Elsewhere they import it."""
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(["benchmark.runs.execution.preload"])
    return context


def _feature_key(spec: RunSpec) -> str:
    """Equal for runs that may share features: the same builder, base, views and preprocessing."""
    recipe, model = spec.card.recipe, spec.card.model
    weights = get_builder(model.builder).weights_of(model.params)
    facts = (model.builder, weights and weights.name, recipe.preprocessing, recipe.augmentation)
    return repr((*facts, spec.split_seed, spec.protocol.identity()))


def _shared_cuts(specs: Sequence[RunSpec], also: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """For each group of runs that may share features, the numbers of layers that they unfreeze."""
    numbers: dict[str, set[int]] = {}
    for spec in specs:
        model = spec.card.model
        numbers.setdefault(_feature_key(spec), set(also)).add(get_builder(model.builder).unfrozen(model.params))
    return {key: tuple(sorted(layers)) for key, layers in numbers.items()}


def _work(registration: Registration, *arguments: Any) -> None:
    registration.ensure()
    # The worker imports Keras, which the parent never needs.
    load_keras()
    from benchmark.runs.execution.worker import work

    work(*arguments)


def reusable_run(store: Store, spec: RunSpec) -> Run | None:
    """The stored run that serves for `spec`: it ended well and is whole, with its model if the protocol asks for it."""
    run = store.get(spec.run_id)
    if run is None or run.status != "ok" or (spec.protocol.keep_models and not store.model_is_whole(run)):
        return None
    return run


def _pid(worker: _Worker) -> int:
    assert worker.process.pid is not None
    return worker.process.pid


def _why(worker: _Worker) -> str:
    """Why a worker ended without a run, in one line."""
    code, hint = worker.process.exitcode, ""
    if worker.ended is not None:
        what = worker.ended
    elif code is not None and code < 0:
        name = signal.Signals(-code).name
        what = f"the process of this run was ended by {name}"
        hint = "; the machine may have run out of memory" if name == "SIGKILL" else ""
    else:
        what = f"the process of this run ended with code {code} without a result"
    kept = "; scores are kept" if worker.scores.scores else ""
    return f"{what} during {worker.step}{hint}{kept}"

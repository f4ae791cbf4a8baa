"""Runs executed in processes of their own, some at a time, each kept as soon as it is done."""

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
from typing import Any, Literal

from benchmark.data.dataset import Dataset
from benchmark.data.decoding.prepared import prepare
from benchmark.data.splits import Split, make_fold, make_split
from benchmark.runs.execution.failure import save_failed
from benchmark.runs.execution.limits import NO_LIMITS, Limits, end, in_words, over_memory
from benchmark.runs.execution.main_module import Registration, main_left_out, registration_of
from benchmark.runs.execution.messages import Begun, Message, NotStored, PreparedLost, Scored, Stored
from benchmark.runs.execution.prefix_trial import MEASURING, Machine
from benchmark.runs.run import Job, Progress, Run, RunSpec, SplitFacts
from benchmark.runs.storage.store import Store

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


@dataclass(frozen=True)
class Event:
    """Something that happened to a run. `payload` is the run's SplitFacts for "started", a Progress for "step", a Run
    for "done" and "reused"."""

    kind: Literal["preparing", "started", "step", "done", "reused", "elsewhere"]
    spec: RunSpec
    payload: Any = None


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
    scored: Scored | None = None
    stored: Stored | None = None
    ended: str | None = None


def execute_all(
    specs: Sequence[RunSpec],
    dataset: Dataset,
    store: Store,
    *,
    jobs: int = 1,
    also_unfrozen: Sequence[int] = (),
    put_aside: bool = False,
    limits: Limits = NO_LIMITS,
    on_event: Callable[[Event], None] = lambda _: None,
) -> list[Run]:
    """The runs of `specs`, in their order: those the store holds are reused, failed ones are tried again, the others
    are computed, `jobs` at a time. A run that another process computes is waited for. `also_unfrozen` are numbers of
    unfrozen layers that later runs will have; `put_aside` keeps trained weights for a later run of the same training
    (`benchmark.runs.trained`). A run beyond its `limits` is ended and is a failed run; the others go on.

    Raises DataError when the data cannot be split as asked, OSError when the store cannot be written; what was
    finished is kept. On KeyboardInterrupt the runs in progress are ended.
    """
    store.sweep()
    engine = _Engine(dataset, store, on_event, _shared_cuts(specs, also_unfrozen), put_aside, limits)
    waiting: deque[RunSpec] = deque()
    done: dict[str, Run] = {}
    for spec in specs:
        held = finished(store, spec)
        if held is not None:
            done[spec.run_id] = held
            on_event(Event("reused", spec, held))
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
                    on_event(Event("elsewhere", spec))
                    waiting.append(spec)
                    continue
                held = finished(store, spec)
                if held is not None:  # another process has just finished it
                    claim.close()
                    done[spec.run_id] = held
                    on_event(Event("reused", spec, held))
                    continue
                running.append(engine.start(spec, claim))
            if running or waiting:
                engine.watch(running, _POLL_S if running else _RETRY_S)
            for worker in [w for w in running if not w.process.is_alive()]:
                engine.drain(worker)
                running.remove(worker)
                run = engine.collect(worker)
                done[worker.spec.run_id] = run
                on_event(Event("done", worker.spec, run))
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
        put_aside: bool,
        limits: Limits,
    ) -> None:
        self._also_unfrozen = also_unfrozen
        self._put_aside = put_aside
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
        self._on_event(Event("preparing", spec))
        warm_up()
        try:
            folder, split = self._prepare(spec)
            facts = SplitFacts.of(split)
            here, there = self._context.Pipe(duplex=False)
            measuring = Event("step", spec, Progress(0, 1, MEASURING))
            trial = self._machine.trial_for(spec, lambda: self._on_event(measuring))
            before = self._store.get(spec.run_id)
            job = Job(spec, folder, facts, self._also_unfrozen[_feature_key(spec)], self._put_aside, trial)
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
        self._on_event(Event("started", spec, facts))
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
            self._heard(worker, message)

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
            scored = worker.scored or Scored((), ())
            save_failed(self._store, run, scored.scores, scored.history)
            return run
        finally:
            worker.claim.close()

    def _heard(self, worker: _Worker, message: Message) -> None:
        match message:
            case Progress():
                self._on_event(Event("step", worker.spec, message))
            case Begun(step):
                worker.step = step
            case Scored():
                worker.scored = message
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
        context.set_forkserver_preload(["benchmark.runs.execution.worker"])
    return context


def _feature_key(spec: RunSpec) -> str:
    """Equal for runs that may share features: the same builder, base, views and preprocessing."""
    recipe, model = spec.card.recipe, spec.card.model
    facts = (model.builder, model.params.get("weights"), recipe.preprocessing, recipe.augmentation)
    return repr((*facts, spec.split_seed, spec.protocol.identity()))


def _shared_cuts(specs: Sequence[RunSpec], also: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """For each group of runs that may share features, the numbers of layers that they unfreeze."""
    found: dict[str, set[int]] = {}
    for spec in specs:
        found.setdefault(_feature_key(spec), set(also)).add(int(spec.card.model.params.get("unfreeze_layers", 0)))
    return {key: tuple(sorted(layers)) for key, layers in found.items()}


def _work(registration: Registration, *arguments: Any) -> None:
    registration.ensure()
    # The worker imports Keras, which the parent never needs.
    from benchmark.runs.execution.worker import work

    work(*arguments)


def finished(store: Store, spec: RunSpec) -> Run | None:
    """The stored run that serves for `spec`: it ended well and is whole, with its model where the protocol asks for
    that."""
    held = store.get(spec.run_id)
    if held is None or held.status != "ok" or (spec.protocol.keep_models and not store.model_is_whole(held)):
        return None
    return held


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
    kept = "; scores are kept" if worker.scored is not None else ""
    return f"{what} during {worker.step}{hint}{kept}"

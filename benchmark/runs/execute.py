"""Runs executed in processes of their own, some at a time, each kept as soon as it is done."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import benchmark.runs.machine as machine
from benchmark.data.dataset import Dataset
from benchmark.data.prepared import prepare
from benchmark.data.splits import make_fold, make_split
from benchmark.runs.run import Job, Progress, Run, RunSpec, SplitFacts
from benchmark.runs.store import Store

_POLL_S = 0.5
_RETRY_S = 2.0


def warm_up() -> None:
    """Start the process that workers are forked from: it imports Keras while this one does something else."""
    if _context().get_start_method() == "forkserver":
        from multiprocessing import forkserver  # not on every platform

        forkserver.ensure_running()


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
    stored: bool = False


def execute_all(
    specs: Sequence[RunSpec],
    dataset: Dataset,
    store: Store,
    *,
    jobs: int = 1,
    also_unfrozen: Sequence[int] = (),
    put_aside: bool = False,
    on_event: Callable[[Event], None] = lambda _: None,
) -> list[Run]:
    """The runs of `specs`, in their order: those the store holds are reused, failed ones are tried again, the others
    are computed, `jobs` at a time. A run that another process computes is waited for. `also_unfrozen` are numbers of
    unfrozen layers that later runs will have; `put_aside` keeps trained weights for a later run of the same training
    (`benchmark.runs.trained`).

    Raises DataError when the data cannot be split as asked, OSError when the store cannot be written; what was
    finished is kept. On KeyboardInterrupt the runs in progress are ended.
    """
    store.sweep()
    engine = _Engine(dataset, store, on_event, _shared_cuts(specs, also_unfrozen), put_aside)
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
            worker.process.kill()
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
    ) -> None:
        self._also_unfrozen = also_unfrozen
        self._put_aside = put_aside
        self._dataset = dataset
        self._store = store
        self._on_event = on_event
        self._prepared: dict[Any, tuple[Path, Any]] = {}
        self._context = _context()

    def start(self, spec: RunSpec, claim: ExitStack) -> _Worker:
        self._on_event(Event("preparing", spec))
        warm_up()
        try:
            folder, split = self._prepare(spec)
            facts = SplitFacts.of(split)
            here, there = self._context.Pipe(duplex=False)
            threads = os.cpu_count() or 1
            measuring = Event("step", spec, Progress(0, 1, machine.MEASURING))
            trial = machine.trial_for(spec, threads, self._context, lambda: self._on_event(measuring))
            job = Job(spec, folder, facts, self._also_unfrozen[_feature_key(spec)], self._put_aside, trial)
            process = self._context.Process(target=_work, args=(job, self._store.root, threads, there), daemon=True)
            process.start()
            there.close()
        except BaseException:
            claim.close()
            raise
        self._on_event(Event("started", spec, facts))
        return _Worker(spec, process, here, facts, claim)

    def watch(self, running: Sequence[_Worker], seconds: float) -> None:
        """Wait for news of any worker, and pass it on."""
        handles = [w.process.sentinel for w in running]
        pipes = [w.pipe for w in running if not w.pipe.closed]
        ready = multiprocessing.connection.wait([*handles, *pipes], timeout=seconds)
        for worker in running:
            if worker.pipe in ready:
                self.drain(worker)

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
        """The stored run of a worker that has ended; a crashed one is stored as failed."""
        try:
            worker.process.join()
            run = self._store.get(worker.spec.run_id) if worker.stored else None
            if run is None:
                run = Run.failed(worker.spec, _why(worker.process.exitcode), worker.split)
                self._store.save(run)
            return run
        finally:
            worker.claim.close()

    def _heard(self, worker: _Worker, message: Any) -> None:
        if message is None:
            worker.stored = True
        elif isinstance(message, str):
            worker.process.join()
            raise OSError(None, f"{message}; the run {worker.spec.card.name} could not be stored")
        else:
            self._on_event(Event("step", worker.spec, message))

    def _prepare(self, spec: RunSpec) -> tuple[Path, Any]:
        key = (spec.split_seed, spec.protocol.image_size, spec.protocol.sampling, spec.fold)
        if key not in self._prepared:
            split = make_split(self._dataset, spec.protocol.sampling, spec.split_seed)
            if spec.fold is not None:
                split = make_fold(split, *spec.fold, spec.split_seed)
            self._prepared[key] = prepare(self._dataset, split, spec.protocol.image_size), split
        return self._prepared[key]


def _context() -> Any:
    """Workers are forked from a server that has imported Keras once and has run nothing. Elsewhere they import it."""
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(["benchmark.runs.worker"])
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


def _work(*arguments: Any) -> None:
    # The worker imports Keras, which the parent never needs.
    from benchmark.runs.worker import work

    work(*arguments)


def finished(store: Store, spec: RunSpec) -> Run | None:
    """The stored run that serves for `spec`: it ended well and is whole, with its model where the protocol asks for
    that."""
    held = store.get(spec.run_id)
    if held is None or held.status != "ok" or (spec.protocol.keep_models and not store.model_is_whole(held)):
        return None
    return held


def _why(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; the machine may have run out of memory" if name == "SIGKILL" else ""
        return f"the process of this run was ended by {name}{hint}"
    return f"the process of this run ended with code {code} without a result"

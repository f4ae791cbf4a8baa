"""Runs as units of an engine on other machines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmark.runs.drawn_split import draw_split
from benchmark.runs.execution.engines.engine import Ended, Make, Work
from benchmark.runs.execution.engines.tasks import ENGINES, write_tasks
from benchmark.runs.execution.engines.unit import MakeQueue, Program
from benchmark.runs.execution.events import Started, Submitted
from benchmark.runs.execution.failure import save_failed
from benchmark.runs.execution.measured_memory import memory_by_kind, memory_kind
from benchmark.runs.history import NO_HISTORY
from benchmark.runs.run import Run, RunSpec, SplitFacts

MODULE = "benchmark.runs.execution.engines.compute_task"
"""The module that computes a run as a task."""


def program_of(work: Work) -> Program:
    """Return what computes the runs of `work`."""

    def write(units: Sequence[RunUnit], engine: str, threads: int) -> Path:
        return write_tasks(work, [unit.spec for unit in units], engine, threads)

    return Program(MODULE, work.store.root.absolute() / ENGINES, write)


def remote_engine(make_queue: MakeQueue) -> Make:
    """Make the engine for runs out of one for units."""
    return partial(RemoteEngine, make_queue)


class RunUnit:
    """A run as a unit."""

    def __init__(self, work: Work, spec: RunSpec, memory_mib: int | None) -> None:
        """Draw the split of a run, and remember what the store has for it.

        Args:
            work: What all runs share.
            spec: The run.
            memory_mib: Memory to declare; None for nothing.

        Raises:
            DataError: The data cannot be split as the protocol requests.
        """
        self.spec = spec
        self._work = work
        self._memory_mib = memory_mib
        self._split = SplitFacts.of(draw_split(work.dataset, spec))
        self._before = work.store.get(spec.run_id)
        self._failed: Run | None = None

    @property
    def key(self) -> str:
        """The run id."""
        return self.spec.run_id

    @property
    def memory_mib(self) -> int | None:
        """Memory to declare."""
        return self._memory_mib

    def submitted(self, where: str) -> None:
        """Report the event."""
        self._work.on_event(Submitted(self.spec, where))

    def started(self) -> None:
        """Report the event."""
        self._work.on_event(Started(self.spec, self._split))

    def has_outcome(self) -> bool:
        """Whether the store has another record than before."""
        run = self._work.store.get(self.spec.run_id)
        return run is not None and run != self._before

    def is_whole(self) -> bool:
        """Whether the run has finished."""
        return self.run.status == "ok"

    def fail(self, reason: str, memory_limit_mib: int | None = None) -> None:
        """Store a failed run."""
        run = Run.failed(self.spec, reason, self._split).model_copy(update={"memory_limit_mib": memory_limit_mib})
        save_failed(self._work.store, run, (), NO_HISTORY)
        self._failed = run

    @property
    def run(self) -> Run:
        """The outcome, once there is one."""
        run = self._failed or self._work.store.get(self.spec.run_id)
        assert run is not None
        return run


class RemoteEngine:
    """Computes runs with an engine on other machines; declares the memory that runs of their kind have needed."""

    def __init__(self, make_queue: MakeQueue, work: Work) -> None:
        """Make an engine that has submitted nothing yet.

        Args:
            make_queue: Makes the engine on other machines.
            work: What all runs share.
        """
        self._work = work
        self._queue = make_queue(program_of(work))
        self._ended: list[Run] = []

    @property
    def is_busy(self) -> bool:
        """Whether runs are pending or in progress."""
        return self._queue.is_busy

    def submit(self, specs: Sequence[RunSpec]) -> list[RunSpec]:
        """Submit all runs."""
        if specs:
            memory = {}
            if self._queue.declares_memory:
                memory = memory_by_kind([*self._work.store.runs()[0], *self._ended])
            self._queue.submit([RunUnit(self._work, spec, memory.get(memory_kind(spec))) for spec in specs])
        return []

    def watch(self) -> list[Ended]:
        """Wait for a short time, and return the runs that have ended."""
        ended = [Ended(unit.spec, unit.run) for unit in self._queue.watch()]
        self._ended += [each.run for each in ended]
        return ended

    def cancel(self) -> None:
        """End all runs in progress, and withdraw those that wait."""
        self._queue.cancel()

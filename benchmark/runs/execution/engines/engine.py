"""The interface between runs and the engine that computes them: submit, watch, cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmark.data.dataset import Dataset
from benchmark.runs.execution.events import Event
from benchmark.runs.execution.limits import Limits
from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.store import Store
from zoo.models.registry import Unfrozen


@dataclass(frozen=True)
class Work:
    """What all runs of a command share.

    Attributes:
        specs: All runs of the command, stored ones included.
        dataset: Their images.
        store: Where runs are stored.
        jobs: The most runs that the local engine computes at once.
        limits: Limits of each run.
        on_event: Called with each event.
        registration: Digest of the registration that contains the runs.
        also_unfrozen: Unfrozen layers that later runs will have.
        threads: Number of threads of a run; None for one per core of the machine.
    """

    specs: Sequence[RunSpec]
    dataset: Dataset
    store: Store
    jobs: int
    limits: Limits
    on_event: Callable[[Event], None]
    registration: str | None
    also_unfrozen: Sequence[Unfrozen]
    threads: int | None = None


@dataclass(frozen=True)
class Ended:
    """A run that has ended.

    Attributes:
        spec: Its specification.
        run: Its record, which is stored.
        is_reused: Whether another process computed it.
        may_fit: Whether it failed but may finish if it is tried again when nothing else runs.
    """

    spec: RunSpec
    run: Run
    is_reused: bool = False
    may_fit: bool = False


class Engine(Protocol):
    """Computes runs and stores them."""

    @property
    def is_busy(self) -> bool:
        """Whether `watch` will return runs that were submitted."""

    def submit(self, specs: Sequence[RunSpec]) -> list[RunSpec]:
        """Begin to compute runs, in their order, as many as the engine takes at present.

        Args:
            specs: Runs that the store lacks.

        Returns:
            The runs that must be submitted again later.

        Raises:
            DataError: The data cannot be split as the protocol requests.
            ConfigError: The engine cannot take runs at all.
            OSError: The store cannot be written.
        """

    def watch(self) -> list[Ended]:
        """Wait for a short time and handle what has happened meanwhile.

        Returns:
            The runs that have ended.

        Raises:
            OSError: The store cannot be written.
        """

    def cancel(self) -> None:
        """End all runs in progress, and withdraw those that wait to be computed."""


Make = Callable[[Work], Engine]
"""Makes the engine of a command."""

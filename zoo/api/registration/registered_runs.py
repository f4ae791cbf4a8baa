"""Runs of a plan, registered before the first one opens the test split and recorded after the last one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from benchmark.data.dataset import Dataset
from benchmark.runs.execution.events import Event
from benchmark.runs.execution.execute import execute_all
from benchmark.runs.execution.limits import NO_LIMITS, Limits
from benchmark.runs.execution.reuse import reusable_run
from benchmark.runs.plan import Plan
from benchmark.runs.registration import RegisteredClaims
from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.files import Unreadable
from benchmark.runs.storage.store import Store
from zoo.api.arguments.engines import LOCAL, EngineChoice
from zoo.api.output.expected_time import expected_time
from zoo.api.registration.registrations import record_outcome, register
from zoo.config.errors import ConfigError


@dataclass(frozen=True)
class PlannedRuns:
    """Planned runs, and how they are computed.

    Attributes:
        plan: The runs in order, and the cards that are skipped.
        dataset: The data of every run.
        store: The store for new runs and for runs to reuse.
        jobs: Number of simultaneous runs.
        limits: Limits of time and memory per run.
        messages: Lines that begin with `warning:` or `note:`.
        engine: Where the runs are computed.
    """

    plan: Plan
    dataset: Dataset
    store: Store
    jobs: int = 1
    limits: Limits = NO_LIMITS
    messages: tuple[str, ...] = ()
    engine: EngineChoice = LOCAL

    @cached_property
    def reused(self) -> set[str]:
        """Ids of the runs that the store already contains."""
        return reused_runs(self.plan.specs, self.store)

    @property
    def expected_time(self) -> str | None:
        """The number and the expected time of the runs that the store lacks, as `expected_time` says it."""
        return expected_time(self.plan.specs, self.reused, self.store)


def reused_runs(specs: Iterable[RunSpec], store: Store) -> set[str]:
    """The ids of the runs that a store already contains.

    Args:
        specs: The runs.
        store: The store.

    Returns:
        Ids of finished, intact runs.
    """
    return {spec.run_id for spec in specs if reusable_run(store, spec) is not None}


def check_engine(planned: PlannedRuns, stored: Set[str]) -> None:
    """Raise ConfigError if runs are missing and their engine takes none, before anything is written about them."""
    if any(spec.run_id not in stored and not spec.members for spec in planned.plan.specs):
        planned.engine.check_answers()


def registration_before(planned: PlannedRuns, stored: Set[str], claims: Sequence[RegisteredClaims] = ()) -> str | None:
    """Register a plan before its runs.

    Args:
        planned: The runs.
        stored: Ids of the runs that the store already contains.
        claims: What is registered with them.

    Returns:
        The digest of the registration; None without one, as where all runs are stored and nothing can be written.

    Raises:
        OSError: Runs are missing, and the registration cannot be written.
        Unreadable: The same, if the registrations cannot be read.
    """
    plan = planned.plan
    try:
        link = register(plan, planned.dataset, planned.store, stored, claims)
    except (OSError, Unreadable):
        if {spec.run_id for spec in plan.specs} - stored:
            raise
        return None  # a store that cannot be written can still supply finished runs
    return None if link is None else link.digest


def execute_registered(
    planned: PlannedRuns, stored: Set[str], registration: str | None, on_event: Callable[[Event], None]
) -> list[Run]:
    """Compute the runs that a store lacks, and record the scores of all of them, also when it is interrupted.

    Args:
        planned: The runs.
        stored: Ids of the runs that the store already contained.
        registration: The digest from `registration_before`.
        on_event: Called with each event.

    Returns:
        The runs, in the order of the plan.

    Raises:
        ConfigError: The engine cannot be used.
        OSError: The store cannot be written; finished runs remain in it.
    """
    specs, store = planned.plan.specs, planned.store
    try:
        return execute_all(
            specs,
            planned.dataset,
            store,
            jobs=planned.jobs,
            limits=planned.limits,
            on_event=on_event,
            registration=registration,
            engine=planned.engine.maker(),
            threads=planned.engine.cores,
        )
    finally:
        with suppress(OSError, ConfigError):
            record_outcome(store, [spec.run_id for spec in specs], stored)

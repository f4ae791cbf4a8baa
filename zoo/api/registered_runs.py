"""Runs of a plan, registered before the first one opens the test split and recorded after the last one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import suppress

from benchmark.data.dataset import Dataset
from benchmark.runs.execution.events import Event
from benchmark.runs.execution.execute import execute_all
from benchmark.runs.execution.limits import Limits
from benchmark.runs.execution.reuse import reusable_run
from benchmark.runs.plan import Plan
from benchmark.runs.registration import RegisteredClaims
from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.files import Unreadable
from benchmark.runs.storage.store import Store
from zoo.api.engines import EngineChoice
from zoo.api.registrations import record_outcome, register
from zoo.config.errors import ConfigError


def reused_runs(specs: Iterable[RunSpec], store: Store) -> set[str]:
    """The ids of the runs that a store already contains.

    Args:
        specs: The runs.
        store: The store.

    Returns:
        Ids of finished, intact runs.
    """
    return {spec.run_id for spec in specs if reusable_run(store, spec) is not None}


def registration_before(
    plan: Plan, dataset: Dataset, store: Store, stored: Set[str], claims: Sequence[RegisteredClaims] = ()
) -> str | None:
    """Register a plan before its runs.

    Args:
        plan: The runs.
        dataset: Their images.
        store: Where they are stored.
        stored: Ids of the runs that the store already contains.
        claims: What is registered with them.

    Returns:
        The digest of the registration; None without one, as where all runs are stored and nothing can be written.

    Raises:
        OSError: Runs are missing, and the registration cannot be written.
        Unreadable: The same, if the registrations cannot be read.
    """
    try:
        link = register(plan, dataset, store, stored, claims)
    except (OSError, Unreadable):
        if {spec.run_id for spec in plan.specs} - stored:
            raise
        return None  # a store that cannot be written can still supply finished runs
    return None if link is None else link.digest


def execute_registered(
    plan: Plan,
    dataset: Dataset,
    store: Store,
    stored: Set[str],
    *,
    registration: str | None,
    jobs: int,
    limits: Limits,
    engine: EngineChoice,
    on_event: Callable[[Event], None],
) -> list[Run]:
    """Compute the runs that a store lacks, and record the scores of all of them, also when it is interrupted.

    Args:
        plan: The runs.
        dataset: Their images.
        store: Where they are stored.
        stored: Ids of the runs that the store already contained.
        registration: The digest from `registration_before`.
        jobs: The most runs at once on this machine.
        limits: Limits of each run.
        engine: What computes them.
        on_event: Called with each event.

    Returns:
        The runs, in the order of the plan.

    Raises:
        ConfigError: The engine cannot be used.
        OSError: The store cannot be written; finished runs remain in it.
    """
    try:
        return execute_all(
            plan.specs,
            dataset,
            store,
            jobs=jobs,
            limits=limits,
            on_event=on_event,
            registration=registration,
            engine=engine.maker(),
            threads=engine.cores,
        )
    finally:
        with suppress(OSError, ConfigError):
            record_outcome(store, [spec.run_id for spec in plan.specs], stored)

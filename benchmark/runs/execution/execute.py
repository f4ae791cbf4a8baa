"""Execution of runs: stored ones are reused, an engine computes the others, and each is stored as soon as it ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from benchmark.data.dataset import Dataset
from benchmark.runs.execution.engines.engine import Make, Work
from benchmark.runs.execution.engines.local import LocalEngine
from benchmark.runs.execution.events import Event, Finished, Postponed, Reused
from benchmark.runs.execution.limits import NO_LIMITS, Limits
from benchmark.runs.execution.order import cheap_first
from benchmark.runs.execution.reuse import reusable_run
from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.store import Store
from zoo.models.registry import Unfrozen


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
    engine: Make = LocalEngine,
    threads: int | None = None,
) -> list[Run]:
    """Compute and store runs, each in a process of its own; those of cheap kinds first.

    Finished runs of the store are reused; failed ones are computed again. A run that another process computes is
    awaited. A run that exceeds a limit is ended and stored as failed; the others continue. No run starts while other
    programs use nearly all memory, for at most ten minutes. A run that was ended for want of memory is tried again
    once, alone, after all others. An ensemble follows its members; if one of their runs failed, it has no run. On an
    exception, including KeyboardInterrupt, runs in progress are ended; finished ones stay stored.

    Args:
        specs: The runs.
        dataset: Their images.
        store: Where runs are stored.
        jobs: The most runs computed at once by the local engine.
        also_unfrozen: Unfrozen layers that later runs will have, so that they find their features.
        limits: Limits of each run.
        on_event: Called with each event.
        registration: Digest of the registration that contains the runs; their records name it.
        engine: Makes what computes the runs; by default processes of this machine.
        threads: Number of threads of each run; None for one per core of the machine.

    Returns:
        The runs in the order of `specs`; an ensemble is absent if a run of a member failed.

    Raises:
        DataError: The data cannot be split as the protocol requests.
        ConfigError: The engine cannot be used.
        OSError: The store cannot be written.
    """
    store.sweep()
    shared = Work(specs, dataset, store, jobs, limits, on_event, registration, also_unfrozen, threads)
    waiting: list[RunSpec] = []
    ensembles: list[RunSpec] = []
    done: dict[str, Run] = {}
    for spec in cheap_first(specs):
        run = reusable_run(store, spec)
        if run is not None:
            done[spec.run_id] = run
            on_event(Reused(spec, run))
        else:
            (ensembles if spec.members else waiting).append(spec)
    computing = engine(shared)
    postponed: deque[RunSpec] = deque()
    tried: set[str] = set()
    try:
        while waiting or computing.is_busy or postponed or ensembles:
            if not waiting and not computing.is_busy and postponed:
                waiting = [postponed.popleft()]
            elif not waiting and not computing.is_busy:
                waiting = [spec for spec in ensembles if all(_is_finished(id_, done, store) for id_ in spec.members)]
                ensembles = []
            waiting = computing.submit(waiting)
            for ended in computing.watch() if waiting or computing.is_busy else ():
                spec, run = ended.spec, ended.run
                if run.error is not None and ended.may_fit and run.run_id not in tried:
                    tried.add(run.run_id)
                    postponed.append(spec)
                    on_event(Postponed(spec, run.error))
                    continue
                if not ended.is_reused and store.send(run.run_id):
                    run = store.get(run.run_id) or run  # another machine's, which came first
                done[spec.run_id] = run
                on_event(Reused(spec, run) if ended.is_reused else Finished(spec, run))
    finally:
        computing.cancel()
    return [done[spec.run_id] for spec in specs if spec.run_id in done]


def _is_finished(run_id: str, done: Mapping[str, Run], store: Store) -> bool:
    run = done.get(run_id) or store.get(run_id)
    return run is not None and run.status == "ok"

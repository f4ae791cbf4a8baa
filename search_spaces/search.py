"""Search: oracles of KerasTuner, or Optuna, propose trials, which are computed as runs of the store.

A search has no state of its own. A resumed search makes a new tuner with the same seed and reports the objectives to
it in the same order; runs that the store contains are reused. With any tuner, a search that was killed therefore
resumes where it ended and gets the same trials.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from benchmark.data.dataset import Dataset
from benchmark.runs.execution.engines.engine import Make
from benchmark.runs.execution.engines.local import LocalEngine
from benchmark.runs.execution.events import Event
from benchmark.runs.execution.execute import execute_all
from benchmark.runs.execution.limits import NO_LIMITS, Limits
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import DatasetFacts, Run, RunSpec
from benchmark.runs.storage.store import Store
from benchmark.runs.trial import SearchResult, Trial, mean_objective
from search_spaces.optuna_tuner import make_optuna_tuner
from search_spaces.oracle import SeparateOracle
from search_spaces.proposals import Tuner
from search_spaces.space import SearchSpace, check_paths, trial_card
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard

_FIRST_RESEED = 1000


def search(
    card: ModelCard,
    space: SearchSpace,
    protocol: Protocol,
    dataset: Dataset,
    store: Store,
    *,
    jobs: int = 1,
    limits: Limits = NO_LIMITS,
    engine: Make = LocalEngine,
    threads: int | None = None,
    on_event: Callable[[Event], None] = lambda _: None,
    on_trial: Callable[[SearchResult], None] = lambda _: None,
) -> SearchResult:
    """Search a space, then run the best trials again with other seeds.

    No trial opens the test split. A trial that fails has no objective, and the search continues.

    Args:
        card: The card to tune.
        space: Its parameters and how they are searched.
        protocol: The conditions that all trials share.
        dataset: The images.
        store: Where runs are stored.
        jobs: The most trials computed at once.
        limits: Limits of each run.
        engine: Makes what computes the runs; by default processes of this machine.
        threads: Number of threads of each run; None for one per core of the machine.
        on_event: Called with each event of a run.
        on_trial: Called with the result so far after each round of up to `jobs` trials.

    Returns:
        All trials.

    Raises:
        ConfigError: A parameter of the space is not in the card, or its objective does not fit the classes.
        DataError: The data cannot be split as the protocol requests.
        ChildProcessError: The process that proposes trials has ended.
        OSError: The store cannot be written.
    """
    check_paths(card, space)
    space = space.for_classes(dataset.classes)
    harness = _Harness(card, space, protocol, dataset, store, jobs, limits, on_event, engine, threads)
    trials: list[Trial] = []
    started = time.monotonic()
    with store.scratch("search") as folder, _tuner(space, str(folder)) as tuner:
        while space.budget.minutes is None or time.monotonic() - started < 60 * space.budget.minutes:
            proposed = tuner.propose(min(jobs, space.budget.trials - len(trials)))
            if not proposed:
                break
            done = harness.measure(len(trials), [each.values for each in proposed], [each.epochs for each in proposed])
            for proposal, trial in zip(proposed, done, strict=True):
                tuner.report(proposal, mean_objective(trial.runs, space.objective))
            trials += done
            on_trial(harness.result(trials))
    return harness.reseed(harness.result(trials))


@contextmanager
def _tuner(space: SearchSpace, folder: str) -> Iterator[Tuner]:
    if space.tuner == "optuna":
        yield make_optuna_tuner(space)
    else:
        with closing(SeparateOracle(space, folder)) as oracle:
            yield oracle


class _Harness:
    """Computes proposals as runs of the store."""

    def __init__(
        self,
        card: ModelCard,
        space: SearchSpace,
        protocol: Protocol,
        dataset: Dataset,
        store: Store,
        jobs: int,
        limits: Limits,
        on_event: Callable[[Event], None],
        engine: Make,
        threads: int | None,
    ) -> None:
        self._engine = engine
        self._threads = threads
        self._card = card
        self._space = space
        self._protocol = protocol
        self._dataset = dataset
        self._facts = DatasetFacts.of(dataset)
        self._store = store
        self._jobs = jobs
        self._limits = limits
        self._on_event = on_event

    def measure(self, first: int, values: Sequence[dict[str, Any]], epochs: Sequence[int | None]) -> list[Trial]:
        """Compute a trial for each of `values` and its cap on epochs; trials are numbered from `first`."""
        trials = []
        for number, (chosen, budget) in enumerate(zip(values, epochs, strict=True), first):
            try:
                card, error = trial_card(self._card, chosen), None
            except ConfigError as problem:
                card, error = None, str(problem)
            trials.append(Trial(number, chosen, card, epochs=budget, error=error))
        seeds = range(self._space.executions)
        specs = {trial.number: self._specs(trial, seeds) for trial in trials}
        runs = self._execute([spec for some in specs.values() for spec in some])
        return [replace(trial, runs=tuple(runs[spec.run_id] for spec in specs[trial.number])) for trial in trials]

    def reseed(self, result: SearchResult) -> SearchResult:
        """Run the best trials with seeds that the search did not choose on, and add these runs."""
        best = result.ranked()[: self._space.reseed.top]
        seeds = range(_FIRST_RESEED, _FIRST_RESEED + self._space.reseed.seeds)
        specs = {trial.number: self._specs(trial, seeds) for trial in best}
        runs = self._execute([spec for some in specs.values() for spec in some])
        trials = [
            replace(trial, reseeded=tuple(runs[spec.run_id] for spec in specs.get(trial.number, ())))
            for trial in result.trials
        ]
        return self.result(trials)

    def result(self, trials: Sequence[Trial]) -> SearchResult:
        space = self._space
        return SearchResult(
            base=self._card,
            space=space.name,
            tuner=space.tuner,
            metric=space.objective,
            direction=space.direction,
            parameters=tuple(space.parameters),
            trials=tuple(trials),
            at_once=self._jobs,
        )

    def _specs(self, trial: Trial, seeds: Sequence[int]) -> list[RunSpec]:
        if trial.card is None:
            return []
        caps = [cap for cap in (self._protocol.max_epochs, trial.epochs) if cap is not None]
        protocol = self._protocol.model_copy(update={"max_epochs": min(caps) if caps else None})
        folds = [(self._space.folds, index) for index in range(self._space.folds)] if self._space.folds else [None]
        return [
            RunSpec(card=trial.card, protocol=protocol, dataset=self._facts, seed=seed, stage="search", fold=fold)
            for seed in seeds
            for fold in folds
        ]

    def _execute(self, specs: Sequence[RunSpec]) -> dict[str, Run]:
        distinct = list({spec.run_id: spec for spec in specs}.values())
        runs = execute_all(
            distinct,
            self._dataset,
            self._store,
            jobs=self._jobs,
            also_unfrozen=self._space.unfrozen(self._card),
            limits=self._limits,
            on_event=self._on_event,
            engine=self._engine,
            threads=self._threads,
        )
        return {run.run_id: run for run in runs}

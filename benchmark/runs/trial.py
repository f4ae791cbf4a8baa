"""Trials of a search: what was tried, the runs that measured it, and what came out. Plain data."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmark.runs.run import Run
from zoo.models.card import ModelCard

Direction = Literal["higher", "lower"]


@dataclass(frozen=True)
class Trial:
    """One proposal: `values` by path in the card, the card they make, and its runs (executions x folds).

    `reseeded` are runs of the same card with seeds the search did not choose on. `epochs` caps each phase where the
    tuner gave it a budget of its own. `error` says why the card could not be run at all.
    """

    number: int
    values: dict[str, Any]
    card: ModelCard | None
    runs: tuple[Run, ...] = ()
    reseeded: tuple[Run, ...] = ()
    epochs: int | None = None
    error: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the trial has no objective, or None."""
        return self.error or next((run.error for run in self.runs if run.error), None)


@dataclass(frozen=True)
class SearchResult:
    """Everything a search found: `metric` is read on validation, `direction` says which way is better."""

    base: ModelCard
    space: str
    tuner: str
    metric: str
    direction: Direction
    parameters: tuple[str, ...]
    trials: tuple[Trial, ...]

    def value(self, trial: Trial) -> float | None:
        """The objective of `trial`: the mean over its runs; None when one of them failed or has no figure."""
        return mean_objective(trial.runs, self.metric)

    def ranked(self) -> list[Trial]:
        """The trials that have an objective, best first; among equals the one tried first."""
        known = [(trial, value) for trial in self.trials if (value := self.value(trial)) is not None]
        sign = -1 if self.direction == "higher" else 1
        return [trial for trial, _ in sorted(known, key=lambda pair: (sign * pair[1], pair[0].number))]


def objective(run: Run, metric: str) -> float | None:
    """The run's figure of `metric` on validation at threshold 0.5."""
    figure = run.figures("val").get(metric)
    return None if figure is None else figure.value


def mean_objective(runs: Sequence[Run], metric: str) -> float | None:
    """The mean over `runs`; None when there is none, or one has no figure."""
    values = [objective(run, metric) for run in runs]
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def rank_under_reseeding(result: SearchResult) -> Mapping[int, tuple[float, int]]:
    """For every trial with re-seeded runs its mean objective over them and its rank among these trials, 1 the best.

    Seeds that chose the winner favour it; seeds that did not show what its figure owes to luck.
    """
    means = {t.number: mean_objective(t.reseeded, result.metric) for t in result.trials if t.reseeded}
    known = {number: mean for number, mean in means.items() if mean is not None}
    sign = -1 if result.direction == "higher" else 1
    order = sorted(known, key=lambda number: (sign * known[number], number))
    return {number: (known[number], rank) for rank, number in enumerate(order, 1)}

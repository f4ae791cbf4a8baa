"""Trials of a search as plain data: the values that were tried, their runs, and their ranking.

This module is in `benchmark.runs`, not in `search_spaces`, because reports show trials: they need the runs of a search,
but neither its space nor its tuner.
"""

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
    """One proposal of a tuner and the runs that measured it.

    Attributes:
        number: Number of the trial, from 0.
        values: The proposed values, by path in the card.
        card: The card with these values; None if they make no valid card.
        runs: One run per execution and fold.
        reseeded: Runs of the same card with seeds that the search did not choose on.
        epochs: The cap on epochs per phase that the tuner set for this trial, if any.
        error: Why the card could not be run, else None.
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
        """Why the trial has no objective: the first error; None if there is no error."""
        return self.error or next((run.error for run in self.runs if run.error), None)


@dataclass(frozen=True)
class SearchResult:
    """The trials of a search.

    Attributes:
        base: The card that was tuned.
        space: Name of the search space.
        tuner: Name of the tuner.
        metric: The objective: a metric of the validation split.
        direction: Whether a higher or a lower objective is better.
        parameters: Paths of the tuned parameters in the card.
        trials: The trials in the order of their numbers.
        at_once: Number of trials in a round; the tuner learns their objectives together.
    """

    base: ModelCard
    space: str
    tuner: str
    metric: str
    direction: Direction
    parameters: tuple[str, ...]
    trials: tuple[Trial, ...]
    at_once: int = 1

    def value(self, trial: Trial) -> float | None:
        """The objective of `trial`: the mean over its runs; None if a run lacks the figure."""
        return mean_objective(trial.runs, self.metric)

    def ranked(self) -> list[Trial]:
        """The trials with an objective, best first; of equal ones, the earlier first."""
        known = [(trial, value) for trial in self.trials if (value := self.value(trial)) is not None]
        sign = -1 if self.direction == "higher" else 1
        return [trial for trial, _ in sorted(known, key=lambda pair: (sign * pair[1], pair[0].number))]


def objective(run: Run, metric: str) -> float | None:
    """The value of `metric` on validation, at 0.5 or by the highest score; None if the run lacks it."""
    figure = run.figures("val").get(metric)
    return None if figure is None else figure.value


def mean_objective(runs: Sequence[Run], metric: str) -> float | None:
    """The mean objective of `runs`; None if there are no runs or a run lacks the figure."""
    values = [objective(run, metric) for run in runs]
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def rank_under_reseeding(result: SearchResult) -> Mapping[int, tuple[float, int]]:
    """Rank the trials that were run again with other seeds.

    The seeds of the search favour its winner. Seeds that did not choose it show how much of its figure is luck.

    Args:
        result: A search.

    Returns:
        Mean objective over the other seeds and rank among these trials (1 is the best), by number of the trial.
    """
    means = {t.number: mean_objective(t.reseeded, result.metric) for t in result.trials if t.reseeded}
    known = {number: mean for number, mean in means.items() if mean is not None}
    sign = -1 if result.direction == "higher" else 1
    order = sorted(known, key=lambda number: (sign * known[number], number))
    return {number: (known[number], rank) for rank, number in enumerate(order, 1)}

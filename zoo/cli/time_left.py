"""The estimated time until all runs of a benchmark have ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.cli.plain_progress import duration
from zoo.models.recipe import ProbeRecipe

if TYPE_CHECKING:
    from benchmark.runs.run import Progress, Run, RunSpec

UNKNOWN = "time left not known yet"
_ENOUGH = 0.1
"""The share of a run that must be done before its own pace is used."""


@dataclass(frozen=True)
class RunState:
    """What is known about the time of a run.

    Attributes:
        spec: The run.
        record: Its record once it has ended, else None.
        progress: How much of it is done, if it reports that.
        seconds: Seconds since it started, or in which it ended; None if it was not started here.
    """

    spec: RunSpec
    record: Run | None = None
    progress: Progress | None = None
    seconds: float | None = None

    @property
    def pace(self) -> float | None:
        """Seconds per epoch of a finished run, with its start and the writing of its model; None for others."""
        return None if self.total is None or self.record is None else self.total / self._epochs_done

    @property
    def total(self) -> float | None:
        """Seconds of a finished run; None for others."""
        if self.record is None or self.record.costs is None:
            return None
        return max(self.record.costs.seconds, self.seconds or 0.0)

    @property
    def is_trained(self) -> bool:
        """Whether the run has finished and had epochs."""
        return self._epochs_done > 1

    @property
    def _epochs_done(self) -> int:
        costs = None if self.record is None else self.record.costs
        return 1 if costs is None else max(1, costs.epochs)


def time_left(states: Mapping[str, RunState], simultaneous: int) -> str:
    """Estimate the time until all runs have ended.

    A run that reports its progress continues at its own pace. Any other run is expected to take as long as finished
    runs of its kind. A run that takes longer than that has no estimate, and the waiting runs are expected to take
    longer by the same factor.

    Args:
        states: All runs by id.
        simultaneous: The number of runs in progress, at least 1.

    Returns:
        The estimate in words: `about 4 min left`.
    """
    seconds, rough, slowdown = 0.0, False, 1.0
    overdue: list[RunState] = []
    unstarted: list[float] = []
    for state in states.values():
        if state.record is not None:
            continue
        progress, spent = state.progress, state.seconds
        if spent is not None and progress is not None and progress.done > _ENOUGH * progress.total:
            seconds += spent / progress.done * (progress.total - progress.done)
            continue
        expected = _of_same_kind(state.spec, states)
        if expected is None:
            expected, rough = _of_other_kinds(states), True
        if expected is None:
            return UNKNOWN
        if spent is None:
            unstarted.append(expected)
        elif spent < expected:
            seconds += expected - spent
        else:
            overdue.append(state)
            slowdown = max(slowdown, spent / expected if expected else 1.0)
    # Simultaneous runs slow each other down, and the measured pace includes that.
    total = (seconds + slowdown * sum(unstarted)) / max(1, simultaneous)
    if not overdue:
        return f"{'very roughly' if rough else 'about'} {duration(total)} left"
    slow = overdue[0]
    why = f"{slow.spec.card.name} takes longer than expected, {duration(slow.seconds or 0.0)} so far"
    return f"at least {duration(total)} left: {why}" if total >= 1 else f"time left not known: {why}"


def _of_same_kind(spec: RunSpec, states: Mapping[str, RunState]) -> float | None:
    """Expected seconds of a run at the pace per epoch of finished runs that train in the same way."""
    kind = _kind_of_training(spec)
    paces = [
        pace for each in states.values() if (pace := each.pace) is not None and _kind_of_training(each.spec) == kind
    ]
    return sum(paces) / len(paces) * _epochs(spec) if paces else None


def _of_other_kinds(states: Mapping[str, RunState]) -> float | None:
    """Mean seconds of all finished runs; those without epochs count only if there are no others."""
    # Epochs of different kinds are not alike: a head on stored features has hundredths of a second per epoch.
    finished = [(state.is_trained, total) for state in states.values() if (total := state.total) is not None]
    seconds = [total for is_trained, total in finished if is_trained] or [total for _, total in finished]
    return sum(seconds) / len(seconds) if seconds else None


def _kind_of_training(spec: RunSpec) -> tuple[str, str, int | None]:
    """The builder, what is trained (a probe, new layers, or unfrozen layers as well), and the images of a subset."""
    recipe, images = spec.card.recipe, None if spec.subset is None else spec.subset.images
    if isinstance(recipe, ProbeRecipe):
        return spec.card.model.builder, "probe", images
    return spec.card.model.builder, "fine-tuned" if recipe.finetune else "trained", images


def _epochs(spec: RunSpec) -> int:
    recipe = spec.protocol.budgeted(spec.card).recipe
    if isinstance(recipe, ProbeRecipe):
        return 1  # one step
    tune = recipe.finetune
    return recipe.epochs + (tune.epochs if tune else 0)

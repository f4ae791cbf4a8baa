"""The estimated time until all runs of a benchmark have ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.text import listed, plural
from zoo.cli.plain_progress import duration
from zoo.models.recipe import Recipe
from zoo.models.registry import get_builder

if TYPE_CHECKING:
    from benchmark.runs.run import Progress, Run, RunSpec
    from zoo.api.output.expected_time import PlannedCost

UNKNOWN = "time left not known yet"
_ENOUGH = 0.1
"""The share of the current phase that must be done before the run's own pace is used."""
_ALIKE = 1.25
"""Bounds that differ by less than this factor are printed as one number, their mean."""


@dataclass(frozen=True)
class RunState:
    """What is known about the time of a run.

    Attributes:
        spec: The run.
        record: Its record once it has ended, else None.
        progress: How much of it is done, if it reports that.
        seconds: Seconds since it started, or in which it ended; None if it was not started here.
        of_phase: The part of `seconds` in the current phase of training; None in the first phase.
    """

    spec: RunSpec
    record: Run | None = None
    progress: Progress | None = None
    seconds: float | None = None
    of_phase: float | None = None

    @property
    def total(self) -> float | None:
        """Seconds of the run from start to end, with the writing of its model.

        Measured for a finished run. For a run in progress, expected at its own pace in the last phase; None in a phase
        before that, and where too little is done.
        """
        if self.record is not None:
            return None if self.record.costs is None else max(self.record.costs.seconds, self.seconds or 0.0)
        if self.seconds is None or self.progress is None:
            return None
        recipe = self.spec.card.recipe
        if isinstance(recipe, Recipe) and recipe.finetune is not None and self.of_phase is None:
            return None
        of_phase = self.seconds if self.of_phase is None else self.of_phase
        done, total = self.progress.done - self.progress.before, self.progress.total - self.progress.before
        if done <= _ENOUGH * total:
            return None
        return self.seconds - of_phase + of_phase / done * total

    @property
    def outside(self) -> float:
        """Seconds of a finished run that its own record leaves out: its start, and the writing of its model."""
        costs = None if self.record is None else self.record.costs
        return 0.0 if costs is None or self.seconds is None else max(0.0, self.seconds - costs.seconds)


@dataclass(frozen=True)
class _Range:
    """Bounds in seconds."""

    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: _Range) -> _Range:
        return _Range(self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> _Range:
        return _Range(self.low * factor, self.high * factor)

    def after(self, spent: float) -> _Range:
        """What is left after some seconds."""
        return _Range(max(0.0, self.low - spent), max(0.0, self.high - spent))

    def __str__(self) -> str:
        low, high = duration(self.low), duration(self.high)
        if low == high or self.high < _ALIKE * self.low:
            return f"about {duration((self.low + self.high) / 2)}"
        return f"{low} to {high}"


def time_left(states: Mapping[str, RunState], simultaneous: int, planned: PlannedCost | None = None) -> str:
    """Estimate the time until all runs have ended.

    Each run is expected to take as long as the measured runs of its kind, per epoch: from the fastest to the slowest of
    them. A run in the last phase of its training is measured by its own pace in this phase. A kind without a measured
    run takes as long as planned; without a plan nothing is known, since kinds differ by a factor of a hundred. A run
    that takes longer than the slowest of its kind has no estimate either, and the waiting runs are expected to take
    longer by the same factor.

    Args:
        states: All runs by id.
        simultaneous: The number of runs in progress, at least 1.
        planned: What runs are expected to cost on an idle machine; None where that is not known.

    Returns:
        The estimate in words: `about 4 min left`, `3 min to 8 min left`, `at least 3 min left: ...`, `time left not
        known yet: ...`.
    """
    left, slowdown = _Range(), 1.0
    overdue: list[RunState] = []
    unstarted = _Range()
    unmeasured: list[RunState] = []
    for state in states.values():
        if state.record is not None:
            continue
        expected = _expected(state, states)
        if expected is None:
            unmeasured.append(state)
        elif state.seconds is None:
            unstarted += expected
        elif state.seconds <= expected.high:
            left += expected.after(state.seconds)
        else:
            overdue.append(state)
            slowdown = max(slowdown, state.seconds / expected.high if expected.high else 1.0)
    # Simultaneous runs slow each other down, and the measured pace includes that.
    total = (left + unstarted.times(slowdown)).times(1 / max(1, simultaneous))
    reasons = []
    if overdue:
        slow = overdue[0]
        reasons.append(f"{slow.spec.card.name} takes longer than expected, {duration(slow.seconds or 0.0)} so far")
    by_plan = ""
    if unmeasured:
        first, *others = dict.fromkeys(state.spec.card.name for state in unmeasured)
        names = listed([first, plural(len(others), "other card")] if len(others) > 1 else [first, *others])
        if planned is None:
            return f"{UNKNOWN}: {'; '.join([*reasons, f'no run of {names} is measured'])}"
        seconds = _planned(unmeasured, states, planned)
        if seconds is None:
            return f"{UNKNOWN}: {'; '.join([*reasons, f'{names}: longer than planned so far'])}"
        seconds *= slowdown / max(1, simultaneous)
        total += _Range(seconds, seconds)
        share = "" if duration(total.high) == duration(seconds) else f"{duration(seconds)} of them "
        by_plan = f", {share}as planned for {names} on an idle machine"
    if not reasons:
        return f"{total} left{by_plan}"
    why = "; ".join(reasons)
    return f"at least {duration(total.low)} left: {why}" if total.low >= 1 else f"time left not known: {why}"


def _planned(unmeasured: Sequence[RunState], states: Mapping[str, RunState], planned: PlannedCost) -> float | None:
    """What is left of the planned seconds of these runs; None if those in progress have exceeded their plan."""
    finished = [state.spec for state in states.values() if state.record is not None and state.record.status == "ok"]
    spent = sum(state.seconds or 0.0 for state in unmeasured)
    started = [state.spec for state in unmeasured if state.seconds is not None]
    seconds = planned.seconds([state.spec for state in unmeasured], finished)
    if started and spent > planned.seconds(started, finished):
        return None
    return seconds - spent


def _expected(state: RunState, states: Mapping[str, RunState]) -> _Range | None:
    """Expected seconds of a run from start to end: at its own pace, else at those of measured runs of the same kind."""
    spec, kind = state.spec, _kind_of_training(state.spec)
    others = [each for each in states.values() if each.total is not None and _kind_of_training(each.spec) == kind]
    alike = others if state.total is None else [state]
    # Per planned epoch, so that runs which stopped early count as what they were.
    paces = [(each.total or 0.0) / _epochs(each.spec) for each in alike]
    if not paces:
        return None
    # What a run has done does not say how long the writing of its model takes; runs of other kinds do.
    only_begun = all(each.record is None for each in alike)
    storing = max((each.outside for each in states.values()), default=0.0) if only_begun else 0.0
    return _Range(min(paces), max(paces)).times(_epochs(spec)) + _Range(0.0, storing)


def _kind_of_training(spec: RunSpec) -> tuple[object, ...]:
    """The network, and what is trained: a probe, new layers alone, or unfrozen layers as well.

    Runs of a curve are of one kind whatever their size, so that the estimate spans the paces of all sizes.
    """
    recipe, model = spec.card.recipe, spec.card.model
    network = (model.builder, *get_builder(model.builder).base_of(model.params))
    if not isinstance(recipe, Recipe):
        return *network, "probe"
    return *network, "fine-tuned" if recipe.finetune else "trained"


def _epochs(spec: RunSpec) -> int:
    recipe = spec.protocol.budgeted(spec.card).recipe
    if not isinstance(recipe, Recipe):
        return 1  # one step
    tune = recipe.finetune
    return recipe.epochs + (tune.epochs if tune else 0)

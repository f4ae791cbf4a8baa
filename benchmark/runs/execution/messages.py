"""Messages that a worker sends through a pipe to the process that started it."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.evidence.scores import AnyScores
from benchmark.runs.history import NO_HISTORY, History
from benchmark.runs.run import Progress, Run


@dataclass(frozen=True)
class StepBegun:
    """The run begins a step. `step` is a noun phrase that fits "... failed" and "during ..."."""

    step: str


@dataclass(frozen=True)
class ScoresReady:
    """A split has been scored. The receiver keeps the results in case the worker dies before it stores them.

    Attributes:
        scores: The scores so far, each with the names of its images.
        history: The epochs of the training.
    """

    scores: tuple[tuple[AnyScores, tuple[str, ...]], ...] = ()
    history: History = NO_HISTORY


@dataclass(frozen=True)
class PreparedLost:
    """The prepared images were removed; the worker waits until they are prepared again."""


@dataclass(frozen=True)
class Stored:
    """The run is stored. `failed` is a failed run that was not stored, because the store has a finished one."""

    failed: Run | None = None


@dataclass(frozen=True)
class NotStored:
    """The store could not be written; `reason` says why."""

    reason: str


Message = StepBegun | Progress | ScoresReady | PreparedLost | Stored | NotStored

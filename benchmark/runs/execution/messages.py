"""What a worker sends to the process that started it, over a pipe between the two."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.evidence.scores import Scores
from benchmark.runs.history import NO_HISTORY, History
from benchmark.runs.run import Progress, Run


@dataclass(frozen=True)
class StepBegun:
    """The run begins `step`, in words that fit "... failed" and "during ..."."""

    step: str


@dataclass(frozen=True)
class ScoresReady:
    """The training is done. Its `scores` with the names of their images, and its epochs, are kept here in case that
    the worker does not live to store them."""

    scores: tuple[tuple[Scores, tuple[str, ...]], ...] = ()
    history: History = NO_HISTORY


@dataclass(frozen=True)
class PreparedLost:
    """The prepared images are gone; the worker waits until they are there again."""


@dataclass(frozen=True)
class Stored:
    """The run is in the store; or it failed as `failed` says, and the store keeps the finished one that it had."""

    failed: Run | None = None


@dataclass(frozen=True)
class NotStored:
    """The store could not be written, and why."""

    reason: str


Message = StepBegun | Progress | ScoresReady | PreparedLost | Stored | NotStored

"""The state of a run in progress, and the record of a run that fails: which step, why, and what is kept."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.evidence.scores import AnyScores
from benchmark.runs.environment import Environment
from benchmark.runs.execution.messages import Message, ScoresReady, StepBegun
from benchmark.runs.execution.stage_timer import StageTimer
from benchmark.runs.history import NO_HISTORY, History
from benchmark.runs.run import Job, Run
from benchmark.runs.storage.store import TRACEBACK, Store

_LONGEST = 500
_LONGEST_TRACEBACK = 20_000
_KEPT = "scores are kept, "


@dataclass
class RunState:
    """The state of a run in progress.

    Attributes:
        notify: Sends messages to the process that started the run.
        step: The present step, a noun phrase that fits "... failed" and "during ...".
        environment: The machine and the versions, once they are known.
        history: The epochs, once the model is trained.
        parts: Scores and images of each split that has been scored.
        timer: Measures the stages.
        started: Start of the run in seconds of `time.perf_counter`.
    """

    notify: Callable[[Message], None]
    step: str = "starting"
    environment: Environment | None = None
    history: History = NO_HISTORY
    parts: list[tuple[AnyScores, LabelledImages]] = field(default_factory=list)
    timer: StageTimer = field(default_factory=StageTimer)
    started: float = field(default_factory=time.perf_counter)

    @property
    def scores(self) -> tuple[tuple[AnyScores, tuple[str, ...]], ...]:
        """The scores so far, each with the names of its images."""
        return tuple((scores, images.names) for scores, images in self.parts)

    def begin(self, step: str) -> None:
        """Begin `step` and report it."""
        self.step = step
        self.notify(StepBegun(step))

    def add_scores(self, scores: AnyScores, images: LabelledImages) -> None:
        """Add the scores of `images` and send them to the parent, which keeps them if this process dies."""
        self.parts.append((scores, images))
        self.notify(ScoresReady(self.scores, self.history))


def failed_run(job: Job, state: RunState, error: BaseException, *, is_plain: bool) -> Run:
    """Make the record of a run that failed.

    Args:
        job: What was to be computed.
        state: The state of the run when it failed.
        error: The error.
        is_plain: Whether the error's message is written for users and needs no type before it.

    Returns:
        A record whose error says in one line which step failed, why, and what is kept.
    """
    text = _words(error)
    reason = text if is_plain and text else f"{type(error).__name__}: {text}".removesuffix(": ")
    files = f"; {_KEPT if state.parts else ''}traceback in {TRACEBACK}"
    if state.history:
        reason = f"{state.step} failed after training: {reason}{files}"
    elif reason != text:
        reason = f"{state.step} failed: {reason}{files}"
    return Run.failed(job.spec, reason, job.split, state.environment)


def traceback_of(error: BaseException) -> str:
    """The traceback of `error` as text; a long one is cut at its beginning."""
    text = "".join(traceback.format_exception(error))
    return text if len(text) <= _LONGEST_TRACEBACK else f"...\n{text[-_LONGEST_TRACEBACK:]}"


def save_failed(
    store: Store,
    run: Run,
    scores: Sequence[tuple[AnyScores, Sequence[str]]],
    history: History,
    traceback: str = "",
) -> None:
    """Save a failed run with the scores and epochs that it has, unless the store has a finished run with its id.

    Scores and epochs that cannot be written are left out, since they may be the cause of the failure.

    Args:
        store: The store.
        run: The record of the failed run.
        scores: Scores of the splits that were scored, each with the names of its images.
        history: Epochs that were trained.
        traceback: The traceback of the error; empty for none.

    Raises:
        OSError: The store cannot be written.
    """
    if has_finished_run(store, run):
        return
    try:
        store.save(run, scores, history, traceback=traceback)
    except OSError:
        raise
    except Exception:
        error = run.error and run.error.replace(_KEPT, "")
        store.save(run.model_copy(update={"error": error}), traceback=traceback)


def has_finished_run(store: Store, run: Run) -> bool:
    """Whether the store has a finished run with the id of `run`."""
    stored = store.get(run.run_id)
    return stored is not None and stored.status == "ok"


def _words(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())[:_LONGEST]
    except Exception:  # the error of a plug-in may fail to describe itself
        return ""
    return text.encode("utf-8", "backslashreplace").decode()

"""How far a run is, and its record when a step of it fails: which step, why, and what is kept."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.evidence.scores import Scores
from benchmark.runs.environment import Environment
from benchmark.runs.execution.messages import Message, ScoresReady, StepBegun
from benchmark.runs.execution.stages import Stages
from benchmark.runs.history import NO_HISTORY, History
from benchmark.runs.run import Job, Run
from benchmark.runs.storage.store import TRACEBACK, Store

_LONGEST = 500
_LONGEST_TRACEBACK = 20_000


@dataclass
class RunState:
    """How far a run is.

    Attributes:
        notify: Sends messages to the process that started the run.
        step: What is at work, in words that fit "... failed" and "during ...".
        environment: The machine and the versions, once they are known.
        history: The epochs, once it is trained.
        parts: Scores and images of each split, once it is scored.
        stages: How long its stages took so far.
        started: When it started, in seconds of `time.perf_counter`.
    """

    notify: Callable[[Message], None]
    step: str = "starting"
    environment: Environment | None = None
    history: History = NO_HISTORY
    parts: list[tuple[Scores, LabelledImages]] = field(default_factory=list)
    stages: Stages = field(default_factory=Stages)
    started: float = field(default_factory=time.perf_counter)

    @property
    def scores(self) -> tuple[tuple[Scores, tuple[str, ...]], ...]:
        """The scores so far, each with the names of its images."""
        return tuple((scores, images.names) for scores, images in self.parts)

    def begin(self, step: str) -> None:
        """`step` is at work from here on."""
        self.step = step
        self.notify(StepBegun(step))

    def add_scores(self, scores: Scores, images: LabelledImages) -> None:
        """`images` have these `scores`: whatever happens to this process, they are not lost."""
        self.parts.append((scores, images))
        self.notify(ScoresReady(self.scores, self.history))


def failed_run(job: Job, state: RunState, error: BaseException, *, is_plain: bool) -> Run:
    """The record of a run that failed.

    Args:
        job: What was to be computed.
        state: How far it was.
        error: What it failed with.
        is_plain: Whether the error's own words are meant for users, without its type.

    Returns:
        A record whose error says in one line which step failed, why, and what is kept.
    """
    text = _words(error)
    reason = text if is_plain and text else f"{type(error).__name__}: {text}".removesuffix(": ")
    kept = f"; {'scores are kept, ' if state.parts else ''}traceback in {TRACEBACK}"
    if state.history:
        reason = f"{state.step} failed after training: {reason}{kept}"
    elif reason != text:
        reason = f"{state.step} failed: {reason}{kept}"
    return Run.failed(job.spec, reason, job.split, state.environment)


def traceback_of(error: BaseException) -> str:
    """The traceback of `error` as plain text, its end where it is long."""
    text = "".join(traceback.format_exception(error))
    return text if len(text) <= _LONGEST_TRACEBACK else f"...\n{text[-_LONGEST_TRACEBACK:]}"


def save_failed(
    store: Store,
    run: Run,
    scores: Sequence[tuple[Scores, Sequence[str]]],
    history: History,
    traceback: str = "",
) -> None:
    """Save the failed `run` with what there is of it, unless the store holds a finished one in its place.

    What cannot be written as scores or epochs is left out. Raises OSError of the store.
    """
    if holds_finished(store, run):
        return
    try:
        store.save(run, scores, history, traceback=traceback)
    except OSError:
        raise
    except Exception:  # the scores or epochs may be what the run failed for
        store.save(run, traceback=traceback)


def holds_finished(store: Store, run: Run) -> bool:
    """Whether the store holds a finished run with the id of `run`."""
    stored = store.get(run.run_id)
    return stored is not None and stored.status == "ok"


def _words(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())[:_LONGEST]
    except Exception:  # an error of a plug-in may fail to say what it is
        return ""
    return text.encode("utf-8", "backslashreplace").decode()

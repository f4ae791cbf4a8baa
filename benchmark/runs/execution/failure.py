"""What a run has come to when a step of it fails: which step, how, and what is kept."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.evidence.scores import Scores
from benchmark.runs.environment import Environment
from benchmark.runs.execution.messages import Begun, Message, Scored
from benchmark.runs.history import NO_HISTORY, History
from benchmark.runs.run import Job, Run
from benchmark.runs.storage.store import TRACEBACK, Store

_LONGEST = 500
_LONGEST_TRACEBACK = 20_000


@dataclass
class Reached:
    """How far a run is. `step` is at work; `history` is there once it is trained, `parts` as they are scored."""

    tell: Callable[[Message], None]
    step: str = "starting"
    environment: Environment | None = None
    history: History = NO_HISTORY
    parts: list[tuple[Scores, LabelledImages]] = field(default_factory=list)

    @property
    def scores(self) -> tuple[tuple[Scores, tuple[str, ...]], ...]:
        """The scores so far, each with the names of its images."""
        return tuple((scores, images.names) for scores, images in self.parts)

    def begin(self, step: str) -> None:
        """`step` is at work from here on."""
        self.step = step
        self.tell(Begun(step))

    def scored(self, scores: Scores, images: LabelledImages) -> None:
        """`images` have these `scores`: whatever happens to this process, they are not lost."""
        self.parts.append((scores, images))
        self.tell(Scored(self.scores, self.history))


def failed_run(job: Job, reached: Reached, error: BaseException, *, teaches: bool) -> Run:
    """The record of a run that failed with `error`, in one line: the step, what was wrong, what is kept. `teaches`
    says that the error's own words are meant for users."""
    text = _words(error)
    said = text if teaches and text else f"{type(error).__name__}: {text}".removesuffix(": ")
    kept = f"; {'scores are kept, ' if reached.parts else ''}traceback in {TRACEBACK}"
    if reached.history:
        said = f"{reached.step} failed after training: {said}{kept}"
    elif said != text:
        said = f"{reached.step} failed: {said}{kept}"
    return Run.failed(job.spec, said, job.split, reached.environment)


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
    held = store.get(run.run_id)
    return held is not None and held.status == "ok"


def _words(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())[:_LONGEST]
    except Exception:  # an error of a plug-in may fail to say what it is
        return ""
    return text.encode("utf-8", "backslashreplace").decode()

"""Progress in files and logs, where lines cannot be redrawn: whole lines, at most one every half minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

    from benchmark.runs.run import Progress

EVERY_SECONDS = 30.0
"""The shortest time between two lines about the same work."""

SLOW_SECONDS = 3.0
"""A command that takes longer says what it does."""

Item = TypeVar("Item")
Clock = Callable[[], float]


class Pace:
    """Decides when the next line is due: half a minute after the last one, or after the start.

    Args:
        clock: Returns the time in seconds.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def due(self) -> bool:
        """Whether a line is due now; if so, the next half minute begins."""
        now = self._clock()
        if now - self._last < EVERY_SECONDS:
            return False
        self._last = now
        return True

    def restart(self) -> None:
        """Begin the next half minute, because a line was written for another reason."""
        self._last = self._clock()


def with_progress(
    items: Iterable[Item],
    total: int,
    label: str,
    write: Callable[[str], None],
    clock: Clock = time.monotonic,
) -> Iterator[Item]:
    """Yield `items`, and report every half minute how many were yielded and how long the rest will take.

    Args:
        items: The items.
        total: Their number.
        label: What is being done, as the beginning of each line.
        write: Called with each line.
        clock: Returns the time in seconds.

    Yields:
        The items, unchanged.
    """
    pace, started = Pace(clock), clock()
    for number, item in enumerate(items, 1):
        yield item
        if number < total and pace.due():
            left = duration((clock() - started) / number * (total - number))
            write(f"{label}: {number} of {total}, about {left} left")


class SlowSteps:
    """Writes the current step of a command once the command takes long, and from then on each new step.

    Args:
        write: Called with each line.
        delay: Seconds after which the command takes long; None for `SLOW_SECONDS`.
    """

    def __init__(self, write: Callable[[str], None], delay: float | None = None) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._step: str | None = None
        self._is_slow = False
        self._timer = threading.Timer(SLOW_SECONDS if delay is None else delay, self._become_slow)
        self._timer.daemon = True

    def __enter__(self) -> SlowSteps:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def __call__(self, step: str) -> None:
        """Begin a step."""
        with self._lock:
            self._step = step
            if self._is_slow:
                self._write(step)

    def _become_slow(self) -> None:
        with self._lock:
            self._is_slow = True
            if self._step is not None:
                self._write(self._step)


def can_redraw(console: Console) -> bool:
    """Whether `console` is a terminal on which lines can be redrawn; a file, a pipe and a dumb terminal are not."""
    return console.is_terminal and not console.is_dumb_terminal


def step_line(progress: Progress) -> str:
    """The step of a run and how much of the run is done: `train 3/20, 12% done`."""
    return f"{progress.label}, {progress.done / max(1, progress.total):.0%} done"


def duration(seconds: float) -> str:
    """`seconds` in words: `40 s`, `4 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"

"""Progress where nothing can be drawn over, as in a file or a log: whole lines, and few of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

    from benchmark.runs.run import Progress

EVERY_SECONDS = 30.0
"""How long the program is silent at least between two lines about the same work."""

Item = TypeVar("Item")
Clock = Callable[[], float]


class Pace:
    """Says when the next line is due; the first one is when the work has gone on for so long."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def due(self) -> bool:
        """Whether so much time has passed since the last line that another may be written, which is then the last."""
        now = self._clock()
        if now - self._last < EVERY_SECONDS:
            return False
        self._last = now
        return True

    def restart(self) -> None:
        """A line has just been written for another reason."""
        self._last = self._clock()


def counted(
    items: Iterable[Item],
    total: int,
    doing: str,
    tell: Callable[[str], None],
    clock: Clock = time.monotonic,
) -> Iterator[Item]:
    """`items` as they come, of which there are `total`; `tell` hears now and then how many there were, and how long the
    rest will take at the pace so far."""
    pace, started = Pace(clock), clock()
    for number, item in enumerate(items, 1):
        yield item
        if number < total and pace.due():
            left = duration((clock() - started) / number * (total - number))
            tell(f"{doing}: {number} of {total}, about {left} left")


def can_redraw(console: Console) -> bool:
    """Whether what was written can be drawn over: not in a file, and not on a terminal that only writes on."""
    return console.is_terminal and not console.is_dumb_terminal


def step_line(progress: Progress) -> str:
    """Where a run is: `train 3/20, 12% done`."""
    return f"{progress.label}, {progress.done / max(1, progress.total):.0%} done"


def duration(seconds: float) -> str:
    """`40 s`, `4 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"

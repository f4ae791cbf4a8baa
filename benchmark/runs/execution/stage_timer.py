"""Wall-clock time of the stages of a run."""

from __future__ import annotations

import time

import psutil


class StageTimer:
    """Measures stages that follow each other. The first stage begins with the process.

    Attributes:
        seconds: Seconds by stage, in the order of their first end.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._at = time.perf_counter() - max(0.0, time.time() - psutil.Process().create_time())

    def end(self, stage: str) -> None:
        """Add the time since the last stage ended to `stage`."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._at
        self._at = now

    def move(self, seconds: float, source: str, target: str) -> None:
        """Move time from one stage to another.

        Args:
            seconds: Seconds to move.
            source: The stage that was measured.
            target: The stage that the time belongs to.
        """
        self.seconds[source] -= seconds
        self.seconds[target] = self.seconds.get(target, 0.0) + seconds

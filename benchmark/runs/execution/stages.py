"""How long the stages of a run take, by the clock on the wall."""

from __future__ import annotations

import time

import psutil


class Stages:
    """Seconds by stage, in the order in which they were first met. The first stage begins with the process."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._at = time.perf_counter() - max(0.0, time.time() - psutil.Process().create_time())

    def end(self, stage: str) -> None:
        """What has passed since the last stage ended was `stage`."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._at
        self._at = now

    def move(self, seconds: float, source: str, target: str) -> None:
        """`seconds` of the stage `source` were `target`."""
        self.seconds[source] -= seconds
        self.seconds[target] = self.seconds.get(target, 0.0) + seconds

"""Units: the pieces of work that engines on other machines compute, each as a task of its own.

An engine on other machines does not depend on the computation of a unit. Runs
(`benchmark.runs.execution.engines.remote`) and evaluations (`benchmark.runs.execution.evaluation_task`) are units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class Unit(Protocol):
    """A piece of work. Its outcome is what the store has for it."""

    @property
    def key(self) -> str:
        """A name for it in the store: letters and digits."""

    @property
    def memory_mib(self) -> int | None:
        """Memory in MiB to declare for it; None to declare nothing."""

    def submitted(self, where: str) -> None:
        """Handle that an engine has accepted it; `where` names it there."""

    def started(self) -> None:
        """Handle that a machine has begun to compute it."""

    def has_outcome(self) -> bool:
        """Whether the store has an outcome that it did not have when the unit was made. Raises ConfigError."""

    def is_whole(self) -> bool:
        """Whether its outcome is a finished one, so that its logs may go."""

    def fail(self, reason: str, memory_limit_mib: int | None = None) -> None:
        """Give it a failed outcome.

        Args:
            reason: Why, in one line.
            memory_limit_mib: The memory in MiB beyond which it was ended; None if it was ended by something else, or by
                an unknown limit.
        """


@dataclass(frozen=True)
class Program:
    """What computes the units of a command.

    Attributes:
        module: The module that computes a task: `python -m MODULE FOLDER INDEX`. Its function `main` takes both words.
        folder: The folder for tasks and for notes about them, which all machines see.
        write: Describes units in a new folder. It takes the units in the order of their tasks, the name of the engine
            and the number of threads of each.
    """

    module: str
    folder: Path
    write: Callable[[Sequence[Any], str, int], Path]


class Queue(Protocol):
    """An engine on other machines."""

    @property
    def is_busy(self) -> bool:
        """Whether units are pending or in progress."""

    @property
    def declares_memory(self) -> bool:
        """Whether it declares the memory of units; not if the user gave a number."""

    def submit(self, units: Sequence[Any]) -> None:
        """Submit units that the store lacks.

        Args:
            units: The units.

        Raises:
            ConfigError: The engine takes no units at all.
            OSError: The store cannot be written.
        """

    def watch(self) -> list[Any]:
        """Wait for a short time, and return the units that have ended, each with an outcome. Raises OSError."""

    def cancel(self) -> None:
        """End the units in progress, and withdraw those that wait."""


MakeQueue = Callable[[Program], Queue]
"""Makes the engine of a command."""

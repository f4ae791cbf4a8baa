"""The epochs of a training, as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.runs.run import Run

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")
"""The figures that learning curves and the diagnosis need."""

_INDEX = ("phase", "epoch")


@dataclass(frozen=True)
class Epoch:
    """One epoch.

    Attributes:
        step: Number of the epoch through all phases, from 1.
        phase: Name of the phase.
        epoch: Number of the epoch within the phase, from 1.
        values: The recorded figures by name.
    """

    step: int
    phase: str
    epoch: int
    values: dict[str, float]


@dataclass(frozen=True)
class History:
    """The epochs of a training, in order; empty if none was completed."""

    epochs: tuple[Epoch, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> History:
        """Make a history from rows.

        Args:
            rows: One per epoch: phase, epoch and figures, as numbers or as text. A figure that is empty or None was
                not recorded.

        Returns:
            The history.

        Raises:
            ValueError: A figure is not a number.
        """
        epochs = []
        for step, row in enumerate(rows, start=1):
            recorded = {name: value for name, value in row.items() if name not in _INDEX and value not in (None, "")}
            values = {name: float(value) for name, value in recorded.items()}
            epochs.append(Epoch(step, row.get("phase") or "", int(row.get("epoch") or step), values))
        return cls(tuple(epochs))

    def __len__(self) -> int:
        return len(self.epochs)

    def column(self, name: str) -> tuple[float | None, ...]:
        """The figure `name` of each epoch; None for an epoch without it."""
        return tuple(epoch.values.get(name) for epoch in self.epochs)

    def curves(self) -> dict[str, list[float]]:
        """The columns `CURVES`. Raises ValueError if one of them lacks a value."""
        for epoch in self.epochs:
            for name in CURVES:
                if name not in epoch.values:
                    raise ValueError(f"epoch {epoch.step} has no number for {name}")
        return {name: [epoch.values[name] for epoch in self.epochs] for name in CURVES}

    def rows(self) -> list[dict[str, str | int | float]]:
        """One row per epoch: phase, epoch and the recorded figures."""
        return [{"phase": epoch.phase, "epoch": epoch.epoch, **epoch.values} for epoch in self.epochs]


NO_HISTORY = History()

Histories = Callable[[Run], History]
"""A function that returns the history of a run, such as `Store.history`."""

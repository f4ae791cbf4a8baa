"""The epochs of a training, as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")
"""What learning curves and the diagnosis read."""

_PLACE = ("phase", "epoch")


@dataclass(frozen=True)
class Epoch:
    """One epoch.

    Attributes:
        step: Its number through all phases, from 1.
        phase: The name of its phase.
        epoch: Its number within the phase, from 1.
        values: What training recorded, by name; what it did not record is left out.
    """

    step: int
    phase: str
    epoch: int
    values: dict[str, float]


@dataclass(frozen=True)
class History:
    """The epochs of a training, in order; none where it did not get that far."""

    epochs: tuple[Epoch, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> History:
        """The history in `rows`, one per epoch: phase, epoch and figures, as numbers or as text.

        Raises:
            ValueError: A figure is no number. An empty one is a figure that was not recorded.
        """
        epochs = []
        for step, row in enumerate(rows, start=1):
            recorded = {name: value for name, value in row.items() if name not in _PLACE and value not in (None, "")}
            values = {name: float(value) for name, value in recorded.items()}
            epochs.append(Epoch(step, row.get("phase") or "", int(row.get("epoch") or step), values))
        return cls(tuple(epochs))

    def __len__(self) -> int:
        return len(self.epochs)

    def column(self, name: str) -> tuple[float | None, ...]:
        """What was recorded under `name`, one value per epoch; None where nothing was."""
        return tuple(epoch.values.get(name) for epoch in self.epochs)

    def curves(self) -> dict[str, list[float]]:
        """The columns CURVES. Raises ValueError where one of them has no value."""
        for epoch in self.epochs:
            for name in CURVES:
                if name not in epoch.values:
                    raise ValueError(f"epoch {epoch.step} has no number for {name}")
        return {name: [epoch.values[name] for epoch in self.epochs] for name in CURVES}

    def rows(self) -> list[dict[str, str | int | float]]:
        """One row per epoch: phase, epoch, and what was recorded."""
        return [{"phase": epoch.phase, "epoch": epoch.epoch, **epoch.values} for epoch in self.epochs]


NO_HISTORY = History()

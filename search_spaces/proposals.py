"""What a search needs of a tuner: proposals of values, and reports of their objectives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Proposal:
    """The values of one trial.

    Attributes:
        values: Values by path in the card, without those of parameters whose condition (`when`) is not met.
        epochs: The cap on epochs per phase; None for none.
        trial: What identifies the trial to the tuner.
    """

    values: dict[str, Any]
    epochs: int | None
    trial: Any


class Tuner(Protocol):
    """Proposes trials. With the same seed and the same reports in the same order, it proposes the same ones."""

    def propose(self, count: int) -> list[Proposal]:
        """Return up to `count` proposals that are computed together; none if the space has no more."""

    def report(self, proposal: Proposal, value: float | None) -> None:
        """Report the objective of a proposal; None if the trial failed."""

"""Estimates: a value, its 95% interval, and the reason if either is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

Caution = Literal["few units", "seeds differ in kind"]
"""Why an interval may be far off; `benchmark.evidence.intervals.caution` has the sentences."""


@dataclass(frozen=True)
class Trainings:
    """How much a figure varies between trainings of one recipe, as several seeds show.

    Attributes:
        seeds: The number of trainings, at least 2.
        spread: The standard deviation of the figure between them.
    """

    seeds: int
    spread: float


class Estimate:
    """Base of figures, rates, differences and thresholds, which are dataclasses with these fields.

    Attributes:
        value: The estimate; None where it is undefined or was not computed.
        low: Lower end of the 95% interval; None where there is no interval.
        high: Upper end.
        reason: Why the value or the interval is missing.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Both ends of the 95% interval; None where there is no interval."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def trainings(self) -> Trainings | None:
        """How much the figure varies between trainings; None where that is not known."""
        return None

    @property
    def caution(self) -> Caution | None:
        """Why the interval may be far off; None where nothing speaks against it."""
        return None


@dataclass(frozen=True)
class SampleEstimate(Estimate):
    """A figure or a difference on `n` test images.

    Attributes:
        n: The number of test images.
        trainings: How much the figure varies between trainings; None for one training, and for a difference.
        caution: Why the interval may be far off; None where nothing speaks against it.

    Raises:
        ValueError: If the bounds are reversed, or `n` is less than 1.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None = None
    trainings: Trainings | None = None
    caution: Caution | None = None

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"interval [{self.low}, {self.high}] is upside down; its lower end comes first")
        if self.n < 1:
            raise ValueError(f"an estimate needs at least one image, not {self.n}")

    @classmethod
    def of(cls, estimate: Estimate, n: int) -> Self:
        """Return `estimate` with its number of test images `n`."""
        return cls(
            estimate.value, estimate.low, estimate.high, n, estimate.reason, estimate.trainings, estimate.caution
        )

    @classmethod
    def missing(cls, n: int, reason: str) -> Self:
        """Return an estimate without a value on `n` test images, with the `reason`."""
        return cls(None, None, None, n, reason)

"""What every estimate has in common: a value, its 95% interval, and the reason where something is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


class Estimate:
    """Base of figures, rates, differences and thresholds, which are dataclasses with these fields.

    Attributes:
        value: The estimate; None where it is undefined or was not computed.
        low: Lower end of the 95% interval; None where there is no interval.
        high: Upper end.
        reason: Why something is missing.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The 95% interval; None where there is none."""
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True)
class SampleEstimate(Estimate):
    """A figure or a difference on `n` test images. Raises ValueError for reversed bounds and for fewer than 1 image."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"interval [{self.low}, {self.high}] is upside down")
        if self.n < 1:
            raise ValueError(f"an estimate rests on at least one image, not {self.n}")

    @classmethod
    def of(cls, estimate: Estimate, n: int) -> Self:
        """`estimate` on `n` test images."""
        return cls(estimate.value, estimate.low, estimate.high, n, estimate.reason)

    @classmethod
    def missing(cls, n: int, reason: str) -> Self:
        """No estimate, and why."""
        return cls(None, None, None, n, reason)

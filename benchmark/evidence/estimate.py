"""Estimates: a value, its 95% interval, and the reason if either is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


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


@dataclass(frozen=True)
class SampleEstimate(Estimate):
    """A figure or a difference on `n` test images.

    Raises:
        ValueError: If the bounds are reversed, or `n` is less than 1.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"interval [{self.low}, {self.high}] is upside down; its lower end comes first")
        if self.n < 1:
            raise ValueError(f"an estimate needs at least one image, not {self.n}")

    @classmethod
    def of(cls, estimate: Estimate, n: int) -> Self:
        """Return `estimate` with its number of test images `n`."""
        return cls(estimate.value, estimate.low, estimate.high, n, estimate.reason)

    @classmethod
    def missing(cls, n: int, reason: str) -> Self:
        """Return an estimate without a value on `n` test images, with the `reason`."""
        return cls(None, None, None, n, reason)

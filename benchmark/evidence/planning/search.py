"""Power by simulation, and the smallest number of images with enough of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.evidence.comparison.power import POWER
from benchmark.evidence.comparison.verdict import Decision, Verdict

MOST = 50_000
"""A number of images above this is not searched for."""
_LEAST = 10
_CLOSE = 1.1  # ratio of two numbers of images between which a simulation does not distinguish
_STRIDE = 1.5
_TRIALS = 8


@dataclass(frozen=True)
class Chances:
    """What simulated verdicts on one claim came out as.

    Attributes:
        decisions: One verdict per simulated experiment.
    """

    decisions: tuple[Decision, ...]

    def of(self, verdict: Verdict) -> float:
        """Return the share of a verdict."""
        return sum(decision.verdict == verdict for decision in self.decisions) / len(self.decisions)

    def limit(self, upwards: bool = True) -> float | None:
        """Return the limit at which the claim would be reproduced with 80% probability.

        Args:
            upwards: Whether a greater margin or bound is easier to meet; False for a lower bound.

        Returns:
            The margin or bound; None if fewer of the experiments have an interval.
        """
        values = [decision.flip.reproduced for decision in self.decisions if decision.flip is not None]
        needed = math.ceil(POWER * len(self.decisions))
        if len(values) < needed:
            return None
        ordered = np.sort(values) if upwards else np.sort(values)[::-1]
        return float(ordered[needed - 1])


def scaled_images(images: int, attainable: float, margin: float, unlimited: float = 0.0) -> int:
    """Return where to begin a search: the number of images at which a margin is attainable, as intervals scale.

    Args:
        images: The present number of images.
        attainable: The margin that it attains.
        margin: The wished margin.
        unlimited: The margin that unlimited images attain.

    Returns:
        The number, from 10 to `MOST`.
    """
    excess, wished = attainable**2 - unlimited**2, margin**2 - unlimited**2
    if excess <= 0 or wished <= 0:
        return images
    return round(min(MOST, max(_LEAST, images * excess / wished)))


def images_with_power(power: Callable[[int], float], start: int, least: int = _LEAST) -> int | None:
    """Return about the smallest number of images with 80% power.

    Args:
        power: Power by number of images; it rises, up to the noise of a simulation.
        start: Where the search begins.
        least: The smallest number that is possible.

    Returns:
        The number, within about 10%, rounded up to two digits; None if `MOST` images have less.
    """
    low, high, n = 0, 0, max(start, least)
    while not (low and high):
        if power(n) >= POWER:
            high = n
            if n <= least:
                return n
            n = max(least, round(n / _STRIDE))
        else:
            low = n
            if n >= MOST:
                return None
            n = min(MOST, math.ceil(n * _STRIDE))
    for _ in range(_TRIALS):
        if high / low <= _CLOSE:
            break
        middle = round(math.sqrt(low * high))
        if power(middle) >= POWER:
            high = middle
        else:
            low = middle
    return rounded_up(high)


def rounded_up(number: float) -> int:
    """Return a number rounded up to two digits, as its accuracy in a simulation allows."""
    unit = int(10 ** max(0, len(str(math.ceil(number))) - 2))
    return math.ceil(number / unit) * unit


def smallest_with_power(power: Callable[[int], float], candidates: Sequence[int]) -> int | None:
    """Return the first of the candidates, in rising order, with 80% power; None if none has it."""
    return next((number for number in candidates if power(number) >= POWER), None)

"""The number of test images that gives an interval of a wished width."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.planning.classes import ClassWorld
from benchmark.evidence.planning.noise import Noise
from benchmark.evidence.planning.search import MOST
from benchmark.evidence.planning.worlds import BinaryWorld

SETS = 100
"""The number of simulated test sets per number of images, for metrics that are no plain proportion."""
_LEAST = 10
_SHORTEST = 50
_WORK = 2_000_000  # images that a search of the exact number may evaluate, about


@dataclass(frozen=True)
class WidthPlan:
    """How many test images give an interval of a wished width.

    Attributes:
        images: The smallest number; None if 50,000 give a wider interval.
        sizes: The number of images of each class; empty without `images`.
        width: The width with so many images; of the median of simulated test sets where it is not exact.
        low: Lower end of this interval.
        high: Upper end.
        exact: Whether the expected counts alone give the interval; else test sets are simulated.
        count: Numerator and denominator of the expected figure, in whole images; None if it is no share of images.
    """

    images: int | None
    sizes: tuple[int, ...] = ()
    width: float | None = None
    low: float | None = None
    high: float | None = None
    exact: bool = True
    count: tuple[int, int] | None = None


def images_for_width(world: BinaryWorld | ClassWorld, expected: float, width: float) -> WidthPlan:
    """Return the smallest number of test images whose 95% interval is at most so wide.

    The interval is that of a report for one training, on a test set that measures the expected figure (Buderer 1996 for
    sensitivity and specificity). For decisions on two classes the nearest whole counts give it. They make the width
    fluctuate, so the answer is the first number from which on every larger one is narrow enough. All other figures are
    simulated, and the median width counts.

    Args:
        world: The figure and the shares of the classes.
        expected: The true figure, within the range of the metric.
        width: The wished width, above 0.

    Returns:
        The number, with the interval it gives.
    """
    exact = isinstance(world, BinaryWorld) and world.is_of_decisions

    def at(images: int) -> SampleEstimate | None:
        sized = world.with_images(images)
        return sized.expected(expected) if isinstance(sized, BinaryWorld) and exact else _median(sized, expected)

    def narrow(images: int) -> bool:
        bounds = None if (estimate := at(images)) is None else estimate.bounds
        return bounds is not None and bounds[1] - bounds[0] <= width

    images = _first(narrow, _LEAST)
    if images is not None and isinstance(world, BinaryWorld) and exact:
        images = _from_then_on(narrow, images, world.period(expected))
    if images is None:
        return WidthPlan(None, exact=exact)
    estimate = at(images)
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    sizes = world.with_images(images).counts
    count = world.with_images(images).expected_count(expected) if isinstance(world, BinaryWorld) and exact else None
    return WidthPlan(images, sizes, estimate.high - estimate.low, estimate.low, estimate.high, exact, count)


def _median(world: BinaryWorld | ClassWorld, expected: float) -> SampleEstimate | None:
    """Return the estimate of the simulated test set whose interval has the median width; None if most have none."""
    generator = np.random.default_rng(0)
    estimates = [world.measure(expected, Noise(), generator) for _ in range(SETS)]
    ordered = sorted(estimates, key=lambda each: math.inf if each.bounds is None else each.bounds[1] - each.bounds[0])
    middle = ordered[SETS // 2]
    return None if middle.bounds is None else middle


def _from_then_on(holds: Callable[[int], bool], near: int, period: int) -> int | None:
    """Return the smallest number that meets a condition, as every larger one does, despite the rounding of counts.

    Args:
        holds: The condition.
        near: A number near the answer.
        period: Length of a stretch with every way to round; if all of it meets the condition, larger numbers do.

    Returns:
        The number; None if it exceeds `MOST`.
    """
    stretch = min(period, max(_SHORTEST, _WORK // near))
    number = max(_LEAST, near - 2 * stretch)
    while number > _LEAST and holds(number):
        number = max(_LEAST, number - stretch)
    start: int | None = None
    while number <= MOST:
        if not holds(number):
            start = None
        elif start is None:
            start = number
        if start is not None and number - start >= stretch:
            return start
        number += 1
    return start


def _first(holds: Callable[[int], bool], least: int) -> int | None:
    """Return the smallest number from `least` on for which a condition holds that holds from some number on."""
    low, high = least - 1, least
    while not holds(high):
        if high >= MOST:
            return None
        low, high = high, min(MOST, 2 * high)
    while high - low > max(1, high // 200):
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high

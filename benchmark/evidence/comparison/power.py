"""The number of images at which a verdict is likely: the power of an interval against a margin or a bound.

The estimate is taken as the true value, and its standard error falls with the square root of the number of images.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import scipy
from scipy.special import ndtr

from benchmark.evidence.intervals.formulas import z_quantile

POWER = 0.8
"""The probability of a verdict that counts as enough, by convention (Cohen 1988)."""
MOST_IMAGES = 1_000_000
"""A number of images above this is as good as none."""


def images_to_decide_margin(n: int, half: float, value: float, margin: float, fixed_half: float = 0.0) -> int | None:
    """Return the number of images at which a difference is probably concluded to lie inside or outside +/- a margin.

    Inside is equivalence by two one-sided tests (Schuirmann 1987), outside the mirror image. The wanted conclusion is
    the one that holds at `value`.

    Args:
        n: The present number of images, at least 1.
        half: Half of the present 95% interval, as far as it comes from these images; above 0.
        value: The difference, taken as the true one.
        margin: At least 0.
        fixed_half: Half of the interval of the published figure, which no number of measured images narrows.

    Returns:
        The smallest number with 80% power, at least `n` + 1; None if no number below a million has it.
    """
    z = z_quantile(0.95)

    def power(error: float) -> float:
        reach = math.hypot(z * error, fixed_half)
        if abs(value) > margin:
            return float(ndtr((abs(value) - margin - reach) / error))
        inside = margin - reach
        return float(ndtr((inside - value) / error) - ndtr((-inside - value) / error)) if inside > 0 else 0.0

    return _images(n, half / z, power)


def images_to_decide_bound(n: int, half: float, value: float, bound: float) -> int | None:
    """Return the number of images at which a figure is probably concluded to lie above or below a bound.

    Args:
        n: The present number of images, at least 1.
        half: Half of the present 95% interval; above 0.
        value: The figure, taken as the true one.
        bound: The bound.

    Returns:
        The smallest number with 80% power, at least `n` + 1; None if no number below a million has it.
    """
    z = z_quantile(0.95)
    return _images(n, half / z, lambda error: float(ndtr(abs(value - bound) / error - z)))


def _images(n: int, error: float, power: Callable[[float], float]) -> int | None:
    """Return the smallest number of images with enough power, which falls as the standard error grows."""
    least = error * math.sqrt(n / MOST_IMAGES)
    if error <= 0 or power(least) < POWER:
        return None
    enough = least if power(error) >= POWER else scipy.optimize.brentq(lambda each: power(each) - POWER, least, error)
    return n + 1 if power(error) >= POWER else max(n + 1, math.ceil(n * (error / enough) ** 2))

"""What printed figures of one or two models can show: counts for a bound, and p values of unknown pairings."""

from __future__ import annotations

import math
from typing import Literal

from scipy.optimize import brentq
from scipy.stats import chi2, norm

from benchmark.evidence.intervals.formulas import hanley_mcneil, wilson, z_quantile

Side = Literal["at least", "at most"]
"""Whether a figure is claimed to be at least, or at most, a bound."""


def count_for_bound(n: int, bound: float, side: Side) -> int | None:
    """Find the count whose 95% interval of Wilson just shows a bound.

    Args:
        n: The number of images, at least 1.
        bound: The bound of the proportion.
        side: `at least` for the smallest count whose lower end is at least the bound, `at most` for the largest count
            whose upper end is at most the bound.

    Returns:
        The count; None if no count of `n` images shows the bound.
    """
    if side == "at least":
        return next((count for count in range(n + 1) if wilson(count, n)[0] >= bound), None)
    return next((count for count in range(n, -1, -1) if wilson(count, n)[1] <= bound), None)


def images_for_bound(bound: float, side: Side) -> int | None:
    """Find the smallest number of images that can show a bound, if all of them are right, or none of them.

    Args:
        bound: The bound of the proportion.
        side: `at least` or `at most`.

    Returns:
        The number of images; None for a bound of 1 or more, or of 0 or less, which no number shows.
    """
    share = bound if side == "at least" else 1 - bound
    if not 0 < share < 1:
        return None
    # Wilson's lower end of n successes of n is n / (n + z^2).
    n = max(1, math.floor(share * z_quantile(0.95) ** 2 / (1 - share)))
    while wilson(n, n)[0] < share:
        n += 1
    return n


def auc_for_bound(bound: float, positives: int, negatives: int, side: Side) -> float | None:
    """Find the AUC whose 95% interval just shows a bound (Hanley and McNeil 1982).

    Args:
        bound: The bound of the AUC, in (0, 1).
        positives: The number of positive images, at least 1.
        negatives: The number of negative images, at least 1.
        side: `at least` for the lower end of the interval, `at most` for the upper end.

    Returns:
        The AUC; None for a bound outside (0, 1).
    """
    if not 0 < bound < 1:
        return None
    sign, end = (-1, 1.0) if side == "at least" else (1, 0.0)

    def excess(auc: float) -> float:
        return auc + sign * z_quantile(0.95) * hanley_mcneil(auc, positives, negatives) - bound

    return float(brentq(excess, bound, end))


def least_p(difference: int, *, exact: bool = False) -> float:
    """Return the smallest p value of McNemar's test that a difference of two counts on the same images allows.

    It is that of the pairing in which one model is right wherever the other is. Any other pairing has more images on
    which exactly one of them is right, and so a larger p value.

    Args:
        difference: By how many images more one model is right, at least 0.
        exact: Whether only the exact test counts; else the mid-p and the asymptotic test without correction too.

    Returns:
        The two-sided p value.
    """
    binomial = min(1.0, 2 * 0.5**difference)
    if exact or not difference:
        return binomial
    return min(binomial / 2, float(chi2.sf(difference, 1)))


def correlation_for(difference: float, errors: tuple[float, float], p: float) -> float | None:
    """Return the correlation of two estimates from which on their difference has at most a p value.

    Args:
        difference: The difference of the estimates, above 0.
        errors: Their standard errors.
        p: The two-sided p value of a normal test, in (0, 1).

    Returns:
        The smallest correlation, at most 1 and possibly negative; None if not even a correlation of 1 suffices.
    """
    first, second = errors
    variance = (difference / float(norm.isf(p / 2))) ** 2
    if first <= 0 or second <= 0 or variance < (first - second) ** 2:
        return None
    return (first**2 + second**2 - variance) / (2 * first * second)

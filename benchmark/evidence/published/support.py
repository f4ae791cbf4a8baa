"""What printed figures of one or two models can show: counts for a bound, and p values of unknown pairings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import scipy

from benchmark.evidence.intervals.formulas import f1_of_jaccard, hanley_mcneil, wilson, z_quantile
from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.feasible import Range

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

    return float(scipy.optimize.brentq(excess, bound, end))


def interval_of_matrices(key: str, matrices: Sequence[Confusion]) -> Range | None:
    """Return the 95% interval of a figure that is no proportion of a count, over all possible confusion matrices.

    F1 has Wilson's interval of the Jaccard index, mapped. Balanced accuracy, which is macro recall, combines Wilson's
    intervals of recall and specificity by square and add (Zou and Donner 2008).

    Args:
        key: The name of the figure.
        matrices: The possible confusion matrices.

    Returns:
        The least lower and the greatest upper end; None for other figures, and where a matrix leaves one undefined.
    """
    if key not in ("f1", "balanced_accuracy", "macro_recall") or not matrices:
        return None
    ends = [_of_jaccard(each) if key == "f1" else _of_both_rates(each) for each in matrices]
    known = [each for each in ends if each is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if len(known) == len(ends) else None


def _of_jaccard(matrix: Confusion) -> Range | None:
    n = matrix.tp + matrix.fp + matrix.fn
    if not n:
        return None
    low, high = wilson(matrix.tp, n)
    return f1_of_jaccard(low), f1_of_jaccard(high)


def _of_both_rates(matrix: Confusion) -> Range | None:
    positives, negatives = matrix.tp + matrix.fn, matrix.tn + matrix.fp
    if not positives or not negatives:
        return None
    rates = matrix.tp / positives, matrix.tn / negatives
    ends = wilson(matrix.tp, positives), wilson(matrix.tn, negatives)
    below, above = (math.hypot(*(end[i] - rate for end, rate in zip(ends, rates, strict=True))) for i in (0, 1))
    mean = sum(rates) / 2
    return mean - below / 2, mean + above / 2


def discordant(first: Iterable[Confusion], second: Iterable[Confusion]) -> tuple[tuple[int, int], ...]:
    """List what two models can differ by on the same images, from the confusion matrices that each of them can have.

    Args:
        first: The possible matrices of one model.
        second: Those of the other, with the same class sizes.

    Returns:
        Pairs: by how many images more one of them is right, and on how many images at least exactly one of them is
        right. The second number is at least the first: a model that is right on more images of one class and on fewer
        of the other differs on the images of both.
    """
    differences = {(one.tp - other.tp, one.tn - other.tn) for one in first for other in second}
    return tuple(sorted({(abs(tp + tn), abs(tp) + abs(tn)) for tp, tn in differences}))


def least_p(difference: int, images: int | None = None, *, exact: bool = False) -> float:
    """Return the smallest p value of McNemar's test that a difference of two counts on the same images allows.

    It is that of the pairing with the fewest images on which exactly one model is right. With more of them and the
    same difference, the p value is larger.

    Args:
        difference: By how many images more one model is right, at least 0.
        images: On how many images at least exactly one of them is right; None if it may be `difference`: one model is
            right wherever the other is.
        exact: Whether only the exact test counts; else the mid-p and the asymptotic test without correction too.

    Returns:
        The two-sided p value.
    """
    n = difference if images is None else images
    if not difference or not n:
        return 1.0
    fewer = (n - difference) // 2
    binomial = min(1.0, 2 * float(scipy.stats.binom.cdf(fewer, n, 0.5)))
    if exact:
        return binomial
    return min(binomial - float(scipy.stats.binom.pmf(fewer, n, 0.5)), float(scipy.stats.chi2.sf(difference**2 / n, 1)))


def correlation_for(difference: float, errors: tuple[float, float], p: float) -> float | None:
    """Return the smallest correlation of two estimates at which their difference is as significant as a p value.

    Args:
        difference: The difference of the estimates, above 0.
        errors: Their standard errors.
        p: The two-sided p value of a normal test, in (0, 1).

    Returns:
        The smallest correlation, at most 1 and possibly negative; None if not even a correlation of 1 suffices.
    """
    first, second = errors
    variance = (difference / float(scipy.stats.norm.isf(p / 2))) ** 2
    if first <= 0 or second <= 0 or variance < (first - second) ** 2:
        return None
    return (first**2 + second**2 - variance) / (2 * first * second)

"""Whether printed rates can describe the same decisions, whatever the number of images, and the prevalences they imply.

The four outcomes are shares that add up to 1. A figure that is a ratio of counts gives two linear inequalities in them,
which linear programming solves. Averages over both classes, MCC and kappa are not linear: a search over rates finds
values for them or does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import scipy

from benchmark.evidence.metrics.influence import Floats
from benchmark.evidence.metrics.printed import is_count, is_of_counts, ratio_of, values
from benchmark.evidence.metrics.registry import Ratio, find_metric
from benchmark.evidence.published.feasible import Range, feasible_sizes, is_feasible

_INFEASIBLE = 2  # the status of scipy.optimize.linprog
_POSITIVES = np.array([1.0, 0.0, 0.0, 1.0])
_FIXED = ((1, 0, 0, 1), (0, 1, 1, 0), (1, 1, 1, 1))
_NEAR = 1e-6
_EDGE = 1e-3
_STEP = 2.0**-26  # square root of the machine epsilon
_GRID, _STARTS, _EVALUATIONS = 31, 24, 60  # of the search: points per rate, the best of them, steps from each
_MOST_PAIRS = 3000


def feasible_at_any_size(ranges: Mapping[str, Range], positive_share: float | None = None) -> bool:
    """Check whether figures can be within ranges for any number of images.

    Args:
        ranges: (low, high) by figure; figures that are no ratio of counts are ignored.
        positive_share: The share of positives, in (0, 1); None for any.

    Returns:
        False if the ranges are infeasible.
    """
    rows = _rows(ranges, positive_share)
    return not rows or _extreme(rows, np.zeros(4), positive_share) is not None


def prevalence_range(ranges: Mapping[str, Range]) -> Range | None:
    """Find the shares of positives that figures within ranges allow.

    Args:
        ranges: (low, high) by figure; figures that are no ratio of counts are ignored.

    Returns:
        The smallest and the largest share; None if no share is possible or no figure is a ratio of counts.
    """
    rows = _rows(ranges, None)
    ends = [_extreme(rows, sign * _POSITIVES, None) for sign in (1, -1)] if rows else [None, None]
    if ends[0] is None or ends[1] is None:
        return None
    return max(0.0, ends[0]), min(1.0, -ends[1])


def smallest_test_set(ranges: Mapping[str, Range], most: int) -> tuple[int, int] | None:
    """Find the smallest test set on which some confusion matrix has figures within ranges.

    Args:
        ranges: (low, high) by figure, each computed from a confusion matrix.
        most: The largest number of images to try.

    Returns:
        The numbers of negatives and positives; None if `most` images are too few, or too many test sets would be tried.
    """
    prevalence = prevalence_range(ranges)
    if prevalence is None:
        return None
    known = [name for name in ("accuracy", "recall", "specificity") if name in ranges]
    sizes = {name: set(feasible_sizes([ranges[name]], most)) for name in known}
    tried = 0
    for n in range(2, most + 1):
        if n not in sizes.get("accuracy", {n}):
            continue
        first, last = max(1, int(np.ceil(prevalence[0] * n - _NEAR))), min(n - 1, int(prevalence[1] * n + _NEAR))
        for positives in range(first, last + 1):
            negatives = n - positives
            if positives in sizes.get("recall", {positives}) and negatives in sizes.get("specificity", {negatives}):
                tried += 1
                if tried > _MOST_PAIRS:
                    return None
                if is_feasible(ranges, negatives, positives):
                    return negatives, positives
    return None


def rates_exist(ranges: Mapping[str, Range], positive_share: float | None = None) -> bool:
    """Search recall, specificity and prevalence with which all figures are within ranges.

    Args:
        ranges: (low, high) by figure, each computed from a confusion matrix.
        positive_share: The share of positives, in (0, 1); None for any.

    Returns:
        True if the search, least squares from the best points of a grid, finds rates; False is no proof of the reverse.
    """
    return _search(tuple(ranges.items()), positive_share)


@lru_cache(1024)  # a search takes a second, and each report on the same claims would repeat it
def _search(items: tuple[tuple[str, Range], ...], positive_share: float | None) -> bool:
    """As `rates_exist`."""
    ranges = dict(items)
    names = [name for name in ranges if is_of_counts(name) and not is_count(name)]
    steps = np.linspace(0, 1, _GRID)
    inner = np.clip(steps, _EDGE, 1 - _EDGE)
    axes = [inner, inner] if positive_share is not None else [inner, inner, inner]

    def distances(points: Floats) -> Floats:
        share = points[:, 2] if positive_share is None else np.full(len(points), positive_share)
        return _beyond(points[:, 0], points[:, 1], share, names, ranges)

    def distances_of(point: Floats) -> Floats:
        return distances(point[None])[:, 0]

    def slopes_of(point: Floats) -> Floats:  # all differences in one call; SciPy would make one call for each
        aside = np.where(point < 0.5, _STEP, -_STEP)
        at = distances(np.concatenate([point[None], point + np.diag(aside)]))
        slopes: Floats = (at[:, 1:] - at[:, :1]) / aside
        return slopes

    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    # Many neighbouring starts: from a single one, the search may stop in a flat valley just outside of the ranges.
    for start in points[np.argsort(distances(points).sum(axis=0), kind="stable")[:_STARTS]]:
        search = scipy.optimize.least_squares(distances_of, start, slopes_of, bounds=(0, 1), max_nfev=_EVALUATIONS)
        if float(search.fun.max()) <= _NEAR:
            return True
    return False


def _beyond(
    recall: Floats, specificity: Floats, share: Floats, names: Sequence[str], ranges: Mapping[str, Range]
) -> Floats:
    """How far each figure (m, n) of n rates and shares of positives is beyond its range."""
    counts = np.array(
        [share * recall, (1 - share) * (1 - specificity), (1 - share) * specificity, share * (1 - recall)]
    )
    distances = []
    for name in names:
        figures, (low, high) = values(name, counts), ranges[name]
        distances.append(np.maximum(np.maximum(low - figures, figures - high), 0))
    return np.array(distances)


def _rows(ranges: Mapping[str, Range], positive_share: float | None) -> list[Floats]:
    """Rows a with a @ shares <= 0, for the shares of TP, FP, TN and FN."""
    rows: list[Floats] = []
    for name, (low, high) in ranges.items():
        linear = _linear(name, positive_share)
        if linear is not None:
            above, below = linear
            rows += [above - high * below, low * below - above]
    return rows


def _linear(name: str, positive_share: float | None) -> tuple[Floats, Floats] | None:
    """The numerator and the denominator of a figure, linear in the shares; None where it is not."""
    ratio, metric = ratio_of(name), find_metric(name)
    if ratio is not None:
        return np.array(ratio.numerator, dtype=np.float64), np.array(ratio.denominator, dtype=np.float64)
    if positive_share is None or metric is None or not all(each.denominator in _FIXED for each in metric.ratios):
        return None
    if not metric.ratios:
        return None
    parts = [np.array(each.numerator) / _denominator(each, positive_share) for each in metric.ratios]
    return np.mean(parts, axis=0), np.ones(4)


def _denominator(ratio: Ratio, positive_share: float) -> float:
    sizes: dict[tuple[int, ...], float] = dict(zip(_FIXED, (positive_share, 1 - positive_share, 1.0), strict=True))
    return sizes[ratio.denominator]


def _extreme(rows: list[Floats], cost: Floats, positive_share: float | None) -> float | None:
    equal = [np.ones(4)] if positive_share is None else [np.ones(4), _POSITIVES]
    totals = [1.0] if positive_share is None else [1.0, positive_share]
    solution = scipy.optimize.linprog(
        cost, A_ub=np.array(rows), b_ub=np.zeros(len(rows)), A_eq=np.array(equal), b_eq=totals
    )
    if int(solution.status) == _INFEASIBLE:
        return None
    return float(solution.fun) if solution.fun is not None else 0.0

"""The confusion matrices, test sizes and prevalences that could have produced printed figures.

A printed figure is a range: all values that print as it. Undefined metrics are 0, as in Keras and scikit-learn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmark.evidence.metrics.printed import is_of_counts, values
from benchmark.evidence.metrics.registry import Confusion, find_metric

Range = tuple[float, float]
Rounding = Literal["rounded", "cut", "either"]
"""How figures were shortened to their printed decimals. A program does the same to all figures of a row."""
Counts = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]
_SLACK = 1e-7  # Keras computes metrics in single precision
_MOST = 300_000
_ROUNDING = 1e-9
_SAME_AS = {
    "error_rate": ("accuracy", True),
    "weighted_recall": ("accuracy", False),
    "false_negative_rate": ("recall", True),
    "false_positive_rate": ("specificity", True),
    "macro_recall": ("balanced_accuracy", False),
    "macro_specificity": ("balanced_accuracy", False),
}
"""Figures that are another one, or 1 minus it (True)."""


class TooManyCandidates(ValueError):
    """There are more candidate matrices than can be checked."""


def printed_range(value: float, decimals: int, upper: float | None = None, cut: bool = False) -> Range:
    """Find all values that print as a figure.

    Args:
        value: The printed figure, or the lower end of a printed range.
        decimals: Number of printed decimals.
        upper: The upper end of a printed range; None for a single figure.
        cut: Whether the figure may be truncated instead of rounded.

    Returns:
        The closed range of values. Its ends are included, which covers every rule for rounding halves.
    """
    unit = 10.0**-decimals
    high = value if upper is None else upper
    below, above = (unit if cut and towards_zero else unit / 2 for towards_zero in (value <= 0, high >= 0))
    return value - below - _SLACK, high + above + _SLACK


def cut_range(value: float, decimals: int, upper: float | None = None) -> Range:
    """Find all values that print as a figure if digits after the printed decimals are dropped.

    Args:
        value: The printed figure, or the lower end of a printed range.
        decimals: Number of printed decimals.
        upper: The upper end of a printed range; None for a single figure.

    Returns:
        The closed range of values.
    """
    unit = 10.0**-decimals
    high = value if upper is None else upper
    return value - (unit if value <= 0 else 0) - _SLACK, high + (unit if high >= 0 else 0) + _SLACK


def feasible_matrices(ranges: Mapping[str, Range], negatives: int, positives: int) -> tuple[Confusion, ...]:
    """List the confusion matrices whose metrics are within ranges, by true positives.

    Args:
        ranges: (low, high) by metric; metrics of decisions only.
        negatives: Number of negatives, at least 1.
        positives: Number of positives, at least 1.

    Returns:
        The feasible matrices.

    Raises:
        ValueError: A metric is not computed from a confusion matrix, or a class has no images.
        TooManyCandidates: The ranges leave more candidates than can be checked.
    """
    _check(ranges, negatives, positives)
    return tuple(_fitting(ranges, negatives, positives))


def is_feasible(ranges: Mapping[str, Range], negatives: int, positives: int) -> bool:
    """Check whether `feasible_matrices` would list any matrix; this stops at the first one.

    Args:
        ranges: (low, high) by metric; metrics of decisions only.
        negatives: Number of negatives, at least 1.
        positives: Number of positives, at least 1.

    Returns:
        Whether a feasible matrix exists.

    Raises:
        ValueError: A metric is not computed from a confusion matrix, or a class has no images.
        TooManyCandidates: The ranges leave more candidates than can be checked.
    """
    _check(ranges, negatives, positives)
    return next(_fitting(ranges, negatives, positives), None) is not None


def _check(ranges: Mapping[str, Range], negatives: int, positives: int) -> None:
    unknown = [name for name in ranges if not is_of_counts(name)]
    if unknown or negatives < 1 or positives < 1:
        raise ValueError(
            f"{', '.join(unknown)}: not computed from a confusion matrix"
            if unknown
            else f"{negatives} negatives and {positives} positives: both classes are needed"
        )


def _fitting(ranges: Mapping[str, Range], negatives: int, positives: int) -> Iterator[Confusion]:
    tp, low, high = _columns(ranges, negatives, positives)
    widths = high - low + 1
    candidates = int(widths.sum())
    if candidates > _MOST:
        raise TooManyCandidates(f"{candidates:,} candidate confusion matrices, at most {_MOST:,} can be checked")
    every_tp = np.repeat(tp, widths)
    every_tn = np.arange(candidates) - np.repeat(np.cumsum(widths) - widths, widths) + np.repeat(low, widths)
    near = near_fits(ranges, every_tp, every_tn, negatives, positives)
    for tps, tns in zip(every_tp[near].tolist(), every_tn[near].tolist(), strict=True):
        matrix = Confusion(tp=tps, fp=negatives - tns, tn=tns, fn=positives - tps)
        if fits(matrix, ranges):
            yield matrix


def near_fits(
    ranges: Mapping[str, Range], tp: Counts, tn: Counts, negatives: int | Counts, positives: int | Counts
) -> Truths:
    """Mark the matrices that may fit, vectorised and with a tolerance for rounding; `fits` decides.

    Args:
        ranges: (low, high) by metric.
        tp: True positives (n,).
        tn: True negatives (n,).
        negatives: Number of negatives, of all matrices or (n,).
        positives: Number of positives, of all matrices or (n,).

    Returns:
        Truth values (n,).
    """
    counts = np.array(np.broadcast_arrays(tp, negatives - tn, tn, positives - tp), dtype=np.float64)
    near = np.ones(counts.shape[1], dtype=bool)
    for name, (low, high) in ranges.items():
        figures = values(name, counts[:, near])
        near[near] = (low - _ROUNDING <= figures) & (figures <= high + _ROUNDING)
    return near


def fits(matrix: Confusion, ranges: Mapping[str, Range]) -> bool:
    """Check whether every metric of `matrix` is within its range."""
    return all(low <= metric_of(matrix, name) <= high for name, (low, high) in ranges.items())


def metric_of(matrix: Confusion, name: str) -> float:
    """Compute a metric from a confusion matrix.

    Args:
        matrix: The confusion matrix.
        name: The name of a metric of decisions.

    Returns:
        The value; 0 if undefined.

    Raises:
        ValueError: The metric is not computed from a confusion matrix.
    """
    metric = find_metric(name)
    if metric is not None and metric.of_decisions is not None:
        return metric.evaluate(None, matrix)[0] or 0.0
    return float(values(name, np.array([[matrix.tp], [matrix.fp], [matrix.tn], [matrix.fn]], dtype=np.float64))[0])


def _columns(ranges: Mapping[str, Range], negatives: int, positives: int) -> tuple[Counts, Counts, Counts]:
    """List the possible true positives, each with the fewest and the most true negatives that `ranges` allow.

    The result is a superset of the feasible matrices. True positives without any true negatives are left out.
    """
    everything: Range = (-math.inf, math.inf)
    ranges = {**ranges, **implied_ranges(ranges)}
    count, missed = ranges.get("true_positives", everything), ranges.get("false_negatives", everything)
    recall = ranges.get("recall", everything)
    # Slightly wider than the ranges: a rounded product must not exclude what the quotient below includes.
    least = max(0.0, count[0], positives - missed[1], recall[0] * positives - 1)
    most = min(float(positives), count[1], positives - missed[0], recall[1] * positives + 1)
    if most < least:
        least, most = 1.0, 0.0
    tp = np.arange(math.ceil(least), math.floor(most) + 1, dtype=np.int64)
    tp = tp[(recall[0] <= tp / positives) & (tp / positives <= recall[1])]
    low, high = np.zeros(len(tp)), np.full(len(tp), float(negatives))
    if "accuracy" in ranges:
        right = [bound * (negatives + positives) - tp for bound in ranges["accuracy"]]
        low, high = np.maximum(low, right[0]), np.minimum(high, right[1])
    for name, total in (("correct", 0), ("errors", negatives + positives)):
        if name in ranges:
            least_right, most_right = sorted(abs(total - bound) for bound in ranges[name])
            low, high = np.maximum(low, least_right - tp), np.minimum(high, most_right - tp)
    if "specificity" in ranges:
        low = np.maximum(low, ranges["specificity"][0] * negatives)
        high = np.minimum(high, ranges["specificity"][1] * negatives)
    if "balanced_accuracy" in ranges:
        least_tn, most_tn = (negatives * (2 * bound - tp / positives) for bound in ranges["balanced_accuracy"])
        low, high = np.maximum(low, least_tn), np.minimum(high, most_tn)
    if "precision" in ranges:
        below, above = ranges["precision"]
        some = tp > 0
        # precision = tp / (tp + fp), so fp lies between tp / above - tp and tp / below - tp
        if below > 0:
            low = np.where(some, np.maximum(low, negatives + tp - tp / below), low)
        high = np.where(some, np.minimum(high, negatives + tp - tp / above) if above > 0 else -1.0, high)
    if "true_negatives" in ranges:
        low, high = np.maximum(low, ranges["true_negatives"][0]), np.minimum(high, ranges["true_negatives"][1])
    if "false_positives" in ranges:
        fewest, many = ranges["false_positives"]
        low, high = np.maximum(low, negatives - many), np.minimum(high, negatives - fewest)
    first, last = np.ceil(low - 1e-6), np.floor(high + 1e-6)
    possible = last >= first
    return tp[possible], first[possible].astype(np.int64), last[possible].astype(np.int64)


def implied_ranges(ranges: Mapping[str, Range]) -> dict[str, Range]:
    """Find what figures imply for others that are the same, or 1 minus them.

    Args:
        ranges: (low, high) by figure.

    Returns:
        The ranges of accuracy, recall, specificity and balanced accuracy that figures under other names imply.
    """
    implied: dict[str, Range] = {}
    for name, bounds in ranges.items():
        if name in _SAME_AS:
            same, complement = _SAME_AS[name]
            low, high = (1 - bounds[1], 1 - bounds[0]) if complement else bounds
            before = implied.get(same, ranges.get(same, (low, high)))
            implied[same] = max(low - _ROUNDING, before[0]), min(high + _ROUNDING, before[1])
    return implied


def smallest_conflict(names: Sequence[str], possible: Callable[[Sequence[str]], bool]) -> tuple[str, ...]:
    """Find a smallest group of figures that contradict each other.

    Args:
        names: The figures.
        possible: Whether a group of them is possible together.

    Returns:
        The first of the smallest impossible groups; empty if every group is possible.
    """
    for size in range(1, len(names) + 1):
        for group in combinations(names, size):
            if not possible(group):
                return group
    return ()


def feasible_sizes(ranges: Sequence[Range], most: int) -> tuple[int, ...]:
    """List the numbers of images n for which each range contains a proportion k / n.

    Args:
        ranges: Ranges of proportions.
        most: The largest n to check.

    Returns:
        The feasible n, ascending.
    """
    n = np.arange(1, most + 1)
    fit = np.ones(len(n), dtype=bool)
    for low, high in ranges:
        least = np.maximum(np.ceil(low * n - 1e-9), 0)
        fit &= least <= np.minimum(high * n + 1e-9, n)
    return tuple(int(size) for size in n[fit])


def neighbours(value: float, n: int) -> tuple[float, float]:
    """Return the nearest proportions k / `n` at or below `value` and above it."""
    below = min(max(math.floor(value * n), 0), n)
    return below / n, min(below + 1, n) / n


def majority_prediction_share(matrix: Confusion) -> float:
    """Compute the share of images that are predicted as the more often predicted class."""
    positive = matrix.tp + matrix.fp
    n = positive + matrix.tn + matrix.fn
    return max(positive, n - positive) / n

"""What could have printed given figures: which confusion matrices, test sizes and class shares.

Figures come as ranges: everything that prints as the figure. Undefined metrics count as 0, as Keras and scikit-learn
print them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from benchmark.evidence.metrics.definitions import Confusion, Ratio, find_metric, metrics
from benchmark.evidence.metrics.influence import Floats

Range = tuple[float, float]
Counts = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]
_SLACK = 1e-7  # single precision, in which Keras holds its metrics
_MOST = 300_000
_ROUNDING = 1e-9


class TooMany(ValueError):
    """More candidates than can be looked through."""


def printed_range(value: float, decimals: int, upper: float | None = None, cut: bool = False) -> Range:
    """Everything that prints as `value`, or within [value, upper], rounded to `decimals`; with `cut` also what prints
    so when further decimals are dropped. The ends count as inside, so that every rule for halves is covered."""
    unit = 10.0**-decimals
    high = value if upper is None else upper
    below, above = (unit if cut and towards_zero else unit / 2 for towards_zero in (value <= 0, high >= 0))
    return value - below - _SLACK, high + above + _SLACK


def feasible_matrices(ranges: Mapping[str, Range], negatives: int, positives: int) -> tuple[Confusion, ...]:
    """Every confusion matrix of `negatives` + `positives` images whose metrics lie within `ranges`, by true positives.

    `ranges` maps metrics of decisions to (low, high). Raises ValueError for another metric or a class without images,
    TooMany when the proportions in it leave more candidates than can be looked through.
    """
    _check(ranges, negatives, positives)
    return tuple(_fitting(ranges, negatives, positives))


def any_matrix(ranges: Mapping[str, Range], negatives: int, positives: int) -> bool:
    """Whether there is a confusion matrix as `feasible_matrices` lists them, which takes less time to tell. Raises what
    it raises."""
    _check(ranges, negatives, positives)
    return next(_fitting(ranges, negatives, positives), None) is not None


def _check(ranges: Mapping[str, Range], negatives: int, positives: int) -> None:
    decided = metrics(lambda metric: metric.uses_threshold)
    unknown = [name for name in ranges if name not in decided]
    if unknown or negatives < 1 or positives < 1:
        raise ValueError(
            f"{', '.join(unknown)}: not read from a confusion matrix"
            if unknown
            else f"{negatives} negatives and {positives} positives: both classes are needed"
        )


def _fitting(ranges: Mapping[str, Range], negatives: int, positives: int) -> Iterator[Confusion]:
    tp, low, high = _columns(ranges, negatives, positives)
    widths = high - low + 1
    candidates = int(widths.sum())
    if candidates > _MOST:
        raise TooMany(f"{candidates:,} confusion matrices would have to be looked through")
    every_tp = np.repeat(tp, widths)
    every_tn = np.arange(candidates) - np.repeat(np.cumsum(widths) - widths, widths) + np.repeat(low, widths)
    near = _nearly(ranges, every_tp, every_tn, negatives, positives)
    for one, other in zip(every_tp[near].tolist(), every_tn[near].tolist(), strict=True):
        matrix = Confusion(tp=one, fp=negatives - other, tn=other, fn=positives - one)
        if fits(matrix, ranges):
            yield matrix


def _nearly(ranges: Mapping[str, Range], tp: Counts, tn: Counts, negatives: int, positives: int) -> Truths:
    """Which matrices may fit, told of all at once and with a little room for rounding; `fits` has the last word."""
    outcomes = (tp, negatives - tn, tn, positives - tp)
    near = np.ones(len(tp), dtype=bool)
    for name, metric in metrics(lambda metric: metric.name in ranges).items():
        if metric.ratios:
            share = sum(_share(ratio, outcomes) for ratio in metric.ratios) / len(metric.ratios)
            near &= (ranges[name][0] - _ROUNDING <= share) & (share <= ranges[name][1] + _ROUNDING)
    return near


def _share(ratio: Ratio, outcomes: tuple[Counts, ...]) -> Floats:
    above, below = (
        sum(weight * count for weight, count in zip(part, outcomes, strict=True))
        for part in (ratio.numerator, ratio.denominator)
    )
    share: Floats = above / np.maximum(below, 1)
    return share


def fits(matrix: Confusion, ranges: Mapping[str, Range]) -> bool:
    """Whether every metric of `matrix` lies within its range."""
    return all(low <= metric_of(matrix, name) <= high for name, (low, high) in ranges.items())


def metric_of(matrix: Confusion, name: str) -> float:
    """A metric of decisions, 0 where it is undefined. Raises ValueError for any other metric."""
    metric = find_metric(name)
    if metric is None or metric.of_decisions is None:
        raise ValueError(f"{name}: not read from a confusion matrix")
    return metric.of_decisions(matrix) or 0.0


def _columns(ranges: Mapping[str, Range], negatives: int, positives: int) -> tuple[Counts, Counts, Counts]:
    """True positives, and beside each the least and the most true negatives that the proportions in `ranges` leave: a
    superset, without true positives that leave none."""
    everything: Range = (-math.inf, math.inf)
    count, missed = ranges.get("true_positives", everything), ranges.get("false_negatives", everything)
    recall = ranges.get("recall", everything)
    # A little wider than the ranges, so that no rounding of a product cuts off what the quotient below lets in.
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
    if "specificity" in ranges:
        low = np.maximum(low, ranges["specificity"][0] * negatives)
        high = np.minimum(high, ranges["specificity"][1] * negatives)
    if "precision" in ranges:
        below, above = ranges["precision"]
        called = tp > 0
        # precision = tp / (tp + fp), so fp lies between tp / above - tp and tp / below - tp
        if below > 0:
            low = np.where(called, np.maximum(low, negatives + tp - tp / below), low)
        high = np.where(called, np.minimum(high, negatives + tp - tp / above) if above > 0 else -1.0, high)
    if "true_negatives" in ranges:
        low, high = np.maximum(low, ranges["true_negatives"][0]), np.minimum(high, ranges["true_negatives"][1])
    if "false_positives" in ranges:
        fewest, many = ranges["false_positives"]
        low, high = np.maximum(low, negatives - many), np.minimum(high, negatives - fewest)
    first, last = np.ceil(low - 1e-6), np.floor(high + 1e-6)
    some = last >= first
    return tp[some], first[some].astype(np.int64), last[some].astype(np.int64)


def shares_possible(ranges: Mapping[str, Range]) -> bool:
    """Whether any number of images, with any share of positives, can have metrics within `ranges`.

    Reads metrics that are a ratio of counts and leaves others aside. The four outcomes are shares
    that add up to 1, in which each of these figures is a pair of linear inequalities: a linear programme.
    """
    rows = []
    for name, (low, high) in ranges.items():
        metric = find_metric(name)
        if metric is not None and metric.ratio is not None:
            ratio = metric.ratio
            numerator, denominator = (np.array(part, dtype=float) for part in (ratio.numerator, ratio.denominator))
            rows += [numerator - high * denominator, low * denominator - numerator]
    if not rows:
        return True
    answer = linprog(np.zeros(4), A_ub=np.array(rows), b_ub=np.zeros(len(rows)), A_eq=np.ones((1, 4)), b_eq=[1.0])
    return int(answer.status) != 2  # 2: shown to be infeasible


def smallest_conflict(names: Sequence[str], possible: Callable[[Sequence[str]], bool]) -> tuple[str, ...]:
    """The first smallest group of `names` that is not possible together; empty when all are."""
    for size in range(1, len(names) + 1):
        for group in combinations(names, size):
            if not possible(group):
                return group
    return ()


def fitting_sizes(ranges: Sequence[Range], most: int) -> tuple[int, ...]:
    """Every number of images up to `most` at which each of `ranges` holds a whole number out of that many."""
    n = np.arange(1, most + 1)
    fit = np.ones(len(n), dtype=bool)
    for low, high in ranges:
        least = np.maximum(np.ceil(low * n - 1e-9), 0)
        fit &= least <= np.minimum(high * n + 1e-9, n)
    return tuple(int(size) for size in n[fit])


def neighbours(value: float, n: int) -> tuple[float, float]:
    """The nearest proportions of `n` below and above `value`."""
    below = min(max(math.floor(value * n), 0), n)
    return below / n, min(below + 1, n) / n


def called_alike(matrix: Confusion) -> float:
    """Share of the images called the more frequent answer."""
    called = matrix.tp + matrix.fp
    n = called + matrix.tn + matrix.fn
    return max(called, n - called) / n

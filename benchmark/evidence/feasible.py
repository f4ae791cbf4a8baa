"""What could have printed given figures: which confusion matrices, test sizes and class shares.

Figures come as ranges: everything that prints as the figure. Undefined metrics count as 0, as Keras and scikit-learn
print them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy.optimize import linprog

from benchmark.evidence.metrics import METRICS, Confusion

Range = tuple[float, float]
_SLACK = 1e-7  # single precision, in which Keras holds its metrics
_MOST = 300_000
_SHARES = {  # metric: the outcomes counted in the numerator, and in the denominator, out of (tp, fp, tn, fn)
    "accuracy": ((1, 0, 1, 0), (1, 1, 1, 1)),
    "precision": ((1, 0, 0, 0), (1, 1, 0, 0)),
    "recall": ((1, 0, 0, 0), (1, 0, 0, 1)),
    "specificity": ((0, 0, 1, 0), (0, 1, 1, 0)),
    "f1": ((2, 0, 0, 0), (2, 1, 0, 1)),
}


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
    unknown = [name for name in ranges if name not in METRICS or METRICS[name].of_decisions is None]
    if unknown or negatives < 1 or positives < 1:
        raise ValueError(
            f"{', '.join(unknown)}: not read from a confusion matrix"
            if unknown
            else f"{negatives} negatives and {positives} positives: both classes are needed"
        )
    columns = [_true_negatives(tp, ranges, negatives, positives) for tp in range(positives + 1)]
    candidates = sum(max(0, high - low + 1) for low, high in columns)
    if candidates > _MOST:
        raise TooMany(f"{candidates:,} confusion matrices would have to be looked through")
    found = []
    for tp, (low, high) in enumerate(columns):
        for tn in range(low, high + 1):
            matrix = Confusion(tp=tp, fp=negatives - tn, tn=tn, fn=positives - tp)
            if fits(matrix, ranges):
                found.append(matrix)
    return tuple(found)


def fits(matrix: Confusion, ranges: Mapping[str, Range]) -> bool:
    """Whether every metric of `matrix` lies within its range."""
    return all(low <= metric_of(matrix, name) <= high for name, (low, high) in ranges.items())


def metric_of(matrix: Confusion, name: str) -> float:
    """A metric of decisions, 0 where it is undefined. Raises ValueError for any other metric."""
    function = METRICS[name].of_decisions if name in METRICS else None
    if function is None:
        raise ValueError(f"{name}: not read from a confusion matrix")
    return function(matrix) or 0.0


def _true_negatives(tp: int, ranges: Mapping[str, Range], negatives: int, positives: int) -> tuple[int, int]:
    """The least and the most true negatives that the proportions in `ranges` leave beside `tp`; a superset."""
    low, high = 0.0, float(negatives)
    everything: Range = (-math.inf, math.inf)
    recall = ranges.get("recall", everything)
    count, missed = ranges.get("true_positives", everything), ranges.get("false_negatives", everything)
    if not (recall[0] <= tp / positives <= recall[1] and count[0] <= tp <= count[1]):
        return 1, 0
    if not missed[0] <= positives - tp <= missed[1]:
        return 1, 0
    if "accuracy" in ranges:
        least, most = (bound * (negatives + positives) - tp for bound in ranges["accuracy"])
        low, high = max(low, least), min(high, most)
    if "specificity" in ranges:
        least, most = (bound * negatives for bound in ranges["specificity"])
        low, high = max(low, least), min(high, most)
    if "precision" in ranges and tp:
        least, most = ranges["precision"]
        # precision = tp / (tp + fp), so fp lies between tp / most - tp and tp / least - tp
        low = max(low, negatives + tp - tp / least) if least > 0 else low
        high = min(high, negatives + tp - tp / most) if most > 0 else -1.0
    if "true_negatives" in ranges:
        low, high = max(low, ranges["true_negatives"][0]), min(high, ranges["true_negatives"][1])
    if "false_positives" in ranges:
        least, most = ranges["false_positives"]
        low, high = max(low, negatives - most), min(high, negatives - least)
    return math.ceil(low - 1e-6), math.floor(high + 1e-6)


def shares_possible(ranges: Mapping[str, Range]) -> bool:
    """Whether any number of images, with any share of positives, can have metrics within `ranges`.

    Reads accuracy, precision, recall, specificity and f1 and leaves other metrics aside. The four outcomes are shares
    that add up to 1, in which each of these figures is a pair of linear inequalities: a linear programme.
    """
    rows = []
    for name, (low, high) in ranges.items():
        if name in _SHARES:
            numerator, denominator = (np.array(part, dtype=float) for part in _SHARES[name])
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

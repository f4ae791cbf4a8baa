"""Whether whole numbers of right and wrong decisions per class exist that give printed figures of several classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import scipy

from benchmark.evidence.metrics.influence import Floats
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.registry import find_metric
from benchmark.evidence.published.feasible import Range

_INFEASIBLE = 2  # the status of scipy.optimize.milp
_SECONDS = 5.0
_MOST_CLASSES = 200


def counts_are_possible(ranges: Mapping[str, Range], sizes: Mapping[str, int]) -> bool:
    """Check whether some decisions give figures within ranges.

    The unknowns are whole numbers per class: images classified correctly, and images of other classes predicted as
    this class. A matrix with them exists if and only if the wrong decisions add up and no class has more wrong and
    missed images together than there are errors (a transport problem with a forbidden diagonal). Figures whose
    numerator and denominator are linear in these numbers are checked. Macro averages of precision, and MCC, are
    not.

    Args:
        ranges: (low, high) by key of the figure.
        sizes: The number of images by class, each at least 1.

    Returns:
        False if no whole numbers fit; True also where the search takes too long.
    """
    count, total = len(sizes), sum(sizes.values())
    if count > _MOST_CLASSES:
        return True
    images = np.array(list(sizes.values()), dtype=np.float64)
    system = _System(list(sizes), images)
    for key, bounds in ranges.items():
        system.add(key, bounds)
    right, wrong = np.eye(2 * count)[:count], np.eye(2 * count)[count:]
    errors = -right.sum(axis=0)  # plus the number of images
    rows = [*system.rows, *(wrong[i] - right[i] - errors for i in range(count)), wrong.sum(axis=0) - errors]
    low = [*system.low, *(-math.inf for _ in range(count)), float(total)]
    high = [*system.high, *(total - images), float(total)]
    solution = scipy.optimize.milp(
        np.zeros(2 * count),
        integrality=np.ones(2 * count, dtype=np.int64),
        bounds=scipy.optimize.Bounds(np.zeros(2 * count), np.concatenate([images, total - images])),
        constraints=scipy.optimize.LinearConstraint(np.array(rows), np.array(low), np.array(high)),
        options={"time_limit": _SECONDS},
    )
    return int(solution.status) != _INFEASIBLE


class _System:
    """Linear inequalities in the numbers of right and of wrong decisions of each class."""

    def __init__(self, classes: list[str], images: Floats) -> None:
        self.classes, self.images, self.total = classes, images, float(images.sum())
        self.one = np.eye(1, 2 * len(classes) + 1, 2 * len(classes))[0]
        self.rows: list[Floats] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def add(self, key: str, bounds: Range) -> None:
        """Add what a figure within `bounds` implies; nothing for figures that are not linear."""
        parsed = MeasureKey.parse(key)
        if key == "kappa":
            self._add_kappa(bounds)
            return
        if key == "accuracy":
            parsed = MeasureKey("recall", average="micro")
        elif key == "balanced_accuracy":
            parsed = MeasureKey("recall", average="macro")
        record = find_metric(parsed.metric)
        if record is None or record.ratio is None:
            return
        parts = [
            (self._counts(label, record.ratio.numerator), self._counts(label, record.ratio.denominator))
            for label in range(len(self.classes))
        ]
        if parsed.of_class is not None:
            self._add_ratio(*parts[self.classes.index(parsed.of_class)], bounds)
        elif parsed.average == "micro":
            above, below = (np.sum([pair[i] for pair in parts], axis=0) for i in (0, 1))
            self._add_ratio(above, below, bounds)
        elif parsed.average is not None and not any(below[:-1].any() for _, below in parts):
            weights = np.ones(len(parts)) if parsed.average == "macro" else self.images / self.images.sum()
            largest = max(below[-1] for _, below in parts)
            above = sum(w * largest / below[-1] * above for w, (above, below) in zip(weights, parts, strict=True))
            self._add_ratio(np.asarray(above), largest * weights.sum() * self.one, bounds)

    def _counts(self, label: int, weights: Sequence[int]) -> Floats:
        """The weighted sum of TP, FP, TN and FN of a class, as coefficients and, last, a constant."""
        count, images, one = len(self.classes), self.images[label], self.one
        tp, fp = np.eye(2 * count + 1)[[label, count + label]]
        sums: Floats = (
            weights[0] * tp
            + weights[1] * fp
            + weights[2] * ((self.total - images) * one - fp)
            + weights[3] * (images * one - tp)
        )
        return sums

    def _add_ratio(self, above: Floats, below: Floats, bounds: Range) -> None:
        low, high = bounds
        self._add(above - low * below, 0.0, math.inf)
        self._add(above - high * below, -math.inf, 0.0)
        if low > 0:  # a ratio of 0 to 0 counts as 0
            self._add(below, 1.0, math.inf)

    def _add_kappa(self, bounds: Range) -> None:
        count = len(self.classes)
        right = np.concatenate([np.ones(count), np.zeros(count + 1)])
        shares = self.images / self.total
        chance = np.concatenate([shares, shares, [0.0]])  # times the number of images
        for bound, low, high in ((bounds[0], 0.0, math.inf), (bounds[1], -math.inf, 0.0)):
            self._add(right - chance - bound * (self.total * self.one - chance), low, high)

    def _add(self, row: Floats, low: float, high: float) -> None:
        self.rows.append(row[:-1])
        self.low.append(low - row[-1])
        self.high.append(high - row[-1])

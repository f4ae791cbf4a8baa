"""Whether printed figures can be means over folds or over seeds.

mlscorecheck (Fazekas and Kovács 2024) checks means of accuracy, recall, specificity and balanced accuracy. It knows no
means of other figures, nor of figures with different decimals. So an integer program then chooses one confusion matrix
per fold or seed: each possible matrix is a column with its figures, and the figures of the chosen matrices must have
the printed means. Its linear relaxation proves that none exist; a solution is an example.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

from benchmark.evidence.metrics.influence import Floats
from benchmark.evidence.metrics.printed import range_of_counts, values
from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.bounds import AUC_SLACK
from benchmark.evidence.published.feasible import Range, implied_ranges

Repeats = Literal["folds", "seeds"]
"""What figures are averaged over: the folds of a cross-validation, or trainings judged on one test set."""

_LOGGER = "mlscorecheck"
_NAMES = {"accuracy": "acc", "recall": "sens", "specificity": "spec", "balanced_accuracy": "bacc"}
_LEAST_EPS = 2e-5  # mlscorecheck refuses a smaller one, as too near to its tolerance of 1e-6
_TOLERANCE = 3e-7  # the solver's own is 1e-7
_MOST_PER_CLASS = 450  # of larger classes, so many evenly spaced counts are tried, within wider ranges
_COARSE = 5e-3  # means of the shares of a grid miss those of all shares by less
_THINNED = 5e-4  # means of few evenly spaced counts miss those of all by less
_NEAREST = 500  # matrices of a fold that the search for an example tries
_SIMILAR = 0.25  # how far recall and specificity of similar folds can be from their mean, together
_NODES = 300
_SECONDS = 60.0
_ROUNDING = 1e-9


@dataclass(frozen=True)
class MeanFit:
    """Whether figures can be means.

    Attributes:
        possible: False if no matrices have these means, not even very unlike ones.
        example: One matrix per fold or seed that together have these means, and that resemble each other; empty if the
            search ended without one.
    """

    possible: bool
    example: tuple[Confusion, ...] = ()


def stratified_folds(negatives: int, positives: int, number: int) -> tuple[tuple[int, int], ...]:
    """Return the class sizes of stratified folds, as scikit-learn's StratifiedKFold draws them.

    Args:
        negatives: Number of negatives, at least `number`.
        positives: Number of positives, at least `number`.
        number: Number of folds, at least 2.

    Returns:
        (negatives, positives) of each fold.
    """
    labels = np.repeat([0, 1], [negatives, positives])
    return tuple((int((each == 0).sum()), int(each.sum())) for each in (labels[i::number] for i in range(number)))


def fits_as_mean(
    ranges: Mapping[str, Range],
    negatives: int,
    positives: int,
    repeats: Repeats,
    number: int,
    area: Range | None = None,
) -> MeanFit:
    """Check whether figures can be means over folds or seeds.

    Args:
        ranges: (low, high) by figure, each computed from a confusion matrix.
        negatives: Number of negatives: of all folds together, or of the test set of every seed.
        positives: Number of positives, likewise.
        repeats: `folds`, which are stratified and of almost equal size, or `seeds`.
        number: Number of folds or seeds, at least 2.
        area: The values that a printed mean AUC can have; None without one.

    Returns:
        Whether they can, with an example.
    """
    if repeats == "folds" and min(negatives, positives) < number:
        return MeanFit(True)  # a fold without one class has no recall or no specificity: authors treat that differently
    parts = stratified_folds(negatives, positives, number) if repeats == "folds" else ((negatives, positives),) * number
    if _excluded_by_mlscorecheck(ranges, parts, repeats):
        return MeanFit(False)
    sizes = Counter(parts)
    thinned, printed = max(negatives, positives) > _MOST_PER_CLASS, ranges
    if thinned:
        ranges = {name: (low - _THINNED, high + _THINNED) for name, (low, high) in ranges.items()}
    columns = [_columns(ranges, *size, number) for size in sizes]
    if not all(each.shape[1] for each in columns):
        return MeanFit(False)
    program = _Program(ranges, area, columns, tuple(sizes.values()), number)
    if not program.is_possible():
        return MeanFit(False)
    exact = _Program(printed, area, columns, tuple(sizes.values()), number) if thinned else program
    return MeanFit(True, exact.example())


def fits_with_any_folds(ranges: Mapping[str, Range], number: int, area: Range | None = None) -> bool:
    """Check whether figures can be means over folds of any class sizes, which need not be stratified.

    Args:
        ranges: (low, high) by figure, each computed from a confusion matrix.
        number: Number of folds, at least 2.
        area: The values that a printed mean AUC can have; None without one.

    Returns:
        False if no shares of a grid have these means within slightly wider ranges.
    """
    share, recall, specificity = (
        each.ravel() for each in np.meshgrid(np.linspace(0.02, 0.98, 25), *[np.linspace(0, 1, 41)] * 2, indexing="ij")
    )
    counts = np.array(
        [share * recall, (1 - share) * (1 - specificity), (1 - share) * specificity, share * (1 - recall)]
    )
    wider = {name: (low - _COARSE, high + _COARSE) for name, (low, high) in ranges.items()}
    return _Program(wider, area, [counts], (number,), number).is_possible()


def _excluded_by_mlscorecheck(ranges: Mapping[str, Range], parts: Sequence[tuple[int, int]], repeats: Repeats) -> bool:
    known = {name: bounds for name, bounds in {**ranges, **implied_ranges(ranges)}.items() if name in _NAMES}
    within = {_NAMES[name]: (max(0.0, low), min(1.0, high)) for name, (low, high) in known.items()}
    if not ({"acc", "bacc"} & set(within) or {"sens", "spec"} <= set(within)):
        return False  # mlscorecheck has no start values then
    if any(low > high for low, high in within.values()):
        return True
    from mlscorecheck.check import binary  # here, because it loads many modules

    logging.getLogger(_LOGGER).setLevel(logging.WARNING)  # it logs every step
    scores = {name: (low + high) / 2 for name, (low, high) in within.items()}
    eps = max(_LEAST_EPS, *((high - low) / 2 for low, high in within.values()))  # one for all scores
    folds = [{"p": positives, "n": negatives} for negatives, positives in parts]
    if repeats == "seeds":
        result = binary.check_n_testsets_mos_no_kfold(
            testsets=folds, scores=scores, eps=eps, timeout=_SECONDS, verbosity=0
        )
    else:
        dataset = {name: sum(fold[name] for fold in folds) for name in ("p", "n")}
        result = binary.check_1_dataset_known_folds_mos(
            dataset=dataset, folding={"folds": folds}, scores=scores, eps=eps, timeout=_SECONDS, verbosity=0
        )
    return bool(result["inconsistency"])


def _columns(ranges: Mapping[str, Range], negatives: int, positives: int, number: int) -> Floats:
    """The matrices (4, n) that a fold or seed can have, if the others may have any figures."""
    tp, tn = (each.ravel() for each in np.meshgrid(*map(_counts, (positives, negatives)), indexing="ij"))
    counts = np.array([tp, negatives - tn, tn, positives - tp], dtype=np.float64)
    for name, (low, high) in ranges.items():
        least, most = range_of_counts(name)
        figures = values(name, counts)
        rest = number - 1
        counts = counts[:, (figures >= number * low - rest * most) & (figures <= number * high - rest * least)]
    return counts


def _counts(most: int) -> Floats:
    """The counts from 0 to `most`, evenly spaced where they are too many."""
    if most <= _MOST_PER_CLASS:
        return np.arange(most + 1.0)
    return np.unique(np.round(np.linspace(0, most, _MOST_PER_CLASS)))


class _Program:
    """Numbers of folds or seeds with each matrix, so that the means are within ranges."""

    def __init__(
        self,
        ranges: Mapping[str, Range],
        area: Range | None,
        columns: Sequence[Floats],
        multiplicities: Sequence[int],
        number: int,
    ) -> None:
        self.counts = np.concatenate(columns, axis=1)
        self.groups = np.repeat(np.arange(len(columns)), [each.shape[1] for each in columns])
        self.number = number
        self.multiplicities = np.array(multiplicities, dtype=np.float64)
        rows = [values(name, self.counts) / number for name in ranges]
        low, high = [bounds[0] for bounds in ranges.values()], [bounds[1] for bounds in ranges.values()]
        if area is not None:
            tp, fp, tn, fn = self.counts
            pairs = (tp + fn) * (tn + fp) * number
            rows += [tp * tn / pairs, 1 / number - fp * fn / pairs]  # the least and the greatest AUC of each matrix
            low += [-np.inf, area[0] - AUC_SLACK]
            high += [area[1] + AUC_SLACK, np.inf]
        self.rows, self.low, self.high = np.array(rows), np.array(low), np.array(high)

    def is_possible(self) -> bool:
        """Whether weights of the matrices exist, which need not be whole.

        The largest violation is minimised, so that the solver always has a solution to find.
        """
        above, below = np.isfinite(self.high), np.isfinite(self.low)
        rows = np.concatenate([self.rows[above], -self.rows[below]])
        members = self._members(np.arange(len(self.groups)))
        solution = scipy.optimize.linprog(
            np.append(np.zeros(len(self.groups)), 1.0),
            A_ub=np.column_stack([rows, -np.ones(len(rows))]),
            b_ub=np.concatenate([self.high[above], -self.low[below]]),
            A_eq=np.column_stack([members, np.zeros(len(members))]),
            b_eq=self.multiplicities,
        )
        return solution.x is None or int(solution.status) != 0 or bool(solution.x[-1] <= _TOLERANCE)

    def example(self) -> tuple[Confusion, ...]:
        """A matrix per fold or seed, all of them near the matrix that alone comes nearest to the printed figures."""
        chosen = self._nearest()
        solution = scipy.optimize.milp(
            np.zeros(len(chosen)),
            integrality=np.ones(len(chosen), dtype=np.int64),
            bounds=scipy.optimize.Bounds(np.zeros(len(chosen)), self.multiplicities[self.groups[chosen]]),
            constraints=[
                scipy.optimize.LinearConstraint(self.rows[:, chosen], self.low, self.high),
                scipy.optimize.LinearConstraint(self._members(chosen), self.multiplicities, self.multiplicities),
            ],
            options={"node_limit": _NODES},  # a limit of time would give another answer on a busy machine
        )
        if solution.x is None:
            return ()
        times = np.round(solution.x).astype(np.int64)
        means = self.rows[:, chosen] @ times
        if not np.all((self.low - _ROUNDING <= means) & (means <= self.high + _ROUNDING)):
            return ()
        matrices = np.repeat(self.counts[:, chosen], times, axis=1).round().astype(np.int64).T.tolist()
        return tuple(Confusion(*each) for each in matrices)

    def _members(self, chosen: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
        groups: Floats = (self.groups[chosen] == np.arange(len(self.multiplicities))[:, None]).astype(np.float64)
        return groups

    def _nearest(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        figures = np.isfinite(self.low) & np.isfinite(self.high)  # all but the bounds of the AUC
        middle = (self.low[figures] + self.high[figures]) / 2
        alone = int(((self.rows[figures] - middle[:, None] / self.number) ** 2).sum(axis=0).argmin())
        rates = values("recall", self.counts), values("specificity", self.counts)
        distance = np.sum([(rate - rate[alone]) ** 2 for rate in rates], axis=0)
        parts = []
        for group in range(len(self.multiplicities)):
            members = np.flatnonzero((self.groups == group) & (distance <= _SIMILAR**2))
            parts.append(members[np.argsort(distance[members], kind="stable")[:_NEAREST]])
        return np.concatenate(parts)

"""Which single misprint would explain printed figures that contradict each other.

Each figure is left out in turn, each count of a printed confusion matrix is replaced, and each class size is taken from
a printed matrix. What makes all other figures agree is an explanation. Several may exist, and the true one need not be
a single misprint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.bounds import reaches
from benchmark.evidence.published.feasible import (
    Range,
    TooManyCandidates,
    feasible_matrices,
    fits,
    near_fits,
)
from benchmark.evidence.published.multiclass import (
    SAME,
    ClassMatrix,
    contradictions,
    figure_of_matrix,
)
from benchmark.evidence.published.shares import feasible_at_any_size

CELLS = ("tp", "fp", "tn", "fn")
"""The counts of a matrix of two classes."""

MOST_TRIED = 50_000
"""The most matrices with one changed count that are tried where the class sizes are not known."""

Figures = Sequence[tuple[str, Range]]
Sizes = tuple[int, int]


@dataclass(frozen=True)
class Misprint:
    """A printed number without which everything else agrees.

    Attributes:
        figure: The index of the figure; None for a count or a class size.
        cell: The count of the printed matrix: one of CELLS, or (true class, predicted class) by index.
        size: The class whose size is wrong: 0 for the negatives, 1 for the positives; of several its index.
        matrices: The confusion matrices of two classes with which all others agree; empty if they are not known.
        counts: What the count or the class size would be; empty for a figure.
        values: The smallest and the largest value that the figure could have; None where they do not follow.
    """

    figure: int | None = None
    cell: str | tuple[int, int] | None = None
    size: int | None = None
    matrices: tuple[Confusion, ...] = ()
    counts: tuple[int, ...] = ()
    values: Range | None = None


def explain(figures: Figures, sizes: Sizes | None, matrix: Confusion | None = None) -> tuple[Misprint, ...] | None:
    """Find the single misprints that would explain contradictory figures of two classes.

    Args:
        figures: The printed figures: the name of a metric of decisions or `auc`, and the values that print as it.
        sizes: The number of negatives and positives of the test set; None where it is not stated.
        matrix: The printed confusion matrix; None without one.

    Returns:
        The misprints, those with the fewest matrices first; empty if none explains the figures; None if all agree.
        Without sizes and matrix, only figures are named, without what they would be.
    """
    if sizes is None and matrix is None:
        return _explain_shares(figures)
    if _agree(figures, sizes, matrix):
        return None
    misprints: list[Misprint] = []
    for index in range(len(figures)):
        rest = [*figures[:index], *figures[index + 1 :]]
        agreeing = _matrices(rest, sizes, matrix)
        if agreeing is None or agreeing:
            misprints.append(Misprint(figure=index, matrices=agreeing or ()))
    if matrix is not None:
        misprints += _cells(figures, sizes, matrix)
        if sizes is not None:
            misprints += _sizes(figures, sizes, matrix)
    return tuple(sorted(misprints, key=lambda each: len(each.matrices) or MOST_TRIED))


def explain_classes(
    figures: Figures, classes: Sequence[str], sizes: Mapping[str, int] | None, matrix: ClassMatrix | None = None
) -> tuple[Misprint, ...] | None:
    """Find the single misprints that would explain contradictory figures of three classes or more.

    Args:
        figures: The printed figures: the key of each, and the values that print as it.
        classes: The names of the classes; empty where they are not known.
        sizes: The number of images by class; None where it is not stated.
        matrix: The printed confusion matrix in the order of `classes`; None without one.

    Returns:
        The misprints; empty if none explains the figures; None if all agree. Without a matrix, what a figure would be
        follows only where another printed figure equals it. Without sizes, counts are not replaced in a matrix that
        is so large that more than MOST_TRIED matrices would be tried.
    """
    if matrix is None:
        return _explain_without_matrix(figures, classes, sizes)
    of_matrix = {name: sum(row) for name, row in zip(classes, matrix, strict=True)}
    wrong_sizes = [label for label, name in enumerate(classes) if sizes is not None and sizes[name] != of_matrix[name]]
    misfits = [index for index, each in enumerate(figures) if not _gives(matrix, classes, [each])]
    if not wrong_sizes and not misfits:
        return None
    misprints: list[Misprint] = []
    if len(misfits) == 1 and not wrong_sizes:
        value = figure_of_matrix(matrix, classes, figures[misfits[0]][0])
        assert value is not None
        misprints.append(Misprint(figure=misfits[0], values=(value, value)))
    if len(wrong_sizes) == 1 and not misfits:
        misprints.append(Misprint(size=wrong_sizes[0], counts=(of_matrix[classes[wrong_sizes[0]]],)))
    return (*misprints, *_class_cells(figures, classes, sizes, matrix, wrong_sizes))


def _agree(figures: Figures, sizes: Sizes | None, matrix: Confusion | None) -> bool:
    agreeing = _matrices(figures, sizes, matrix)
    return agreeing is None or bool(agreeing)


def _matrices(figures: Figures, sizes: Sizes | None, matrix: Confusion | None) -> tuple[Confusion, ...] | None:
    """The matrices with which figures agree; None where there are too many to list."""
    ranges = _common([each for each in figures if each[0] != "auc"])
    if ranges is None:
        return ()
    if matrix is not None:
        agreeing = sizes in (None, _sizes_of(matrix)) and fits(matrix, ranges)
        candidates: tuple[Confusion, ...] = (matrix,) if agreeing else ()
    else:
        assert sizes is not None
        try:
            candidates = feasible_matrices(ranges, *sizes)
        except TooManyCandidates:
            return None
    areas = [bounds for name, bounds in figures if name == "auc"]
    return tuple(each for each in candidates if all(reaches(each, area) for area in areas))


def _common(figures: Figures) -> dict[str, Range] | None:
    """The values that all figures of each metric allow; None if two figures of one metric have none in common."""
    ranges: dict[str, Range] = {}
    for name, (low, high) in figures:
        before = ranges.get(name, (low, high))
        ranges[name] = max(low, before[0]), min(high, before[1])
        if ranges[name][0] > ranges[name][1]:
            return None
    return ranges


def _sizes_of(matrix: Confusion) -> Sizes:
    return matrix.tn + matrix.fp, matrix.tp + matrix.fn


def _cells(figures: Figures, sizes: Sizes | None, matrix: Confusion) -> Iterator[Misprint]:
    """Counts of a printed matrix of two classes that would explain everything with another value."""
    ranges = _common([each for each in figures if each[0] != "auc"])
    if ranges is None:
        return
    for cell in CELLS:
        matrices = tuple(
            each for each in _with_other_count(matrix, cell, sizes, ranges) if _agree(figures, sizes, each)
        )
        if matrices:
            counts = tuple(int(getattr(each, cell)) for each in matrices)
            yield Misprint(cell=cell, matrices=matrices, counts=counts)


def _with_other_count(
    matrix: Confusion, cell: str, sizes: Sizes | None, ranges: Mapping[str, Range]
) -> Iterator[Confusion]:
    printed = int(getattr(matrix, cell))
    if sizes is not None:
        negatives, positives = _sizes_of(matrix)
        count = printed + (sizes[0] - negatives if cell in ("tn", "fp") else sizes[1] - positives)
        if count >= 0 and count != printed:
            yield replace(matrix, **{cell: count})
        return
    tried = {name: np.full(MOST_TRIED, getattr(matrix, name), dtype=np.int64) for name in CELLS}
    tried[cell] = np.arange(MOST_TRIED)
    near = near_fits(ranges, tried["tp"], tried["tn"], tried["tn"] + tried["fp"], tried["tp"] + tried["fn"])
    for count in np.flatnonzero(near).tolist():
        if count != printed:
            yield replace(matrix, **{cell: count})


def _sizes(figures: Figures, sizes: Sizes, matrix: Confusion) -> Iterator[Misprint]:
    """The class size that would explain everything if it was that of the printed matrix."""
    of_matrix = _sizes_of(matrix)
    wrong = [label for label in (0, 1) if sizes[label] != of_matrix[label]]
    if len(wrong) == 1 and _agree(figures, None, matrix):
        yield Misprint(size=wrong[0], matrices=(matrix,), counts=(of_matrix[wrong[0]],))


def _explain_shares(figures: Figures) -> tuple[Misprint, ...] | None:
    """As `explain`, where neither class sizes nor a matrix are known."""

    def possible(some: Figures) -> bool:
        ranges = _common([each for each in some if each[0] != "auc"])
        return ranges is not None and feasible_at_any_size(ranges)

    if possible(figures):
        return None
    return tuple(
        Misprint(figure=index) for index in range(len(figures)) if possible([*figures[:index], *figures[index + 1 :]])
    )


def _explain_without_matrix(
    figures: Figures, classes: Sequence[str], sizes: Mapping[str, int] | None
) -> tuple[Misprint, ...] | None:
    ranges = _common(figures)
    clashes = contradictions(ranges, classes, sizes) if ranges is not None else ()
    if ranges is not None and not clashes:
        return None
    misprints = []
    for index, (key, _) in enumerate(figures):
        if ranges is not None and not all(key in each.keys for each in clashes):
            continue  # without it, that contradiction would remain
        rest = [*figures[:index], *figures[index + 1 :]]
        without = _common(rest)
        if without is not None and not contradictions(without, classes, sizes):
            equal = next((group for group in SAME if key in group), (key,))
            values = _common([("equal", bounds) for other, bounds in rest if other in equal])
            misprints.append(Misprint(figure=index, values=(values or {}).get("equal")))
    return tuple(misprints)


def _class_cells(
    figures: Figures,
    classes: Sequence[str],
    sizes: Mapping[str, int] | None,
    matrix: ClassMatrix,
    wrong_sizes: Sequence[int],
) -> Iterator[Misprint]:
    """Counts of a printed matrix of several classes that would explain everything with another value."""
    count, total = len(classes), sum(map(sum, matrix))
    if sizes is not None:
        if len(wrong_sizes) != 1:  # a changed count changes the size of one class
            return
        row = wrong_sizes[0]
        difference = sizes[classes[row]] - sum(matrix[row])
        tried = [(row, column, matrix[row][column] + difference) for column in range(count)]
    else:
        most = 2 * total
        if count**2 * most > MOST_TRIED:
            return
        tried = [(i, j, value) for i in range(count) for j in range(count) for value in range(most + 1)]
    counts: dict[tuple[int, int], list[int]] = {}
    for i, j, value in tried:
        if value >= 0 and value != matrix[i][j]:
            changed = [list(row) for row in matrix]
            changed[i][j] = value
            if any(map(any, changed)) and _gives(changed, classes, figures):
                counts.setdefault((i, j), []).append(value)
    yield from (Misprint(cell=cell, counts=tuple(values)) for cell, values in counts.items())


def _gives(matrix: ClassMatrix, classes: Sequence[str], figures: Figures) -> bool:
    """Whether a matrix gives all figures that follow from it."""
    for key, (low, high) in figures:
        value = figure_of_matrix(matrix, classes, key)
        if value is not None and not low <= value <= high:
            return False
    return True

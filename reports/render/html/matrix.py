"""The matrix of decisions of three or more classes for the page: cells with shares, counts and shades."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.results.multiclass.figures import ClassMatrix, DecidedRuns
from reports.text import MISSING

_DENSE, _UPRIGHT = 7, 4
"""From so many classes on a matrix is set tighter; names with more letters than so many are then turned."""


@dataclass(frozen=True)
class MatrixCell:
    """A cell of a matrix.

    Attributes:
        count: The number of images.
        right: Whether the predicted class is the true one.
        row: The share of the true class in percent, as text.
        column: The share of the predicted class in percent, as text.
        row_shade: The strength of the shade for `row`, in [0, 1].
        column_shade: The same for `column`.
    """

    count: int
    right: bool
    row: str
    column: str
    row_shade: str
    column_shade: str


@dataclass(frozen=True)
class MatrixRow:
    """The images of one true class: the name of the class, its number of images and a cell per predicted class."""

    name: str
    images: int
    cells: tuple[MatrixCell, ...]


@dataclass(frozen=True)
class MatrixView:
    """A matrix of decisions with its layout.

    Attributes:
        rule: The rule of the decisions.
        seeds: The number of runs whose matrices were added.
        images: The number of test images of one run.
        total: The number of decisions.
        classes: The names of the classes.
        abstains: Whether some decisions abstain; then the last column has their numbers.
        rows: A row per true class.
        called: The number of decisions per column.
        dense: Whether the table is set tighter.
        upright: Whether the names above the columns are turned.
    """

    rule: str
    seeds: int
    images: int
    total: int
    classes: tuple[str, ...]
    abstains: bool
    rows: tuple[MatrixRow, ...]
    called: tuple[int, ...]
    dense: bool
    upright: bool

    @property
    def columns(self) -> int:
        """The number of columns of predicted classes, with that of abstentions."""
        return len(self.classes) + self.abstains


def matrix_view(decided: DecidedRuns, classes: tuple[str, ...]) -> MatrixView:
    """The view of the summed matrix of some runs.

    Args:
        decided: The matrices.
        classes: The names of the classes.

    Returns:
        The view; each cell has the share of its row and of its column.
    """
    matrix = decided.total
    abstains = any(matrix.abstained)
    dense = len(classes) >= _DENSE
    called = [sum(column) for column in zip(*matrix.counts, strict=True)]
    return MatrixView(
        rule=decided.rule,
        seeds=len(decided.runs),
        images=decided.runs[0].images,
        total=matrix.images,
        classes=classes,
        abstains=abstains,
        rows=tuple(_matrix_rows(matrix, classes, abstains)),
        called=(*called, *([sum(matrix.abstained)] if abstains else [])),
        dense=dense,
        upright=dense and max(map(len, classes)) > _UPRIGHT,
    )


def _matrix_rows(matrix: ClassMatrix, classes: Sequence[str], abstains: bool) -> Iterator[MatrixRow]:
    total = sum(matrix.abstained)
    for index, name in enumerate(classes):
        images = sum(matrix.counts[index]) + matrix.abstained[index]
        cells = [
            _cell(count, index == column, matrix.by_row[index][column], matrix.by_column[index][column])
            for column, count in enumerate(matrix.counts[index])
        ]
        if abstains:
            count = matrix.abstained[index]
            cells.append(_cell(count, False, count / images if images else None, count / total))
        yield MatrixRow(name, images, tuple(cells))


def _cell(count: int, right: bool, row: float | None, column: float | None) -> MatrixCell:
    return MatrixCell(count, right, percent(row), percent(column), _shade(row), _shade(column))


def percent(share: float | None) -> str:
    """A share in whole percent.

    Args:
        share: In [0, 1]; None where it is undefined.

    Returns:
        The number as text. It is `0` or `100` only for exactly none and all.
    """
    if share is None:
        return MISSING
    if 0 < share < 0.005:
        return "<1"
    if 0.995 <= share < 1:
        return ">99"
    return f"{100 * share:.0f}"


def _shade(share: float | None) -> str:
    return f"{math.sqrt(share or 0):.3f}".rstrip("0").rstrip(".")

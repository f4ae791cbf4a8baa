"""Agreement of decisions and labels of several classes: correlation and kappa, from the matrix of decisions.

Functions take matrices (k, k + 1, r) of classes by decisions; the last column counts abstentions, which agree with no
class. Gradients take one matrix (k, k + 1) and return the derivative by each cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.evidence.metrics.influence import Floats


def correlation(counts: Floats) -> Floats:
    """Return R_K (r,), Matthews' correlation of several classes (Gorodkin 2004); NaN where one side is constant."""
    import numpy as np

    shared, called, actual = _correlation_parts(counts)
    values: Floats = shared / np.sqrt(called * actual)
    return values


def correlation_gradient(counts: Floats) -> Floats:
    """Return the derivative (k, k + 1) of R_K by each cell of a matrix (k, k + 1)."""
    import numpy as np

    total, rows, columns, hits = _margins(counts)
    shared, called, actual = _correlation_parts(counts)
    scale = np.sqrt(called * actual)
    by_shared = total * _diagonal(counts) + hits - _chance_gradient(rows, columns)
    by_margins = (2 * total - 2 * columns)[None, :] / called + (2 * total - 2 * rows)[:, None] / actual
    gradient: Floats = by_shared / scale - shared / scale / 2 * by_margins
    return gradient


def kappa(counts: Floats) -> Floats:
    """Return Cohen's kappa (r,) (Cohen 1960); NaN where labels and decisions are all of one class."""
    total, rows, columns, hits = _margins(counts)
    chance = _chance(rows, columns)
    values: Floats = (total * hits - chance) / (total**2 - chance)
    return values


def kappa_gradient(counts: Floats) -> Floats:
    """Return the derivative (k, k + 1) of kappa by each cell of a matrix (k, k + 1)."""
    total, rows, columns, hits = _margins(counts)
    chance, by_chance = _chance(rows, columns), _chance_gradient(rows, columns)
    above, below = total * hits - chance, total**2 - chance
    by_above = hits + total * _diagonal(counts) - by_chance
    gradient: Floats = (by_above - above / below * (2 * total - by_chance)) / below
    return gradient


def quadratic_kappa(counts: Floats) -> Floats:
    """Return kappa (r,) with quadratic weights of disagreement (Cohen 1968), for ordered classes.

    Args:
        counts: Matrices (k, k + 1, r) of classes by decisions.

    Returns:
        Values (r,). They are NaN where labels and decisions are all of one class, and where there are abstentions,
        which have no place in the order.
    """
    import numpy as np

    total, rows, columns, _ = _margins(counts)
    squares = _squares(len(counts))
    apart = np.einsum("ij,ij...->...", squares, counts[:, :-1])
    chance = np.einsum("ij,i...,j...->...", squares, rows, columns[:-1])
    values: Floats = 1 - total * apart / chance
    return np.where(columns[-1] > 0, np.nan, values)


def quadratic_kappa_gradient(counts: Floats) -> Floats:
    """Return the derivative (k, k + 1) of the kappa with quadratic weights by each cell of a matrix (k, k + 1)."""
    import numpy as np

    total, rows, columns, _ = _margins(counts)
    squares = _squares(len(counts))
    apart = (squares * counts[:, :-1]).sum()
    chance = rows @ squares @ columns[:-1]
    by_chance = (squares @ columns[:-1])[:, None] + (rows @ squares)[None, :]
    by_cell = -(apart + total * squares) / chance + total * apart / chance**2 * by_chance
    gradient: Floats = np.pad(by_cell, ((0, 0), (0, 1)))
    return gradient


def _margins(counts: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the number of images, of each class (k,), of each decision (k + 1,), and of correct decisions."""
    import numpy as np

    return counts.sum(axis=(0, 1)), counts.sum(axis=1), counts.sum(axis=0), np.einsum("ii...->...", counts[:, :-1])


def _chance(rows: Floats, columns: Floats) -> Floats:
    product: Floats = (rows * columns[:-1]).sum(axis=0)
    return product


def _chance_gradient(rows: Floats, columns: Floats) -> Floats:
    import numpy as np

    gradient: Floats = columns[:-1, None] + np.append(rows, 0.0)[None, :]
    return gradient


def _correlation_parts(counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the covariance of labels and decisions, and the variance of each, all times the squared total."""
    total, rows, columns, hits = _margins(counts)
    squared = total**2
    return (
        total * hits - _chance(rows, columns),
        squared - (columns**2).sum(axis=0),
        squared - (rows**2).sum(axis=0),
    )


def _diagonal(counts: Floats) -> Floats:
    import numpy as np

    return np.eye(*counts.shape)


def _squares(count: int) -> Floats:
    import numpy as np

    each = np.arange(count, dtype=np.float64)
    squares: Floats = (each[:, None] - each) ** 2
    return squares

"""Figures of one row that two places print, each possible alone, and not possible together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.evidence.metrics.printed import is_of_counts
from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.feasible import fits
from reports.audit.decisions import ROUNDINGS, FeasibleMatrices, find_matrices
from reports.audit.figures import AuditFinding, Citation, FigureSet, counts
from reports.claims.printed import PrintedMatrix, TestSet
from reports.text import capital, listed, plural
from zoo.models.published import PublishedFigure

_MOST_PAIRS = 4_000_000
_FEWEST = 2


@dataclass(frozen=True)
class Sources:
    """The figures of a row by place, where the places differ.

    Attributes:
        main: The figures of the place that prints most of them.
        feasible: The confusion matrices that give these.
        finding: What differs, and by how many images.
    """

    main: FigureSet
    feasible: FeasibleMatrices
    finding: AuditFinding


def _place(figure: PublishedFigure) -> str:
    """The table, figure or text that prints a figure: "Table 2" of "Table 2, row ResNet"."""
    return figure.location.partition(",")[0].strip()


def different_sources(figure_set: FigureSet, test: TestSet, printed: PrintedMatrix | None) -> Sources | None:
    """Find places that print figures of one row which are not of the same decisions.

    Args:
        figure_set: The final test figures of a row that no confusion matrix gives together.
        test: Its test set.
        printed: The confusion matrix that is printed for the row; None without one.

    Returns:
        The places; None unless the figures of each place alone have matrices, and one place prints two or more.
    """
    by_place: dict[str, list[PublishedFigure]] = {}
    for figure in figure_set.figures:
        if is_of_counts(figure.key):
            by_place.setdefault(_place(figure), []).append(figure)
    if len(by_place) < _FEWEST:
        return None
    places = sorted(by_place, key=lambda place: -len(by_place[place]))
    if len(by_place[places[0]]) < _FEWEST:
        return None
    others = tuple(figure for figure in figure_set.figures if not is_of_counts(figure.key))
    sets = {place: replace(figure_set, figures=tuple(by_place[place])) for place in places}
    matrices_of = {place: find_matrices(each, test) for place, each in sets.items()}
    if any(not each.possible for each in matrices_of.values()):
        return None
    main = places[0]
    statements, derivations = [], []
    for place in places[1:]:
        distance = _distance(matrices_of[main].likely, matrices_of[place].likely)
        if distance == 0:
            continue
        if distance is not None:
            statements.append(f"{place} by at least {plural(distance, 'image')}")
        derivations.append(f"{capital(place)} has {_figures(sets[place])}{_as_printed(sets[place], printed)}.")
    if not statements:
        return None
    cited = [each for place in places for each in sets[place].cited(tuple(sets[place].decisions()))]
    if printed is not None:
        cited.append(Citation("the printed confusion matrix", printed.location))
    finding = figure_set.finding(
        "sources",
        "contradiction",
        cited,
        f"The figures of this row are not about the same decisions: {main} differs from {listed(statements)}.",
        f"{capital(main)} has {_matrices(matrices_of[main].likely)}{_as_printed(sets[main], printed)}. "
        f"{' '.join(derivations)} So many of the {test.total} decisions differ, and each place alone is possible.",
    )
    return Sources(replace(figure_set, figures=(*by_place[main], *others)), matrices_of[main], finding)


def images_between(matrices: Sequence[Confusion], printed: Confusion) -> int | None:
    """Return on how many images at least the decisions of a printed matrix differ from those of possible ones.

    Args:
        matrices: The possible confusion matrices.
        printed: The printed one.

    Returns:
        The number; None if the class sizes differ, or no matrix is possible.
    """
    same = [each for each in matrices if (each.tp + each.fn, each.tn + each.fp) == _sizes(printed)]
    return _distance(same, [printed]) if same else None


def _sizes(matrix: Confusion) -> tuple[int, int]:
    return matrix.tp + matrix.fn, matrix.tn + matrix.fp


def _distance(first: Sequence[Confusion], second: Sequence[Confusion]) -> int | None:
    """The fewest decisions that turn one of the first matrices into one of the second; None if too many to try."""
    if not first or not second or len(first) * len(second) > _MOST_PAIRS:
        return None
    one, other = (np.array([(each.tp, each.tn) for each in matrices]) for matrices in (first, second))
    return int(np.abs(one[:, None, :] - other[None, :, :]).sum(axis=2).min())


def _matrices(matrices: Sequence[Confusion]) -> str:
    errors = sorted({each.fp + each.fn for each in matrices})
    wrong = str(errors[0]) if len(errors) == 1 else f"{errors[0]} to {errors[-1]}"
    which = counts(matrices[0]) if len(matrices) == 1 else f"one of {len(matrices)} confusion matrices"
    return f"{which}: {wrong} errors"


def _figures(figure_set: FigureSet) -> str:
    return listed([each.text for each in figure_set.cited(tuple(figure_set.decisions()))])


def _as_printed(figure_set: FigureSet, printed: PrintedMatrix | None) -> str:
    """Whether a printed matrix gives the figures of a place."""
    if printed is None:
        return ""
    matrix = Confusion(printed.tp, printed.fp, printed.tn, printed.fn)
    agrees = any(fits(matrix, figure_set.decisions(rounding)) for rounding in ROUNDINGS)
    return f", as the printed matrix ({printed.location})" if agrees else ""

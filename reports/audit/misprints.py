"""The single misprint that would explain a row whose printed figures contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.printed import is_of_counts
from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.feasible import Rounding, metric_of
from benchmark.evidence.published.misprints import Misprint, explain, explain_classes
from reports.audit.decisions import ROUNDINGS
from reports.audit.figures import (
    AuditFinding,
    Citation,
    Explanation,
    FigureSet,
    cite,
    counts,
    figure_range,
    named,
)
from reports.claims.printed import PrintedClassMatrix, PrintedMatrix
from reports.text import capital, listed
from zoo.models.published import PublishedFigure

EXPLAINED = (
    "printed-twice",
    "off-grid",
    "no-matrix",
    "rates",
    "no-shares",
    "sources",
    "averages",
    "auc-out-of-reach",
    "matrix-size",
    "matrix-not-of-row",
)
"""The kinds of findings that a misprint of one number can explain."""

_MOST_LISTED = 10
_MOST_VALUES = 3


def misprint(
    figure_set: FigureSet, matrix: PrintedMatrix | PrintedClassMatrix | None, several: bool
) -> Iterator[AuditFinding]:
    """Which single misprint would explain a row that has a finding of EXPLAINED.

    Args:
        figure_set: The final test figures of the row.
        matrix: The confusion matrix that is printed for the row; None without one.
        several: Whether the row is about three classes or more.

    Yields:
        A note; none if all figures, counts and class sizes agree.
    """
    figures = tuple(_checked(figure_set, several))
    if several:
        explanations = _of_classes(figure_set, figures, matrix if isinstance(matrix, PrintedClassMatrix) else None)
    else:
        explanations = _of_two(figure_set, figures, matrix if isinstance(matrix, PrintedMatrix) else None)
    if explanations is None or len(figures) + (matrix is not None) < 2:
        return
    if not explanations:
        statement = "No single misprint explains the contradictions of this row."
        derivation = (
            "Whichever printed figure or count is left out, the others still contradict each other. So at least two "
            "are wrong, or they are not about the same decisions."
        )
    elif len(explanations) == 1:
        statement = f"One misprint would explain the contradictions of this row: {_correction(explanations[0])}."
        derivation = f"{capital(_agreement(explanations[0]))}. {_others(figures, explanations[0])}"
    else:
        each_alone = f"Each of {len(explanations)} misprints alone would explain the contradictions of this row"
        statement = f"{each_alone}: {_corrections(explanations)}."
        derivation = f"{'. '.join(f'{capital(_correction(each))}: {_agreement(each)}' for each in explanations)}."
    cited = [cite(figure) for figure in figures]
    if matrix is not None:
        cited.append(Citation("the printed confusion matrix", matrix.location))
    yield figure_set.finding("misprint", "note", cited, statement, derivation, explanations=explanations)


def _checked(figure_set: FigureSet, several: bool) -> Iterator[PublishedFigure]:
    for figure in figure_set.figures:
        of_two = is_of_counts(figure.key) or figure.metric == "auc"
        if find_multiclass(figure.key) is not None if several else of_two:
            yield figure


def _of_two(
    figure_set: FigureSet, figures: Sequence[PublishedFigure], matrix: PrintedMatrix | None
) -> tuple[Explanation, ...] | None:
    test = figure_set.row.of_two
    misprints = _with_either_rounding(
        lambda rounding: explain(
            [(figure.key, figure_range(figure, rounding)) for figure in figures],
            None if test is None else (test.negatives, test.positives),
            None if matrix is None else Confusion(tp=matrix.tp, fp=matrix.fp, tn=matrix.tn, fn=matrix.fn),
        )
    )
    return None if misprints is None else tuple(_two(each, figures, matrix, figure_set) for each in misprints)


def _with_either_rounding(
    explained: Callable[[Rounding], tuple[Misprint, ...] | None],
) -> tuple[Misprint, ...] | None:
    """The misprints that explain the figures if all were rounded, or all cut; None if one of the rules explains all."""
    joined: dict[tuple[object, ...], Misprint] = {}
    for rounding in ROUNDINGS:
        misprints = explained(rounding)
        if misprints is None:
            return None
        for each in misprints:
            key = each.figure, each.cell, each.size
            before = joined.get(key, each)
            values = [ends for ends in (before.values, each.values) if ends is not None]
            joined[key] = replace(
                before,
                matrices=tuple(dict.fromkeys((*before.matrices, *each.matrices))),
                counts=tuple(sorted({*before.counts, *each.counts})),
                values=(min(low for low, _ in values), max(high for _, high in values)) if values else None,
            )
    return tuple(joined.values())


def _two(
    each: Misprint, figures: Sequence[PublishedFigure], matrix: PrintedMatrix | None, figure_set: FigureSet
) -> Explanation:
    listed_matrices, count = each.matrices[:_MOST_LISTED], len(each.matrices)
    if each.figure is not None:
        figure = figures[each.figure]
        values: str | None = None
        if figure.metric != "auc" and each.matrices:
            values = _values([metric_of(one, figure.metric) for one in each.matrices], figure)
        return Explanation(named(figure), values, listed_matrices, count or None)
    assert matrix is not None
    replacement = _whole(each.counts)
    if each.size is not None:
        test = figure_set.row.of_two
        assert test is not None
        name, size = ("negatives", test.negatives) if each.size == 0 else ("positives", test.positives)
        return Explanation(f"a test set with {size} {name}", replacement, listed_matrices, count)
    cell = str(each.cell)
    printed = f"{cell.upper()} {getattr(matrix, cell)} of the printed matrix"
    return Explanation(printed, replacement, listed_matrices, count)


def _of_classes(
    figure_set: FigureSet, figures: Sequence[PublishedFigure], matrix: PrintedClassMatrix | None
) -> tuple[Explanation, ...] | None:
    test = figure_set.row.of_several
    classes = tuple(test.sizes) if test is not None else matrix.classes if matrix is not None else ()
    misprints = _with_either_rounding(
        lambda rounding: explain_classes(
            [(figure.key, figure_range(figure, rounding)) for figure in figures],
            classes,
            None if test is None else test.sizes,
            None if matrix is None else matrix.reordered(classes),
        )
    )
    if misprints is None:
        return None
    explanations = []
    for each in misprints:
        if each.figure is not None:
            figure = figures[each.figure]
            values = None if each.values is None else _values(list(each.values), figure)
            explanations.append(Explanation(named(figure), values))
        elif each.size is not None:
            assert test is not None
            name = classes[each.size]
            explanations.append(
                Explanation(f"a test set with {test.sizes[name]} images of {name}", _whole(each.counts))
            )
        else:
            assert matrix is not None
            assert isinstance(each.cell, tuple)
            true, predicted = (classes[index] for index in each.cell)
            number = matrix.matrix[matrix.classes.index(true)][matrix.classes.index(predicted)]
            printed = f"{number} images of {true} predicted as {predicted} in the printed matrix"
            explanations.append(Explanation(printed, _whole(each.counts)))
    return tuple(explanations)


def _values(values: Sequence[float], figure: PublishedFigure) -> str:
    """What a figure would print as: each value if there are few, else their range."""
    texts = list(dict.fromkeys(f"{value:.{figure.decimals}f}" for value in sorted(values)))
    return listed(texts, "or") if len(texts) <= _MOST_VALUES else f"{texts[0]} to {texts[-1]}"


def _whole(values: Sequence[int]) -> str:
    texts = [str(value) for value in values]
    return (
        listed(texts, "or") if len(texts) <= _MOST_VALUES else f"one of {len(texts)} counts, {texts[0]} to {texts[-1]}"
    )


def _correction(each: Explanation) -> str:
    return f"{each.printed} would be {each.would_be}" if each.would_be else each.printed


def _corrections(explanations: Sequence[Explanation]) -> str:
    return "; ".join(_correction(each) for each in explanations)


def _others(figures: Sequence[PublishedFigure], only: Explanation) -> str:
    """That no other number explains the row, with the figures that were left out in vain."""
    others = [named(figure) for figure in figures if named(figure) != only.printed]
    if not others:
        return "No other single misprint would explain them."
    return f"No other single misprint would explain them: without {listed(others, 'or')}, the rest still disagrees."


def _agreement(each: Explanation) -> str:
    if not each.matrices:
        many = "" if each.matrix_count is None else " with many confusion matrices"
        return f"without it, all other printed figures agree{many}"
    if each.matrix_count == 1:
        return f"all other printed figures agree with {counts(each.matrices[0])}"
    many = f"{each.matrix_count} confusion matrices, such as {counts(each.matrices[0])}"
    return f"all other printed figures agree with {many}"

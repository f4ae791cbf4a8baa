"""Whether figures, matrices and test sets of claims are about the same classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reports.claims.meaning import of_several
from reports.claims.printed import (
    AnyMatrix,
    AnyTestSet,
    Interpretation,
    MulticlassTestSet,
    PrintedClassMatrix,
    PrintedMatrix,
    Row,
)
from zoo.models.published import PublishedFigure, class_problems


def named_classes(
    rows: Iterable[Row], matrices: Iterable[AnyMatrix], tests: Iterable[AnyTestSet | None]
) -> tuple[str, ...]:
    """List the names of three classes or more that test sets and matrices state.

    Args:
        rows: Rows of figures, with their test sets.
        matrices: Printed matrices.
        tests: Further test sets.

    Returns:
        Each name once; empty where no test set and no matrix has three classes or more.
    """
    sizes = [test.sizes for test in (*tests, *(row.test for row in rows)) if isinstance(test, MulticlassTestSet)]
    sizes += [matrix.sizes for matrix in matrices if isinstance(matrix, PrintedClassMatrix)]
    return tuple(dict.fromkeys(name for each in sizes for name in each))


def row_problems(path: str, row: Row, written: Row, matrices: Sequence[AnyMatrix]) -> Iterator[str]:
    """Yield a line for each figure of a row that is not of its classes.

    Args:
        path: The path of the row in its file.
        row: The row with all its figures and its test set.
        written: The row as in the file, without what its card published.
        matrices: All printed matrices.

    Yields:
        Lines with the path of the field. Figures of the card are named by the card.
    """
    of_row = _class_matrix(row, matrices)
    classes = of_row.classes if of_row is not None and row.of_two is None else ()
    of_card = tuple(figure for figure in row.figures if figure not in written.figures)
    several = is_about_several_classes(row, matrices)
    figures = (*written.figures, *of_card)
    if several:
        figures = tuple(of_several(figure, row) for figure in figures)
    for problem in class_problems("figures", figures, row.test, classes, average_of_two=True):
        _, number, rest = problem.split(".", 2)
        if int(number) < len(written.figures):
            yield f"{path}.{problem}"
        else:
            field, _, line = rest.partition(": ")
            yield f"{path}.card: '{row.card}' has published {_figure(figures[int(number)])}; its {field}: {line}"
    if several and "threshold" in written.model_fields_set:
        yield f"{path}.threshold: is for two classes; drop it, because three or more classes have no positive class"


def is_about_several_classes(row: Row, matrices: Sequence[AnyMatrix]) -> bool:
    """Return whether a row, or the matrix printed for it, is about three classes or more."""
    return row.is_multiclass or (row.of_two is None and _class_matrix(row, matrices) is not None)


def interpretation_problems(path: str, interpretation: Interpretation, row: Row) -> Iterator[str]:
    """Yield a line for each figure of an interpretation that is not of the classes of its row.

    Args:
        path: The path of the interpretation in its file.
        interpretation: The interpretation.
        row: Its row, with all its figures and its test set.

    Yields:
        Lines with the path of the field.
    """
    joined = (*interpretation.figures, *row.figures)
    if row.is_multiclass:
        joined = tuple(of_several(figure, row) for figure in joined)
    for problem in class_problems("figures", joined, row.test, average_of_two=True):
        if int(problem.split(".", 2)[1]) < len(interpretation.figures):
            yield f"{path}.{problem}"


def matrix_problems(path: str, matrix: AnyMatrix, row: Row) -> Iterator[str]:
    """Yield a line if a printed matrix has other classes than its row.

    Args:
        path: The path of the matrix in its file.
        matrix: The printed matrix.
        row: Its row, with all its figures and its test set.

    Yields:
        At most one line, with the path of the field.
    """
    if isinstance(matrix, PrintedMatrix):
        if row.is_multiclass:
            yield f"{path}: tp, fp, tn and fn are of two classes; give `classes` and `matrix`, a row per true class"
    elif row.of_two is not None:
        yield (
            f"{path}.classes: {len(matrix.classes)} classes, but the test set of {row.name} has negatives and "
            "positives; give the number of images of every class in `test`, or tp, fp, tn and fn"
        )
    elif row.of_several is not None and set(matrix.classes) != set(row.of_several.sizes):
        yield f"{path}.classes: are {', '.join(matrix.classes)}; the test set has {', '.join(row.of_several.sizes)}"


def _class_matrix(row: Row, matrices: Sequence[AnyMatrix]) -> PrintedClassMatrix | None:
    return next((each for each in matrices if each.row == row.name and isinstance(each, PrintedClassMatrix)), None)


def _figure(figure: PublishedFigure) -> str:
    return f"{figure.split} {figure.metric} {figure.value:g}"

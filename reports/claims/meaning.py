"""What printed figures mean: over which classes they are averaged, and which class they take as positive.

Claims say it once per row. The figures of a loaded row have names that say it too, so that an audit and a comparison
with runs take each for what it is: the recall of the negatives is the specificity.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.evidence.metrics.multiclass import is_of_classes
from benchmark.evidence.metrics.printed import PRINTED, averaged, has_average, of_other_class
from benchmark.evidence.metrics.registry import find_metric
from reports.claims.printed import Interpretation, Row, TestSet
from zoo.config.strict_yaml import suggest
from zoo.models.published import PublishedFigure

_CLASSES = ("negatives", "positives")


def with_meaning(row: Row, several: bool, names: tuple[str, ...] | None) -> Row:
    """Return a row whose figures have names that say what they mean.

    Args:
        row: The row with all its figures.
        several: Whether it is about three classes or more.
        names: The names of two classes, that of the negatives first, where the source states them.

    Returns:
        The row.
    """
    figures = tuple(_figure(figure, row, several, names) for figure in row.figures)
    return row.model_copy(update={"figures": figures})


def interpretation_with_meaning(
    interpretation: Interpretation, row: Row, several: bool, names: tuple[str, ...] | None
) -> Interpretation:
    """Return an interpretation whose figures have names that say what they mean.

    Args:
        interpretation: The interpretation.
        row: Its row.
        several: Whether the row is about three classes or more.
        names: The names of two classes, that of the negatives first, where the source states them.

    Returns:
        The interpretation.
    """
    figures = tuple(_figure(figure, row, several, names) for figure in interpretation.figures)
    return interpretation.model_copy(update={"figures": figures})


def class_names(row: Row, of_source: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the names of the two classes of a row, that of the negatives first; None where they are not stated."""
    of_row = row.test.classes if isinstance(row.test, TestSet) else None
    names = of_row or of_source
    return names if names is not None and len(names) == 2 else None


def meaning_problems(path: str, row: Row, several: bool, names: tuple[str, ...] | None) -> Iterator[str]:
    """Yield a line for each statement about the meaning of a row that its classes do not allow.

    Args:
        path: The path of the row in its file.
        row: The row.
        several: Whether it is about three classes or more.
        names: The names of two classes, where the source states them.

    Yields:
        Lines with the path of the field.
    """
    known = (*_CLASSES, *(names or ()))
    if row.positive is not None and several:
        yield f"{path}.positive: is for two classes; give each figure its `class`"
    elif row.positive is not None and row.positive not in known:
        where = "" if names else "; `test: {classes: [...]}` can name the classes, that of the negatives first"
        yield f"{path}.positive: unknown class '{row.positive}'. {suggest(row.positive, known)}{where}"
    if row.average == "micro" and not several:
        yield f"{path}.average: a micro average of two classes is their accuracy; give it as accuracy"


def of_several(figure: PublishedFigure, row: Row) -> PublishedFigure:
    """Return a figure of three classes or more with the average that its name or its row states."""
    record = PRINTED.get(figure.metric) if find_metric(figure.metric) is None else None
    if record is not None and record.of is not None:
        return figure.model_copy(update={"metric": record.of, "average": record.average})
    if figure.average is None and figure.of_class is None and is_of_classes(figure.metric):
        return figure.model_copy(update={"average": row.average})
    return figure


def _figure(figure: PublishedFigure, row: Row, several: bool, names: tuple[str, ...] | None) -> PublishedFigure:
    if several:
        return of_several(figure, row)
    name, over = figure.metric, figure.average
    average = over or row.average
    if row.positive in (_CLASSES[0], *(names or ())[:1]):
        name = of_other_class(name)
    if (average == "macro" or average == "weighted") and has_average(name):
        name, over = averaged(name, average), None
    return figure.model_copy(update={"metric": name, "average": over})

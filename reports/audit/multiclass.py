"""Checks of printed figures and confusion matrices of three classes or more."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from benchmark.evidence.intervals.formulas import printed_auc_interval, wilson
from benchmark.evidence.intervals.multiclass import multiclass_figures
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.multiclass import multiclass_metrics
from benchmark.evidence.metrics.registry import label_of
from benchmark.evidence.published.feasible import Range, Rounding, neighbours
from benchmark.evidence.published.multiclass import (
    SAME,
    Contradiction,
    contradictions,
    figure_of_matrix,
    mean_range,
    population,
)
from benchmark.evidence.scores import MulticlassScores
from reports.audit.decisions import ROUNDINGS, printed_twice
from reports.audit.figures import (
    AuditFinding,
    AuditRow,
    Citation,
    DerivedFigure,
    FigureSet,
    cite,
    figure_range,
    named,
    printed,
    sizes,
)
from reports.claims.printed import PrintedClassMatrix, Row
from reports.text import capital, listed
from zoo.models.published import PublishedFigure

_LEAST_ERROR = math.log(2)
_MOST_IMAGES = 100_000


def class_set_findings(figure_set: FigureSet, matrix: PrintedClassMatrix | None = None) -> Iterator[AuditFinding]:
    """Checks figures of several classes that were printed together against each other.

    Args:
        figure_set: The figures of one split and moment.
        matrix: The printed matrix of the row, for the names of the classes.

    Yields:
        Figures printed twice, figures that contradict each other, and losses too low for their accuracy.
    """
    yield from printed_twice(figure_set)
    of_row = figure_set.row.of_several
    classes = tuple(of_row.sizes) if of_row is not None else matrix.classes if matrix is not None else ()
    known = of_row.sizes if of_row is not None and figure_set.split == "test" else None
    repeats = figure_set.row.repeats
    # Of folds, which may have other class sizes, only figures that are one figure can be compared.
    checked = () if repeats is not None and repeats[0] == "folds" else classes
    by_rounding = {
        rounding: contradictions(figure_set.of_classes(rounding), checked, known, of_means=repeats is not None)
        for rounding in ROUNDINGS
    }
    rounding = min(ROUNDINGS, key=lambda each: len(by_rounding[each]))
    for contradiction in by_rounding[rounding]:
        yield _contradiction(figure_set, contradiction, classes, known, rounding)
    yield from _losses(figure_set)


def printed_class_matrix(matrix: PrintedClassMatrix, row: Row, rows: Mapping[str, FigureSet]) -> Iterator[AuditFinding]:
    """Checks a printed matrix against its row and, where it does not fit, against every other row.

    Args:
        matrix: The printed matrix.
        row: Its row.
        rows: The final test figures by row, of the rows of several classes that have some.

    Yields:
        Contradictions.
    """
    cited = Citation(shape(matrix), matrix.location)
    test = row.of_several
    if test is not None:
        wrong = [name for name, count in test.sizes.items() if matrix.sizes[name] != count]
        if wrong:
            differing = listed(
                [f"{matrix.sizes[name]} images of {name} instead of {test.sizes[name]}" for name in wrong]
            )
            yield AuditFinding(
                "matrix-size",
                "contradiction",
                matrix.row,
                None,
                (cited, Citation(f"test set of {sizes(test)}", test.location)),
                f"The printed matrix has {differing}.",
                "The sum of a row of the matrix is the number of images of that class.",
            )
    figure_set = rows.get(matrix.row)
    misfits = misfits_of(matrix, figure_set)
    if figure_set is None or not misfits:
        return
    gives = listed([f"{label_of(key)} {_value(matrix, key):.4f}" for key in misfits])
    row_prints = listed([printed(each.figure) for each in figure_set.cited(misfits) if each.figure])
    yield figure_set.finding(
        "matrix-not-of-row",
        "contradiction",
        (cited, *figure_set.cited(misfits)),
        f"The printed {shape(matrix)} does not give the figures of this row.",
        f"It gives {gives}; the row prints {row_prints}.{_other_f1(matrix, figure_set, misfits)}",
    )
    for name, other in rows.items():
        keys = tuple(
            key for key in other.of_classes() if figure_of_matrix(matrix.matrix, matrix.classes, key) is not None
        )
        named_classes = {figure.of_class for figure in other.figures} - {None}
        fitting = named_classes <= set(matrix.classes) and not misfits_of(matrix, other)
        if name != matrix.row and len(keys) > 1 and fitting:
            yield figure_set.finding(
                "matrix-of-other-row",
                "contradiction",
                (cited, *other.cited(keys)),
                f"The printed matrix gives the figures of {name}.",
                f"It gives {listed([each.text for each in other.cited(keys)])}, as printed for {name}.",
            )


def misfits_of(matrix: PrintedClassMatrix, figure_set: FigureSet | None) -> tuple[str, ...]:
    """The keys of the printed figures that a matrix does not give, with the rule of rounding that leaves fewest."""
    if figure_set is None:
        return ()
    misfits = [
        tuple(key for key, (low, high) in ranges.items() if not _within(matrix, key, low, high))
        for ranges in map(figure_set.of_classes, ROUNDINGS)
    ]
    return min(misfits, key=len)


def class_row(row: Row, matrix: PrintedClassMatrix | None) -> AuditRow:
    """A row of several classes with the figures that follow from its printed figures and its matrix.

    Args:
        row: The row.
        matrix: Its printed matrix; None without one.

    Returns:
        The row. Its confusion matrices are not listed: several classes have too many.
    """
    final = [each for each in row.figures if each.split == "test" and each.epoch is None]
    fits = matrix is not None and not misfits_of(matrix, FigureSet(row, None, "test", tuple(final)))
    derived = {each.metric: each for each in _of_figures(row, final)}
    if matrix is not None and fits:
        derived |= {each.metric: each for each in _of_matrix(matrix, {each.key for each in final})}
    count = len(row.of_several.sizes) if row.of_several is not None else len(matrix.classes) if matrix else None
    classes = "three classes or more" if count is None else f"{count} classes"
    reason = f"{shape(matrix)} printed" if matrix is not None else f"matrices of {classes} are not listed"
    return AuditRow(row.name, row.alias, row.test, None, None, reason, tuple(derived.values()))


def _contradiction(
    figure_set: FigureSet,
    contradiction: Contradiction,
    classes: Sequence[str],
    known: Mapping[str, int] | None,
    rounding: Rounding,
) -> AuditFinding:
    cited = figure_set.cited(contradiction.keys)
    together = listed([each.text for each in cited])
    of = "" if known is None else f" of {' + '.join(map(str, known.values()))} images"
    kind = "averages"
    if contradiction.rule == "whole number":
        kind, (statement, derivation) = "off-grid", _off_grid(figure_set, contradiction.keys[0], known or {})
    elif contradiction.rule == "same":
        statement = f"{capital(together)} cannot both be true."
        derivation = (
            "If every image has one true class and one predicted class, micro recall, micro precision, micro F1 and "
            "weighted recall all equal accuracy."
            if contradiction.keys[0] in SAME[0]
            else "Balanced accuracy is the macro recall."
        )
    elif contradiction.rule in ("mean", "weighted mean", "between"):
        statement, derivation = _mean(figure_set, contradiction, classes, known, rounding)
    elif contradiction.rule == "averages":
        statement = f"No decisions{of.replace(' of', ' on', 1)} average to {together} together."
        derivation = "mlscorecheck finds no counts for the classes, each against the others, all rounded or all cut."
    else:
        kind = "no-matrix"
        statement = f"No confusion matrix{of} gives {together}{' together' if len(cited) > 1 else ''}."
        derivation = (
            "No whole numbers of right and wrong decisions per class give these figures, all rounded or all cut"
            + ("; if any one of the figures is left out, some may." if len(cited) > 1 else ".")
        )
    return figure_set.finding(kind, "impossible", cited, statement, derivation, cited)


def _off_grid(figure_set: FigureSet, key: str, known: Mapping[str, int]) -> tuple[str, str]:
    figure, images = figure_set.of(key), population(key, known)
    assert figure is not None
    assert images is not None
    name = figure.of_class
    of = "" if name is None else f" of {name}" if figure.metric == "recall" else f" of other classes than {name}"
    near = [
        f"{round(each * images)}/{images} = {each:.{figure.decimals + 2}f}" for each in neighbours(figure.value, images)
    ]
    return (
        f"{capital(named(figure))} is not a whole number out of {images} images{of}.",
        f"The nearest fractions are {listed(near)}.",
    )


def _mean(
    figure_set: FigureSet,
    contradiction: Contradiction,
    classes: Sequence[str],
    known: Mapping[str, int] | None,
    rounding: Rounding,
) -> tuple[str, str]:
    average, *of_classes = contradiction.keys
    figure, ranges = figure_set.of(average), figure_set.of_classes(rounding)
    assert figure is not None
    metric = MeasureKey.parse(of_classes[0]).metric
    first = f"{capital(named(figure))} is not the "
    each = listed(
        [f"{MeasureKey.parse(key).of_class} {printed(one)}" for key in of_classes if (one := figure_set.of(key))]
    )
    values = f"The printed {label_of(metric)} of each class is: {each}."
    if contradiction.rule == "between":
        low, high = min(ranges[key][0] for key in of_classes), max(ranges[key][1] for key in of_classes)
        statement = f"{capital(named(figure))} lies outside of the {label_of(metric)} of all classes."
        return statement, f"{values} A mean of them lies between {low:.4f} and {high:.4f}, whatever the class sizes."
    weights = [1.0] * len(classes) if contradiction.rule == "mean" else [float((known or {})[name]) for name in classes]
    possible = [ranges.get(str(MeasureKey(metric, of_class=name)), (0.0, 1.0)) for name in classes]
    low, high = mean_range(possible, weights)
    absent = len(classes) - len(of_classes)
    rest = f", whatever the {'other class has' if absent == 1 else 'other classes have'}" if absent else ""
    weighting = ", weighted by the images of each class" if contradiction.rule == "weighted mean" else ""
    other = ""
    if average == "f1:macro":
        other = " The F1 of macro precision and macro recall is another figure, which some authors call macro F1."
    return (
        f"{first}mean of the {label_of(metric)} of the classes{weighting}.",
        f"{values} With all figures {rounding}, their mean lies between {low:.4f} and {high:.4f}{rest}.{other}",
    )


def _losses(figure_set: FigureSet) -> Iterator[AuditFinding]:
    """Losses below the minimum for the errors: a class that is not predicted has at most half of the score."""
    accuracy = figure_set.of("accuracy")
    if accuracy is None:
        return
    errors = max(0.0, 1 - figure_range(accuracy, "either")[1])
    least = errors * _LEAST_ERROR
    row_loss = figure_set.row.loss
    for name in ("log_loss", "loss"):
        figure = figure_set.of(name)
        focal = name == "loss" and row_loss is not None and "focal" in row_loss.name
        if figure is not None and not focal and figure_range(figure, "either")[1] < least:
            yield figure_set.finding(
                "loss-too-low",
                "impossible",
                (cite(figure), cite(accuracy)),
                f"{capital(named(figure))} is too low for {named(accuracy)}.",
                "Each wrong answer costs at least ln 2 = 0.693 in cross-entropy, because the true class has at most "
                f"the score of the predicted one. With {errors:.1%} errors at least {least:.4f}.",
                (cite(figure),),
            )


def _of_matrix(matrix: PrintedClassMatrix, printed_keys: Collection[str]) -> Iterator[DerivedFigure]:
    """The figures of decisions of a printed matrix, with intervals by image: the usual ones, and those printed."""
    counts = np.array(matrix.matrix)
    if counts.sum() > _MOST_IMAGES:
        return
    count = len(matrix.classes)
    y_true, decided = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    scores = MulticlassScores("test", y_true, np.eye(count)[decided], matrix.classes, matrix.ordered)
    records = multiclass_metrics(matrix.classes, ordered=matrix.ordered)
    for key, figure in multiclass_figures(scores, decided.astype(np.int64)).items():
        usual = records[key].display != "detail" or key in printed_keys
        if figure.value is not None and records[key].uses_decisions and usual:
            yield DerivedFigure(key, figure.value, figure.value, figure.bounds, figure.method)


def _of_figures(row: Row, final: Sequence[PublishedFigure]) -> Iterator[DerivedFigure]:
    """Printed final test figures with the interval that follows from the size of the test set, where one does."""
    known = row.of_several.sizes if row.of_several is not None else None
    for figure in final:
        low, high = figure.value, figure.value if figure.upper is None else figure.upper
        if known is None:
            continue
        images = population(figure.key, known)
        if images is not None:
            interval = _proportion(figure_range(figure, "either"), images)
            yield DerivedFigure(figure.key, low, high, interval, None if interval is None else "Wilson")
        elif figure.metric == "auc" and figure.of_class is not None:
            positives = known[figure.of_class]
            others = sum(known.values()) - positives
            interval = printed_auc_interval(low, high, figure.decimals, positives, others)
            yield DerivedFigure(figure.key, low, high, interval, "Hanley-McNeil")
        elif figure.key in SAME[1] and (mean := _mean_of_recalls(figure, final, known)) is not None:
            yield DerivedFigure(figure.key, low, high, mean, "square-and-add")


def _proportion(bounds: Range, images: int) -> Range | None:
    """The interval that covers those of all proportions within bounds; None without one."""
    first, last = math.ceil(bounds[0] * images - 1e-9), math.floor(bounds[1] * images + 1e-9)
    if first > last:
        return None
    return wilson(max(0, first), images)[0], wilson(min(images, last), images)[1]


def _mean_of_recalls(
    figure: PublishedFigure, final: Sequence[PublishedFigure], known: Mapping[str, int]
) -> Range | None:
    """The interval of a mean of recalls, by square-and-add of the intervals of the classes (Zou and Donner 2008)."""
    recalls = {each.of_class: each for each in final if each.metric == "recall" and each.upper is None}
    squares = [0.0, 0.0]
    for name, images in known.items():
        interval = _proportion(figure_range(recalls[name], "either"), images) if name in recalls else None
        if interval is None:
            return None
        squares[0] += max(0.0, recalls[name].value - interval[0]) ** 2
        squares[1] += max(0.0, interval[1] - recalls[name].value) ** 2
    below, above = (math.sqrt(each) / len(known) for each in squares)
    return max(0.0, figure.value - below), min(1.0, (figure.upper or figure.value) + above)


def _within(matrix: PrintedClassMatrix, key: str, low: float, high: float) -> bool:
    of_class = MeasureKey.parse(key).of_class
    if of_class is not None and of_class not in matrix.classes:
        return False
    value = figure_of_matrix(matrix.matrix, matrix.classes, key)
    return value is None or low <= value <= high


def _value(matrix: PrintedClassMatrix, key: str) -> float:
    return figure_of_matrix(matrix.matrix, matrix.classes, key) or 0.0


def _other_f1(matrix: PrintedClassMatrix, figure_set: FigureSet, misfits: Sequence[str]) -> str:
    """A sentence where the printed macro F1 is the F1 of macro precision and macro recall."""
    if "f1:macro" not in misfits:
        return ""
    precision, recall = _value(matrix, "precision:macro"), _value(matrix, "recall:macro")
    value = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    low, high = figure_set.of_classes()["f1:macro"]
    if not low <= value <= high:
        return ""
    return f" The F1 of macro precision and macro recall, {value:.4f}, is what the row prints as macro F1."


def gives(matrix: PrintedClassMatrix, figure: PublishedFigure) -> bool | None:
    """Whether a matrix gives a printed figure, rounded or truncated; None where it does not determine it."""
    if figure.of_class is not None and figure.of_class not in matrix.classes:
        return False
    value = figure_of_matrix(matrix.matrix, matrix.classes, figure.key)
    low, high = figure_range(figure, "either")
    return None if value is None else low <= value <= high


def shape(matrix: PrintedClassMatrix) -> str:
    """A matrix in words: its size and how many images it has right."""
    count = len(matrix.classes)
    images, right = sum(matrix.sizes.values()), sum(matrix.matrix[i][i] for i in range(count))
    return f"matrix of {count} x {count} ({right} of {images} right)"

"""Checks of printed confusion matrices, test sets and sample sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmark.evidence.diagnosis.diagnoses import ONE_CLASS_SHARE
from benchmark.evidence.metrics.printed import is_count, printed_label
from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.feasible import (
    feasible_sizes,
    fits,
    majority_prediction_share,
    metric_of,
)
from reports.audit.decisions import ROUNDINGS, FeasibleMatrices, find_matrices
from reports.audit.figures import AuditFinding, Citation, FigureSet, cite, counts, figure_range, printed, sizes
from reports.audit.sources import images_between
from reports.claims.model import Claims, PrintedMatrix, TestSet
from reports.text import capital, listed, plural

_ONE_CLASS = {"single-class-collapse", "one-class-threshold"}
_LARGEST_SET = 10_000


def which_test(
    figure_set: FigureSet, feasible: FeasibleMatrices | None, others: Sequence[TestSet]
) -> Iterator[AuditFinding]:
    """Which of several declared test sets the figures fit.

    Args:
        figure_set: The final test figures of a row.
        feasible: The matrices of the row's stated test set; None where it states none.
        others: The further test sets that the source declares.

    Yields:
        One finding; none where fewer than two test sets are declared or no test set fits.
    """
    tests = [find_matrices(figure_set, test) for test in others]
    if feasible is not None:
        tests = [feasible, *(each for each in tests if sizes(each.test) != sizes(feasible.test))]
    metrics = tuple(figure_set.decisions())
    if not metrics or len(tests) < 2 or any(each.too_many for each in tests):
        return
    fitting, failing = [each for each in tests if each.possible], [each for each in tests if not each.possible]
    if not fitting:
        return
    fit, fail = (listed([sizes(each.test) for each in part]) if part else "" for part in (fitting, failing))
    if not failing:
        statement = f"The row fits the test sets of {fit}: its figures do not identify the test set."
    elif feasible in failing:
        statement = f"The row fits the test set of {fit}, not its stated test set of {fail}."
    else:
        statement = f"The row fits the test set of {fit}, not the test set of {fail}."
    yield figure_set.finding(
        "test-size",
        "contradiction" if feasible in failing else "note",
        (
            *figure_set.cited(metrics),
            *(Citation(f"test set of {sizes(each.test)}", each.test.location) for each in tests),
        ),
        statement,
        f"{'; '.join(f'{sizes(each.test)}: {_fit_text(each)}' for each in tests)}.",
    )


def tests_not_judged(figure_set: FigureSet, others: Sequence[TestSet]) -> Iterator[AuditFinding]:
    """A note that further test sets are not tried for figures of three classes or more.

    Args:
        figure_set: The final test figures of a row about three classes or more.
        others: The further test sets that the source declares.

    Yields:
        One finding if there are such test sets.
    """
    if others:
        yield figure_set.finding(
            "test-size",
            "note",
            tuple(Citation(f"test set of {sizes(each)}", each.location) for each in others),
            "Which of the declared test sets the row fits cannot be judged: `other_tests` is for two classes only.",
            "The row is about three classes or more.",
        )


def sample_sizes(figure_sets: Sequence[FigureSet]) -> Iterator[AuditFinding]:
    """The smallest sample that gives the accuracies of a split, printed at several moments of training."""
    cited = [
        cite(figure)
        for figure_set in figure_sets
        for figure in figure_set.figures
        if figure.metric == "accuracy" and figure.upper is None
    ]
    figures = [each.figure for each in cited if each.figure]
    fit = feasible_sizes([figure_range(figure) for figure in figures], _LARGEST_SET) if figures else ()
    if not fit or fit[0] == 1:
        return
    shares = listed([f"{round(figure.value * fit[0])}/{fit[0]}" for figure in figures])
    more = f"; the next denominators are {listed([str(size) for size in fit[1:4]])}" if len(fit) > 1 else ""
    yield figure_sets[0].finding(
        "sample-size",
        "note",
        cited,
        f"{capital(listed([each.text for each in cited]))} {'are' if len(cited) > 1 else 'is'} based on at least "
        f"{fit[0]} images" + (", if on the same ones." if len(cited) > 1 else "."),
        f"The smallest denominator that fits gives {shares}{more}.",
    )


def printed_matrix(
    matrix: PrintedMatrix, rows: Mapping[str, FigureSet], feasible: Mapping[str, FeasibleMatrices]
) -> Iterator[AuditFinding]:
    """Checks a printed matrix against its row and, where it does not fit, against every other row.

    Args:
        matrix: The printed matrix.
        rows: The final test figures by row, of the rows that have some.
        feasible: The feasible matrices by row, of the rows whose test set is known.

    Yields:
        Contradictions.
    """
    confusion = confusion_of(matrix)
    cited = Citation(counts(matrix), matrix.location)
    reoriented = _other_orientation(matrix, rows.get(matrix.row), feasible.get(matrix.row))
    if reoriented is not None:
        yield reoriented
        return
    negatives, positives = confusion.tn + confusion.fp, confusion.tp + confusion.fn
    test = feasible[matrix.row].test if matrix.row in feasible else None
    if test is not None and (test.negatives, test.positives) != (negatives, positives):
        yield AuditFinding(
            "matrix-size",
            "contradiction",
            matrix.row,
            None,
            (cited, Citation(f"test set of {sizes(test)}", test.location)),
            f"The printed matrix has {negatives} + {positives} images, the test set of its row {sizes(test)}.",
            "FP and TN are the negatives, FN and TP the positives.",
        )
    figure_set = rows.get(matrix.row)
    misfits = misfits_of(confusion, figure_set)
    if figure_set is None or not misfits:
        return
    gives = listed([_figure_of(confusion, name) for name in misfits])
    row_prints = listed([printed(each.figure) for each in figure_set.cited(misfits) if each.figure])
    yield figure_set.finding(
        "matrix-not-of-row",
        "contradiction",
        (cited, *figure_set.cited(misfits)),
        f"The printed matrix ({counts(matrix)}) does not give the figures of this row.",
        f"It gives {gives}; the row prints {row_prints}.{_images_apart(matrix, feasible.get(matrix.row))}",
    )
    for name, other in rows.items():
        metrics = tuple(other.decisions())
        if name != matrix.row and len(metrics) > 1 and not misfits_of(confusion, other):
            only = name in feasible and feasible[name].possible == (confusion,)
            belongs = f"is that of {name}: no other matrix gives that row" if only else f"gives the figures of {name}"
            yield figure_set.finding(
                "matrix-of-other-row",
                "contradiction",
                (cited, *other.cited(metrics)),
                f"The printed matrix {belongs}.",
                f"It gives {listed([each.text for each in other.cited(metrics)])}, as printed for {name}.",
            )


def _figure_of(matrix: Confusion, name: str) -> str:
    return f"{printed_label(name)} {metric_of(matrix, name):.{0 if is_count(name) else 4}f}"


def _images_apart(matrix: PrintedMatrix, feasible: FeasibleMatrices | None) -> str:
    """By how many images a printed matrix differs from the matrices of its row, as a sentence; empty if unknown."""
    confusion = confusion_of(matrix)
    images = None if feasible is None else images_between(feasible.likely, confusion)
    if images is None or feasible is None:
        return ""
    errors = sorted({each.fp + each.fn for each in feasible.likely})
    of_row = str(errors[0]) if len(errors) == 1 else f"{errors[0]} to {errors[-1]}"
    return (
        f" The two differ by at least {plural(images, 'image')}: the matrix has {confusion.fp + confusion.fn} errors, "
        f"the figures of the row {of_row}."
    )


def _other_orientation(
    matrix: PrintedMatrix, figure_set: FigureSet | None, feasible: FeasibleMatrices | None
) -> AuditFinding | None:
    """A finding where a printed matrix fits its row only if it is transposed or if its classes are swapped."""
    printed = confusion_of(matrix)
    test = None if feasible is None else feasible.test
    if _agrees(printed, figure_set, test):
        return None
    tp, fp, tn, fn = printed.tp, printed.fp, printed.tn, printed.fn
    orientations = {
        "transposed, with the predicted classes as rows": Confusion(tp, fn, tn, fp),
        "with the other class as positive": Confusion(tn, fn, tp, fp),
        "transposed, and with the other class as positive": Confusion(tn, fp, tp, fn),
    }
    fitting = {words: each for words, each in orientations.items() if _agrees(each, figure_set, test)}
    if not fitting:
        return None
    words, true = next(iter(fitting.items()))
    cited = [Citation(counts(matrix), matrix.location)]
    cited += figure_set.cited(tuple(figure_set.decisions())) if figure_set is not None else ()
    cited += [Citation(f"test set of {sizes(test)}", test.location)] if test is not None else ()
    return AuditFinding(
        "matrix-would-fit",
        "ambiguous",
        matrix.row,
        None,
        tuple(cited),
        f"The printed matrix does not fit its row as stated. It would fit {words}: {counts(true)}.",
        "In this orientation it has the class sizes of the test set and gives every printed figure."
        if figure_set is not None and test is not None
        else "In this orientation it agrees with what is printed about the row.",
        would_fit=(words,),
    )


def _agrees(matrix: Confusion, figure_set: FigureSet | None, test: TestSet | None) -> bool:
    """Whether a matrix has the class sizes of a test set and gives the figures of a row, where these are stated."""
    of_matrix = matrix.tn + matrix.fp, matrix.tp + matrix.fn
    return (test is None or of_matrix == (test.negatives, test.positives)) and not misfits_of(matrix, figure_set)


def misfits_of(matrix: Confusion, figure_set: FigureSet | None) -> list[str]:
    """The printed figures that a matrix does not give, with the rule of rounding that leaves fewest."""
    if figure_set is None:
        return []
    misfits = [
        [name for name, bounds in figure_set.decisions(rounding).items() if not fits(matrix, {name: bounds})]
        for rounding in ROUNDINGS
    ]
    return min(misfits, key=len)


def one_class(
    claims: Claims, figure_set: FigureSet, feasible: FeasibleMatrices, others: Sequence[TestSet]
) -> Iterator[AuditFinding]:
    """The largest number of equal decisions, where the report says that all were the same.

    Args:
        claims: The claims, with the statements of the report.
        figure_set: The final test figures of a row.
        feasible: The matrices of the row's stated test set.
        others: The further test sets that the source declares.

    Yields:
        A contradiction where too few decisions can be equal for the diagnosis, else a note.
    """
    citations = [
        Citation(statement.text, statement.location)
        for statement in claims.statements
        for form in statement.assertion.necessary()
        if form.diagnosis is not None
        and form.diagnosis.card == figure_set.row.card
        and set(form.diagnosis.finding) <= _ONE_CLASS
    ]
    largest = _largest_class(feasible)
    n = feasible.test.negatives + feasible.test.positives
    if not citations or largest is None or largest == n:
        return
    few = largest < ONE_CLASS_SHARE * n
    elsewhere = [
        f"on {sizes(test)} up to {most} of {test.negatives + test.positives} can"
        for test in others
        if (most := _largest_class(find_matrices(figure_set, test))) is not None
    ]
    yield figure_set.finding(
        "one-class",
        "contradiction" if few else "note",
        (*figure_set.cited(tuple(figure_set.decisions())), *citations),
        f"The decisions were not {'' if few else 'quite '}all the same: at most {largest} of {n} test images can have "
        "been called the same class.",
        f"If all decisions are the same, accuracy is {'; '.join(map(_constant_accuracy, (feasible.test, *others)))}"
        + (f". {capital('; '.join(elsewhere))}." if elsewhere else "."),
    )


def confusion_of(matrix: PrintedMatrix) -> Confusion:
    """The counts of a printed matrix."""
    return Confusion(tp=matrix.tp, fp=matrix.fp, tn=matrix.tn, fn=matrix.fn)


def _largest_class(feasible: FeasibleMatrices) -> int | None:
    """The largest number of images that can have been called one class; None where no matrix is known."""
    n = feasible.test.negatives + feasible.test.positives
    return round(max(map(majority_prediction_share, feasible.possible)) * n) if feasible.possible else None


def _constant_accuracy(test: TestSet) -> str:
    n = test.negatives + test.positives
    values = sorted({test.negatives / n, test.positives / n}, reverse=True)
    return f"{' or '.join(f'{value:.4f}' for value in values)} on {sizes(test)}"


def _fit_text(feasible: FeasibleMatrices) -> str:
    if not feasible.possible:
        return "no confusion matrix fits"
    n = feasible.test.negatives + feasible.test.positives
    correct = sorted({matrix.tp + matrix.tn for matrix in feasible.likely})
    span = str(correct[0]) if len(correct) == 1 else f"{correct[0]} to {correct[-1]}"
    many = f"{len(feasible.likely)} confusion matrices fit" if len(feasible.likely) > 1 else "1 confusion matrix fits"
    return f"{many}, {span} of {n} correct"

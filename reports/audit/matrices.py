"""Checks of confusion matrices and test sets: whose matrix is printed, which images can the figures count over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmark.evidence.diagnosis.causes import ONE_CLASS_SHARE
from benchmark.evidence.metrics.definitions import Confusion, label_of
from benchmark.evidence.published.feasible import feasible_sizes, fits, majority_prediction_share, metric_of
from reports.audit.decisions import Matrices, matrices_of
from reports.audit.figures import AuditFinding, Cited, Group, cite, counts, figure_range, printed, sizes
from reports.claims.model import Claims, PrintedMatrix, TestSet
from reports.text import capital, listed

_ONE_CLASS = {"single-class-collapse", "one-class-threshold"}
_LARGEST_SET = 10_000


def which_test(group: Group, own: Matrices | None, others: Sequence[TestSet]) -> Iterator[AuditFinding]:
    """Which of the declared test sets the row fits, where there are several."""
    tests = [matrices_of(group, test) for test in others]
    tests = [*([own] if own else []), *(each for each in tests if own is None or sizes(each.test) != sizes(own.test))]
    metrics = tuple(group.decisions())
    if not metrics or len(tests) < 2 or any(each.too_many for each in tests):
        return
    fitting, failing = [each for each in tests if each.possible], [each for each in tests if not each.possible]
    if not fitting:
        return
    fit, fail = (listed([sizes(each.test) for each in part]) if part else "" for part in (fitting, failing))
    if not failing:
        statement = f"The row fits the test sets of {fit} alike: its figures do not say which it is."
    elif own in failing:
        statement = f"The row fits the test set of {fit}, not its own of {fail}."
    else:
        statement = f"The row fits the test set of {fit} and not that of {fail}."
    yield group.finding(
        "test-size",
        "contradiction" if own in failing else "note",
        (*group.cited(metrics), *(Cited(f"test set of {sizes(each.test)}", each.test.where) for each in tests)),
        statement,
        f"{'; '.join(f'{sizes(each.test)}: {_how_it_fits(each)}' for each in tests)}.",
    )


def sample_sizes(together: Sequence[Group]) -> Iterator[AuditFinding]:
    """The fewest images that the accuracies of a row's split, printed at several moments, can count over."""
    cited = [
        cite(figure)
        for group in together
        for figure in group.figures
        if figure.metric == "accuracy" and figure.upper is None
    ]
    figures = [each.figure for each in cited if each.figure]
    fit = feasible_sizes([figure_range(figure) for figure in figures], _LARGEST_SET) if figures else ()
    if not fit or fit[0] == 1:
        return
    shares = listed([f"{round(figure.value * fit[0])}/{fit[0]}" for figure in figures])
    more = f"; the next numbers that fit are {listed([str(size) for size in fit[1:4]])}" if len(fit) > 1 else ""
    yield together[0].finding(
        "sample-size",
        "note",
        cited,
        f"{capital(listed([each.text for each in cited]))} {'count' if len(cited) > 1 else 'counts'} over at least "
        f"{fit[0]} images" + (", if over the same." if len(cited) > 1 else "."),
        f"{shares} {'are' if len(cited) > 1 else 'is'} the coarsest fit{more}.",
    )


def printed_matrix(
    matrix: PrintedMatrix, rows: Mapping[str, Group], found: Mapping[str, Matrices]
) -> Iterator[AuditFinding]:
    """A printed matrix against its own row and, where it does not fit, against every other row.

    `rows` holds the final test figures of each row that has some, `found` the matrices of each whose test set is known.
    """
    counted = confusion_of(matrix)
    cited = Cited(counts(matrix), matrix.where)
    negatives, positives = counted.tn + counted.fp, counted.tp + counted.fn
    test = found[matrix.row].test if matrix.row in found else None
    if test is not None and (test.negatives, test.positives) != (negatives, positives):
        yield AuditFinding(
            "matrix-size",
            "contradiction",
            matrix.row,
            None,
            (cited, Cited(f"test set of {sizes(test)}", test.where)),
            f"The printed matrix counts {negatives} + {positives} images, its row {sizes(test)}.",
            "FP and TN are the negatives, FN and TP the positives.",
        )
    group = rows.get(matrix.row)
    ranges = group.decisions(cut=True) if group else {}
    misfits = [name for name, bounds in ranges.items() if not fits(counted, {name: bounds})]
    if group is None or not misfits:
        return
    gives = listed([f"{label_of(name)} {metric_of(counted, name):.4f}" for name in misfits])
    shown = listed([printed(each.figure) for each in group.cited(misfits) if each.figure])
    yield group.finding(
        "matrix-not-of-row",
        "contradiction",
        (cited, *group.cited(misfits)),
        f"The printed matrix ({counts(matrix)}) is not that of this row.",
        f"It gives {gives}; printed are {shown}.",
    )
    for name, other in rows.items():
        metrics = tuple(other.decisions())
        if name != matrix.row and len(metrics) > 1 and fits(counted, other.decisions()):
            only = name in found and found[name].possible == (counted,)
            how = "no other prints that row" if only else "as far as that row is printed"
            yield group.finding(
                "matrix-of-other-row",
                "contradiction",
                (cited, *other.cited(metrics)),
                f"The printed matrix is that of {name}: {how}.",
                f"It gives {listed([each.text for each in other.cited(metrics)])}, as printed for {name}.",
            )


def one_class(claims: Claims, group: Group, own: Matrices, others: Sequence[TestSet]) -> Iterator[AuditFinding]:
    """How many images can have been called alike, where the report says that all were."""
    said = [
        Cited(statement.text, statement.where)
        for statement in claims.statements
        for form in statement.says.asserted()
        if form.diagnosis is not None
        and form.diagnosis.card == group.row.card
        and set(form.diagnosis.finding) <= _ONE_CLASS
    ]
    alike = _most_alike(own)
    n = own.test.negatives + own.test.positives
    if not said or alike is None or alike == n:
        return
    few = alike < ONE_CLASS_SHARE * n
    elsewhere = [
        f"on {sizes(test)} up to {most} of {test.negatives + test.positives} could"
        for test in others
        if (most := _most_alike(matrices_of(group, test))) is not None
    ]
    yield group.finding(
        "one-class",
        "contradiction" if few else "note",
        (*group.cited(tuple(group.decisions())), *said),
        f"{'Not' if few else 'Not quite'} one answer for every image: at most {alike} of {n} test images were called "
        "alike.",
        f"One answer for every image has accuracy {'; '.join(map(_one_answer, (own.test, *others)))}"
        + (f". {capital('; '.join(elsewhere))}." if elsewhere else "."),
    )


def confusion_of(matrix: PrintedMatrix) -> Confusion:
    """The printed counts."""
    return Confusion(tp=matrix.tp, fp=matrix.fp, tn=matrix.tn, fn=matrix.fn)


def _most_alike(found: Matrices) -> int | None:
    n = found.test.negatives + found.test.positives
    return round(max(map(majority_prediction_share, found.possible)) * n) if found.possible else None


def _one_answer(test: TestSet) -> str:
    n = test.negatives + test.positives
    values = sorted({test.negatives / n, test.positives / n}, reverse=True)
    return f"{' or '.join(f'{value:.4f}' for value in values)} on {sizes(test)}"


def _how_it_fits(found: Matrices) -> str:
    if not found.possible:
        return "none prints it"
    n = found.test.negatives + found.test.positives
    right = sorted({matrix.tp + matrix.tn for matrix in found.likely})
    span = str(right[0]) if len(right) == 1 else f"{right[0]} to {right[-1]}"
    many = f"{len(found.likely)} confusion matrices print it" if len(found.likely) > 1 else "one prints it"
    return f"{many}, {span} of {n} right"

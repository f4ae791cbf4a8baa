"""Published figures against themselves: an Audit of one claims file, from what it declares and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmark.evidence.intervals.formulas import printed_auc_interval, wilson
from benchmark.evidence.metrics.definitions import Confusion, measures
from benchmark.evidence.published.feasible import Range
from reports.audit.decisions import Matrices, conflicts, matrices_of, out_of_reach, printed_twice, the_only_matrix
from reports.audit.figures import SEVERITIES, AuditFinding, Cited, Group, groups
from reports.audit.losses import losses
from reports.audit.matrices import confusion_of, one_class, printed_matrix, sample_sizes, which_test
from reports.claims.model import Claims, Interpretation, PrintedMatrix, Row, TestSet
from reports.text import capital, listed
from zoo.models.card import PublishedFigure


@dataclass(frozen=True)
class Derived:
    """A metric of a row over all the matrices that print it: its least and largest value, and the ends of its 95%
    intervals, the outermost where there are several matrices; None where no method is at hand."""

    metric: str
    low: float
    high: float
    interval: Range | None
    method: str | None


@dataclass(frozen=True)
class AuditRow:
    """A row of the claims: the confusion matrices that print its final test figures, and what follows from them.

    `matrices` print the figures rounded, `cut` are the further ones that print them where decimals were dropped
    instead; `derived` is of the first, or of the second where there are none. Both are None, with `reason`, where they
    cannot be listed, and empty when none prints the row.
    """

    name: str
    called: str | None
    test: TestSet | None
    matrices: tuple[Confusion, ...] | None
    cut: tuple[Confusion, ...] | None
    reason: str | None
    derived: tuple[Derived, ...]


@dataclass(frozen=True)
class Audit:
    """The findings of one claims file, the gravest first, and its rows."""

    name: str
    title: str
    findings: tuple[AuditFinding, ...]
    rows: tuple[AuditRow, ...]

    def ruled_out(self, row: str, figure: PublishedFigure) -> AuditFinding | None:
        """The first finding by which a printed figure of a row is impossible."""
        return next((f for f in self.findings if f.row == row and f.reading is None and figure in f.rules_out), None)


def audit(claims: Claims) -> Audit:
    """Everything that the printed figures of `claims`, as `load_claims` gives them, say about themselves."""
    findings: list[AuditFinding] = []
    final: dict[str, Group] = {}
    found: dict[str, Matrices] = {}
    printed = {matrix.row: matrix for matrix in claims.matrices}
    for row in claims.rows:
        together = list(groups(row))
        for group in together:
            own = _matrices(group, row.test)
            if _is_final(group) and group.decisions():
                final[row.name] = group
                if own is not None:
                    found[row.name] = own
                findings += which_test(group, own, claims.source.other_tests)
                findings += one_class(claims, group, own, claims.source.other_tests) if own else ()
                findings += the_only_matrix(group, own) if own else ()
            findings += _of_group(group, own)
        for split in dict.fromkeys(group.split for group in together):
            if split != "test" or row.test is None:
                findings += sample_sizes([group for group in together if group.split == split])
        if row.name in printed and row.name not in final:
            found[row.name] = _of_printed(row, printed[row.name])
    rows = {row.name: row for row in claims.rows}
    for reading in claims.interpretations:
        findings += _of_reading(rows[reading.row], reading)
    for matrix in claims.matrices:
        findings += printed_matrix(matrix, final, found)
    findings += _contradictory_settings(claims)
    findings += _same_names(claims)
    order = {row.name: place for place, row in enumerate(claims.rows)}
    findings.sort(key=lambda finding: (SEVERITIES.index(finding.severity), order[finding.row]))
    return Audit(
        claims.name, claims.title, tuple(findings), tuple(_row(row, found.get(row.name)) for row in claims.rows)
    )


def audit_row(row: Row, matrix: PrintedMatrix | None = None) -> AuditRow:
    """What follows from the final test figures of a row, or from its printed `matrix` where it has none."""
    final = [group for group in groups(row) if _is_final(group) and group.decisions()]
    if final:
        return _row(row, _matrices(final[-1], row.test))
    return _row(row, None if matrix is None else _of_printed(row, matrix))


def _of_printed(row: Row, matrix: PrintedMatrix) -> Matrices:
    test = TestSet(negatives=matrix.tn + matrix.fp, positives=matrix.tp + matrix.fn, location=matrix.location)
    return Matrices(row.test or test, (confusion_of(matrix),))


def _is_final(group: Group) -> bool:
    return group.split == "test" and all(figure.epoch is None for figure in group.figures)


def _matrices(group: Group, test: TestSet | None) -> Matrices | None:
    """Those of the row's test set; None for another split, whose sizes are not known, and without a test set."""
    return matrices_of(group, test) if group.split == "test" and test is not None and group.decisions() else None


def _of_group(group: Group, own: Matrices | None) -> Iterator[AuditFinding]:
    yield from printed_twice(group)
    yield from conflicts(group, own)
    if own is not None:
        yield from out_of_reach(group, own)
    yield from losses(group, own, group.row.test if _is_final(group) else None)


def _of_reading(row: Row, reading: Interpretation) -> Iterator[AuditFinding]:
    """What is found because the sentence is read so: findings that rest on a figure of the reading."""
    for group in groups(row, reading):
        for finding in _of_group(group, _matrices(group, row.test)):
            rests_on_it = any(cited.figure in reading.figures for cited in finding.rests_on)
            if rests_on_it and finding.severity != "note":
                yield finding


def _contradictory_settings(claims: Claims) -> Iterator[AuditFinding]:
    placed = list(dict.fromkeys((setting.row, setting.setting) for setting in claims.settings))
    for row, name in placed:
        stated = [setting for setting in claims.settings if (setting.row, setting.setting) == (row, name)]
        values = list(dict.fromkeys(setting.value for setting in stated))
        if len(values) > 1:
            yield AuditFinding(
                "settings",
                "contradiction",
                row,
                None,
                tuple(Cited(f"{name} {setting.value}", setting.location) for setting in stated),
                f"{capital(name)} is stated as {listed([str(value) for value in values])}.",
                "One model has one of them.",
            )


def _same_names(claims: Claims) -> Iterator[AuditFinding]:
    for called in dict.fromkeys(row.alias for row in claims.rows if row.alias):
        rows = [row.name for row in claims.rows if row.alias == called]
        if len(rows) > 1:
            yield AuditFinding(
                "same-name",
                "contradiction",
                rows[0],
                None,
                (Cited(called, claims.source.report),),
                f"{len(rows)} rows are called {called}: {listed(rows)}.",
                "A sentence about that name may be about any of them.",
            )


def _row(row: Row, found: Matrices | None) -> AuditRow:
    reason = None
    if found is None:
        reason = "its test set is not stated" if row.test is None else "no figure of decisions on test"
    elif found.too_many:
        reason = "too many confusion matrices to list"
    test, known = found.test if found else row.test, found is not None and not found.too_many
    return AuditRow(
        name=row.name,
        called=row.alias,
        test=test,
        matrices=found.rounded if found and known else None,
        cut=found.cut if found and known else None,
        reason=reason,
        derived=(*_derived(found.likely if found else ()), *_area(row, test)),
    )


def _derived(matrices: Sequence[Confusion]) -> Iterator[Derived]:
    for name, metric in measures(lambda metric: metric.uses_threshold).items():
        values = [metric.of_decisions(matrix) for matrix in matrices] if metric.of_decisions else []
        known = [value for value in values if value is not None]
        if not known:
            continue
        proportion = metric.ratio if metric.scale == "Wilson" else None
        counted = {proportion.sums(matrix) for matrix in matrices} if proportion is not None else set()
        bounds = [wilson(successes, n) for successes, n in counted if n]
        interval = (min(low for low, _ in bounds), max(high for _, high in bounds)) if bounds else None
        yield Derived(name, min(known), max(known), interval, "Wilson" if bounds else None)


def _area(row: Row, test: TestSet | None) -> Iterator[Derived]:
    """The printed final AUC with its interval."""
    figure = next((f for f in row.figures if f.metric == "auc" and f.split == "test" and f.epoch is None), None)
    if figure is None:
        return
    low, high = figure.value, figure.value if figure.upper is None else figure.upper
    if test is None:
        yield Derived("auc", low, high, None, None)
        return
    interval = printed_auc_interval(low, high, figure.decimals, test.positives, test.negatives)
    yield Derived("auc", low, high, interval, "Hanley-McNeil")

"""The audit of a claims file: consistency checks of its printed figures, without any measurement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmark.evidence.intervals.formulas import printed_auc_interval, wilson
from benchmark.evidence.metrics.registry import Confusion, measures
from reports.audit.alternatives import all_cut, no_other_meaning, other_meanings
from reports.audit.averaged import averaged_figures, averaged_findings
from reports.audit.decisions import (
    FeasibleMatrices,
    conflicts,
    find_matrices,
    out_of_reach,
    printed_twice,
    the_only_matrix,
)
from reports.audit.figures import SEVERITIES, AuditFinding, Citation, FigureSet, figure_sets
from reports.audit.figures import AuditRow as AuditRow
from reports.audit.figures import DerivedFigure as DerivedFigure
from reports.audit.losses import losses
from reports.audit.matrices import (
    confusion_of,
    misfits_of,
    one_class,
    printed_matrix,
    sample_sizes,
    tests_not_judged,
    which_test,
)
from reports.audit.misprints import EXPLAINED, misprint
from reports.audit.multiclass import class_row, class_set_findings, printed_class_matrix
from reports.audit.outcome import AMBIGUOUS, with_outcome
from reports.audit.rates import area_of_decisions, implied_test_set
from reports.audit.sentences import sentence_findings
from reports.audit.sources import Sources, different_sources
from reports.audit.uncertainty import uncertainty_findings
from reports.claims.model import Claims, Interpretation, PrintedMatrix, Row, TestSet
from reports.claims.printed import AnyMatrix, PrintedClassMatrix
from reports.text import capital, listed
from zoo.models.published import PublishedFigure


@dataclass(frozen=True)
class Audit:
    """The findings of one claims file, the most severe first, and its rows."""

    name: str
    title: str
    findings: tuple[AuditFinding, ...]
    rows: tuple[AuditRow, ...]

    def ruled_out(self, row: str, figure: PublishedFigure) -> AuditFinding | None:
        """The first finding that rules out a printed figure of a row; None where none does."""
        return next((f for f in self.findings if f.row == row and f.reading is None and figure in f.rules_out), None)

    def fits_otherwise(self, row: str, figure: PublishedFigure) -> AuditFinding | None:
        """The finding that a figure of a row fits only with a meaning that the row does not state; None without one."""
        return next(
            (
                finding
                for finding in self.findings
                if (finding.row, finding.reading, finding.severity) == (row, None, "ambiguous")
                and finding.kind in AMBIGUOUS
                and any(cited.figure == figure for cited in finding.rests_on)
            ),
            None,
        )


def audit(claims: Claims) -> Audit:
    """Checks the printed figures of `claims` against each other."""
    findings: list[AuditFinding] = []
    final: dict[str, FigureSet] = {}
    feasible: dict[str, FeasibleMatrices] = {}
    printed = {matrix.row: matrix for matrix in claims.matrices if isinstance(matrix, PrintedMatrix)}
    class_matrices = {matrix.row: matrix for matrix in claims.matrices if isinstance(matrix, PrintedClassMatrix)}
    for row in claims.rows:
        row_sets = list(figure_sets(row))
        if _has_several(row, class_matrices):
            for figure_set in row_sets:
                findings += class_set_findings(figure_set, class_matrices.get(row.name))
                if _is_final(figure_set):
                    final[row.name] = figure_set
                    findings += tests_not_judged(figure_set, claims.source.other_tests)
            findings += _all_sample_sizes(row, row_sets)
            continue
        for figure_set in row_sets:
            matrices = _matrices(figure_set, printed.get(row.name))
            if _is_final(figure_set) and figure_set.decisions() and row.repeats is None:
                final[row.name] = figure_set
                sources = _sources(figure_set, matrices, printed.get(row.name))
                if sources is not None:
                    findings += printed_twice(figure_set)
                    figure_set, matrices = sources.main, sources.feasible
                    findings.append(sources.finding)
                if matrices is not None:
                    feasible[row.name] = matrices
                findings += which_test(figure_set, matrices, claims.source.other_tests)
                findings += one_class(claims, figure_set, matrices, claims.source.other_tests) if matrices else ()
                findings += the_only_matrix(figure_set, matrices) if matrices else ()
                findings += implied_test_set(figure_set) if matrices is None else ()
            findings += _check_set(figure_set, matrices)
        findings += _all_sample_sizes(row, row_sets)
        if row.name in printed and row.name not in final:
            feasible[row.name] = _printed_matrices(row, printed[row.name])
    rows = {row.name: row for row in claims.rows}
    for reading in claims.interpretations:
        findings += _check_reading(rows[reading.row], reading, class_matrices)
    of_several = {name: each for name, each in final.items() if _has_several(rows[name], class_matrices)}
    of_two = {name: each for name, each in final.items() if name not in of_several}
    for matrix in claims.matrices:
        if isinstance(matrix, PrintedClassMatrix):
            findings += printed_class_matrix(matrix, rows[matrix.row], of_several)
        else:
            findings += printed_matrix(matrix, of_two, feasible)
    matrices_of_rows = {matrix.row: matrix for matrix in claims.matrices}
    for name, figure_set in final.items():
        kinds = {finding.kind for finding in findings if finding.row == name and finding.reading is None}
        if kinds & set(EXPLAINED):
            findings += misprint(figure_set, matrices_of_rows.get(name), name in of_several)
    findings += _contradictory_settings(claims)
    findings += _same_names(claims)
    order = {row.name: index for index, row in enumerate(claims.rows)}
    audited = tuple(
        with_outcome(
            class_row(row, class_matrices.get(row.name))
            if _has_several(row, class_matrices)
            else _row(row, feasible.get(row.name)),
            row,
            findings,
        )
        for row in claims.rows
    )
    findings += sentence_findings(claims, {row.name: row for row in audited})
    findings.sort(key=lambda finding: (SEVERITIES.index(finding.severity), order[finding.row]))
    return Audit(claims.name, claims.title, tuple(findings), audited)


def audit_row(row: Row, matrix: AnyMatrix | None = None) -> AuditRow:
    """The audit of a single row: from its final test figures, or from its printed `matrix` where it has none."""
    if isinstance(matrix, PrintedClassMatrix) or row.is_multiclass:
        return class_row(row, matrix if isinstance(matrix, PrintedClassMatrix) else None)
    final = [figure_set for figure_set in figure_sets(row) if _is_final(figure_set) and figure_set.decisions()]
    if final:
        printed = matrix if isinstance(matrix, PrintedMatrix) else None
        return _row(row, None if row.repeats else _matrices(final[-1], printed))
    return _row(row, None if matrix is None else _printed_matrices(row, matrix))


def _printed_matrices(row: Row, matrix: PrintedMatrix) -> FeasibleMatrices:
    test = TestSet(negatives=matrix.tn + matrix.fp, positives=matrix.tp + matrix.fn, location=matrix.location)
    return FeasibleMatrices(row.of_two or test, (confusion_of(matrix),))


def _has_several(row: Row, class_matrices: Mapping[str, PrintedClassMatrix]) -> bool:
    """Whether a row is about three classes or more."""
    return row.is_multiclass or row.name in class_matrices


def _all_sample_sizes(row: Row, row_sets: Sequence[FigureSet]) -> Iterator[AuditFinding]:
    for split in dict.fromkeys(figure_set.split for figure_set in row_sets):
        if split != "test" or row.test is None:
            yield from sample_sizes([figure_set for figure_set in row_sets if figure_set.split == split])


def _is_final(figure_set: FigureSet) -> bool:
    return figure_set.split == "test" and all(figure.epoch is None for figure in figure_set.figures)


def _matrices(figure_set: FigureSet, printed: PrintedMatrix | None) -> FeasibleMatrices | None:
    """The matrices on the row's test set: the stated one, or that of a printed matrix which gives the figures.

    None without a test set, for means over folds or seeds, and for other splits, whose class sizes are not known.
    """
    row = figure_set.row
    if figure_set.split != "test" or not figure_set.decisions() or row.repeats is not None:
        return None
    if row.of_two is not None:
        return find_matrices(figure_set, row.of_two)
    if printed is None or not _is_final(figure_set) or misfits_of(confusion_of(printed), figure_set):
        return None
    test = _printed_matrices(row, printed).test
    return find_matrices(figure_set, test) if test.negatives and test.positives else None


def _sources(figure_set: FigureSet, feasible: FeasibleMatrices | None, printed: PrintedMatrix | None) -> Sources | None:
    if feasible is None or feasible.too_many or (feasible.possible and not any(printed_twice(figure_set))):
        return None
    return different_sources(figure_set, feasible.test, printed)


def _check_set(figure_set: FigureSet, feasible: FeasibleMatrices | None) -> Iterator[AuditFinding]:
    test = figure_set.row.of_two if figure_set.split == "test" else None
    yield from printed_twice(figure_set)
    if figure_set.row.repeats is not None:
        yield from averaged_findings(figure_set, test) if test is not None and figure_set.decisions() else ()
    else:
        yield from _as_one_matrix(figure_set, feasible)
    if _is_final(figure_set):
        yield from area_of_decisions(figure_set, feasible)
    yield from uncertainty_findings(figure_set, test if feasible is None else feasible.test)
    yield from losses(figure_set, feasible, test if _is_final(figure_set) else None)


def _as_one_matrix(figure_set: FigureSet, feasible: FeasibleMatrices | None) -> Iterator[AuditFinding]:
    """Figures that no confusion matrix gives, unless they fit with another honest meaning."""
    impossible = [*conflicts(figure_set, feasible)]
    if feasible is not None:
        impossible += out_of_reach(figure_set, feasible)
    other = other_meanings(figure_set, feasible, impossible) if impossible else all_cut(figure_set, feasible)
    if other is not None:
        yield other
    elif impossible:
        yield no_other_meaning(impossible[0], figure_set, feasible)
        yield from impossible[1:]


def _check_reading(
    row: Row, reading: Interpretation, class_matrices: Mapping[str, PrintedClassMatrix]
) -> Iterator[AuditFinding]:
    """Findings that rest on a figure of an interpretation; notes are left out."""
    for figure_set in figure_sets(row, reading):
        several = _has_several(row, class_matrices)
        checked = (
            class_set_findings(figure_set, class_matrices.get(row.name))
            if several
            else _check_set(figure_set, _matrices(figure_set, None))
        )
        for finding in checked:
            rests_on_it = any(cited.figure in reading.figures for cited in finding.rests_on)
            if rests_on_it and finding.severity != "note":
                yield finding


def _contradictory_settings(claims: Claims) -> Iterator[AuditFinding]:
    stated_for = list(dict.fromkeys((setting.row, setting.setting) for setting in claims.settings))
    for row, name in stated_for:
        stated = [setting for setting in claims.settings if (setting.row, setting.setting) == (row, name)]
        values = list(dict.fromkeys(setting.value for setting in stated))
        if len(values) > 1:
            yield AuditFinding(
                "settings",
                "contradiction",
                row,
                None,
                tuple(Citation(f"{name} {setting.value}", setting.location) for setting in stated),
                f"{capital(name)} is stated as {listed([str(value) for value in values])}.",
                "A model can have only one of them.",
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
                (Citation(called, claims.source.report),),
                f"{len(rows)} rows are called {called}: {listed(rows)}.",
                "A sentence about that name may be about any of them.",
            )


def _row(row: Row, feasible: FeasibleMatrices | None) -> AuditRow:
    reason = None
    averaged = () if row.repeats is None or row.of_two is None else tuple(averaged_figures(row, row.of_two))
    if feasible is None and row.repeats is not None:
        reason = f"means over {row.repeats[1]} {row.repeats[0]} come from no single confusion matrix"
    elif feasible is None:
        reason = "its test set is not stated" if row.test is None else "no test figure depends on a threshold"
    elif feasible.too_many:
        reason = "too many confusion matrices to list"
    test, known = feasible.test if feasible else row.of_two, feasible is not None and not feasible.too_many
    return AuditRow(
        name=row.name,
        called=row.alias,
        test=test,
        matrices=feasible.rounded if feasible and known else None,
        cut=feasible.cut if feasible and known else None,
        reason=reason,
        derived=(*averaged, *_derived(feasible.likely if feasible else ()), *_area(row, test)),
    )


def _derived(matrices: Sequence[Confusion]) -> Iterator[DerivedFigure]:
    for name, metric in measures(lambda metric: metric.uses_threshold).items():
        values = [metric.evaluate(None, matrix)[0] for matrix in matrices]
        known = [value for value in values if value is not None]
        if not known:
            continue
        proportion = metric.ratio if metric.scale == "Wilson" else None
        ratios = {proportion.sums(matrix) for matrix in matrices} if proportion is not None else set()
        bounds = [wilson(successes, n) for successes, n in ratios if n]
        interval = (min(low for low, _ in bounds), max(high for _, high in bounds)) if bounds else None
        yield DerivedFigure(name, min(known), max(known), interval, "Wilson" if bounds else None)


def _area(row: Row, test: TestSet | None) -> Iterator[DerivedFigure]:
    """The printed final AUC with its interval (Hanley and McNeil 1982)."""
    figure = next((f for f in row.figures if f.metric == "auc" and f.split == "test" and f.epoch is None), None)
    if figure is None:
        return
    low, high = figure.value, figure.value if figure.upper is None else figure.upper
    if test is None:
        yield DerivedFigure("auc", low, high, None, None)
        return
    interval = printed_auc_interval(low, high, figure.decimals, test.positives, test.negatives)
    yield DerivedFigure("auc", low, high, interval, "Hanley-McNeil")

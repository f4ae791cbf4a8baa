"""What a claims file prints or implies about the figure of a sentence: its values, its interval and its count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.evidence.intervals.formulas import hanley_mcneil, wilson
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.printed import (
    averaged,
    has_average,
    is_count,
    is_of_counts,
    of_other_class,
    printed_label,
    ratio_of,
)
from benchmark.evidence.metrics.registry import Confusion, find_metric
from benchmark.evidence.published.feasible import Range, metric_of, printed_range
from benchmark.evidence.published.support import interval_of_matrices
from reports.audit.figures import AuditRow, Citation, cite, counts, named
from reports.claims.meaning import class_names
from reports.claims.model import Claims, Row
from reports.claims.printed import TestSet
from reports.claims.statement import AtLeast, Equivalent, Superior
from reports.text import number
from zoo.models.published import PublishedFigure

_NEAR = 1e-9
_HALF = 0.5
_IMPLIED_PLACES = 4
_MATRIX = "only possible confusion matrix"

About = AtLeast | Superior | Equivalent
"""The forms of a sentence about figures."""


@dataclass(frozen=True)
class Evidence:
    """What is known about one figure of one row.

    Attributes:
        row: The row.
        values: The least and the greatest value: those of all possible confusion matrices, else those that print so.
        value: The figure in words: `0.9590`, or a range.
        origin: Where it comes from: the location of a printed figure, or the matrices that imply it.
        figure: The printed figure; None for an implied one.
        matrices: The possible confusion matrices behind `values`; empty where they are not known.
        interval: Its 95% interval; None where none is printed and none follows.
        is_printed_interval: Whether the interval is printed.
        count: The least and the greatest numerator of a share of images, and its denominator; None where it has none.
        error: The standard error of an AUC; None for other figures.
        condition: What the evidence takes for granted: `if test precision 0.8807 is the misprint`; None for nothing.
    """

    row: Row
    values: Range
    value: str
    origin: str
    figure: PublishedFigure | None
    matrices: tuple[Confusion, ...]
    interval: Range | None
    is_printed_interval: bool = False
    count: tuple[int, int, int] | None = None
    error: float | None = None
    condition: str | None = None

    @property
    def point(self) -> float:
        """The printed value, or the middle of the implied ones."""
        return self.figure.value if self.figure is not None else sum(self.values) / 2

    @property
    def citation(self) -> Citation:
        """The evidence as a citation."""
        if self.figure is not None:
            return cite(self.figure)
        return Citation(f"implied by {self.origin}", self.row.test.location if self.row.test else "printed figures")


def evidence_of(claims: Claims, rows: Mapping[str, AuditRow], card: str, about: About) -> list[Evidence]:
    """List what is printed or implied about a figure of a card.

    Args:
        claims: The claims.
        rows: The audited rows by name.
        card: The name of a card or row.
        about: The form of the sentence. One about stated decisions is only compared with rows of these decisions.
            Printed figures are at 0.5 unless their row says otherwise.

    Returns:
        One entry per printed figure, or one per row whose confusion matrices imply an unprinted one. The only misprint
        of a row counts as not printed, and the matrices of all its other figures are those of the row.
    """
    evidence: list[Evidence] = []
    for row in claims.rows:
        if card not in (row.card, row.name) or not _same_decisions(row, about):
            continue
        audited, key = rows[row.name], key_in(row, about)
        misprint = audited.misprint if about.split == "test" else None
        matrices = _possible(audited) if about.split == "test" else ()
        implied = _values(matrices, key)
        matrices = () if implied is None else matrices
        of_row = [
            figure
            for figure in row.figures
            if figure.epoch is None
            and (figure.key, figure.split) == (key, about.split)
            and (misprint is None or named(figure) != misprint.printed)
        ]
        evidence += (_printed(claims, row, audited, each, matrices, implied) for each in of_row)
        if not of_row and implied is not None:
            low, high = number(implied[0], _IMPLIED_PLACES), number(implied[1], _IMPLIED_PLACES)
            value, origin = (low if low == high else f"{low} to {high}"), _matrices_in_words(matrices)
            count = _count(row, key, implied)
            interval = _interval(audited, key, matrices, count)
            condition = _condition(audited)
            evidence.append(
                Evidence(row, implied, value, origin, None, matrices, interval, count=count, condition=condition)
            )
    return evidence


def key_in(row: Row, about: About) -> str:
    """Return how a row names the figure of a sentence: of two classes, an average over both is a figure of its own."""
    key = MeasureKey.parse(about.key)
    if not row.is_multiclass and (key.average == "macro" or key.average == "weighted") and has_average(key.metric):
        return averaged(key.metric, key.average)
    return about.key


def _printed(
    claims: Claims,
    row: Row,
    audited: AuditRow,
    figure: PublishedFigure,
    matrices: tuple[Confusion, ...],
    implied: Range | None,
) -> Evidence:
    # An AUC that is not the only misprint is no figure of the decisions that contradict each other.
    is_apart = figure.key == "auc" and audited.misprint is not None
    condition = _condition(audited) if figure.split == "test" and not is_apart else None
    as_printed = implied is None or condition is not None
    values = printed_range(figure.value, figure.decimals, figure.upper) if as_printed else implied
    assert values is not None
    count = _count(row, figure.key, values) if figure.split == "test" else None
    is_printed_interval = figure.low is not None and figure.high is not None
    interval = _interval(audited, figure.key, matrices, count) if figure.split == "test" else None
    if figure.low is not None and figure.high is not None:
        interval = figure.low, figure.high
    error, test = None, row.of_two
    if figure.key == "auc" and figure.split == "test" and test is not None and 0 < figure.value < 1:
        error = hanley_mcneil(figure.value, test.positives, test.negatives)
    text = number(figure.value, figure.decimals)
    if figure.upper is not None:
        text += f" to {number(figure.upper, figure.decimals)}"
    origin = f"{figure.location}{_under_another_name(claims, row, figure)}"
    return Evidence(row, values, text, origin, figure, matrices, interval, is_printed_interval, count, error, condition)


def _same_decisions(row: Row, about: About) -> bool:
    at_half = row.at == "half" or (row.at is None and row.threshold == _HALF)
    return about.at is None or (at_half if about.at == "half" else row.at == about.at)


def _possible(audited: AuditRow) -> tuple[Confusion, ...]:
    """The possible matrices of a row; without any, those that its only misprint leaves."""
    matrices = (*(audited.matrices or ()), *(audited.cut or ()))
    only = audited.misprint
    # The matrices of an explanation are a selection if there are many.
    return only.matrices if not matrices and only is not None and only.matrix_count == len(only.matrices) else matrices


def _condition(audited: AuditRow) -> str | None:
    """The condition on which a figure is evidence although the figures of its row contradict each other."""
    if audited.outcome not in ("impossible", "contradictory") or audited.matrices or audited.cut:
        return None
    return "if this figure is right" if audited.misprint is None else f"if {audited.misprint.printed} is the misprint"


def _interval(
    audited: AuditRow, key: str, matrices: Sequence[Confusion], count: tuple[int, int, int] | None
) -> Range | None:
    """The 95% interval of a figure: of the row, else of its matrices, else of its count alone."""
    of_row = next((each.interval for each in audited.derived if each.metric == key), None)
    if of_row is not None or audited.outcome == "would fit":
        return of_row
    if (of_matrices := interval_of_matrices(key, matrices)) is not None:
        return of_matrices
    if count is None:
        return None
    least, greatest, n = count
    return wilson(least, n)[0], wilson(greatest, n)[1]


def _values(matrices: Sequence[Confusion], key: str) -> Range | None:
    """The least and the greatest value of a figure over all possible matrices; None where one leaves it undefined."""
    metric = find_metric(key)
    if not matrices or not is_of_counts(key) or is_count(key):
        return None
    if metric is not None and any(metric.evaluate(None, matrix)[0] is None for matrix in matrices):
        return None
    values = [metric_of(matrix, key) for matrix in matrices]
    return min(values), max(values)


def _matrices_in_words(matrices: Sequence[Confusion]) -> str:
    if len(matrices) == 1:
        return f"the {_MATRIX} ({counts(matrices[0])})"
    return f"all {len(matrices)} possible confusion matrices"


def matrices_in_words(evidence: Evidence) -> str:
    """Return the possible confusion matrices of evidence in words."""
    return _matrices_in_words(evidence.matrices)


def _count(row: Row, key: str, values: Range) -> tuple[int, int, int] | None:
    ratio, test = ratio_of(key), row.of_two
    if ratio is None or ratio.population is None or test is None or row.repeats is not None:
        return None
    n = _images(ratio.population, test)
    if not n:
        return None
    least, greatest = (min(n, max(0, round(end * n))) for end in values)
    # A printed range also contains shares that no whole number of images gives.
    while least < greatest and least / n < values[0] - _NEAR:
        least += 1
    while greatest > least and greatest / n > values[1] + _NEAR:
        greatest -= 1
    possible = values[0] - _NEAR <= least / n <= values[1] + _NEAR
    return (least, greatest, n) if possible else None


def _images(population: str, test: TestSet) -> int:
    return {"images": test.total, "positives": test.positives, "negatives": test.negatives}[population]


def _under_another_name(claims: Claims, row: Row, figure: PublishedFigure) -> str:
    """What a figure is printed as, where its row takes the other class as positive; empty otherwise."""
    recognise = claims.source.recognise
    names = class_names(row, None if recognise is None else recognise.classes) or ()
    swapped = row.positive is not None and row.positive in ("negatives", *names[:1])
    original = of_other_class(figure.key) if swapped else figure.key
    if original == figure.key:
        return ""
    return f", as {printed_label(original)}: the row takes {row.positive} as the positive class"

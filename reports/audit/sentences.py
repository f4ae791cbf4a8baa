"""Sentences of a report against its own printed figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import find_metric, label_of
from benchmark.evidence.published.feasible import Range, printed_range
from reports.audit.figures import AuditFinding, Citation
from reports.claims.model import Claims, Row
from reports.claims.statement import AtLeast, AtMost, Form, Statement, Superior
from reports.text import capital, number
from zoo.models.card import PublishedFigure

_Printed = tuple[Row, PublishedFigure]


def contradicted_sentences(claims: Claims) -> Iterator[AuditFinding]:
    """Sentences that no printed figure of their cards allows.

    A bound is compared with every figure of the same measure that a row of the card prints; the sentence is
    contradicted if each of them is on the wrong side, whatever its rounding. A comparison of two cards is contradicted
    if every figure of the better one is at most every figure of the other. A sentence about decisions that were chosen,
    or at 0.5, is left out: a printed figure does not say which it is of.

    Args:
        claims: The claims.

    Yields:
        A contradiction for each such sentence, at the first row that it is about.
    """
    for statement in claims.statements:
        for form in statement.assertion.necessary():
            finding = _checked(claims, statement, form)
            if finding is not None:
                yield finding
                break


def _checked(claims: Claims, statement: Statement, form: Form) -> AuditFinding | None:
    match form.assertion:
        case AtMost() as bound:
            return _against_bound(claims, statement, bound, lambda ends, value: ends[0] > value, "at most")
        case AtLeast() as bound:
            return _against_bound(claims, statement, bound, lambda ends, value: ends[1] < value, "at least")
        case Superior() as better if form.name == "superior":
            return _against_other(claims, statement, better)
    return None


def _against_bound(
    claims: Claims, statement: Statement, bound: AtLeast, excludes: Callable[[Range, float], bool], words: str
) -> AuditFinding | None:
    printed = _figures(claims, bound.card, bound)
    if not printed or not all(excludes(_range(figure), bound.value) for _, figure in printed):
        return None
    values = [f"{number(figure.value, figure.decimals)} ({figure.location})" for _, figure in printed]
    return _finding(
        statement,
        printed,
        f"{label_of(bound.key)} of {bound.card} {words} {bound.value:g}; printed: {', '.join(values)}",
    )


def _against_other(claims: Claims, statement: Statement, better: Superior) -> AuditFinding | None:
    first, second = (_figures(claims, card, better) for card in (better.a, better.b))
    metric = find_metric(better.metric) or find_multiclass(better.key)
    if not first or not second or metric is None or metric.direction not in ("higher", "lower"):
        return None
    sign = 1 if metric.direction == "higher" else -1
    highest = max(sign * end for _, figure in first for end in _range(figure))
    lowest = min(sign * end for _, figure in second for end in _range(figure))
    if highest >= lowest:
        return None
    values = [f"{number(figure.value, figure.decimals)} ({row.name}, {figure.location})" for row, figure in first]
    others = [f"{number(figure.value, figure.decimals)} ({row.name}, {figure.location})" for row, figure in second]
    return _finding(
        statement,
        [*first, *second],
        f"{label_of(better.key)} of {better.a} better than that of {better.b}; printed: {', '.join(values)} and "
        f"{', '.join(others)}",
    )


def _figures(claims: Claims, card: str, of: AtLeast | Superior) -> list[_Printed]:
    """The final figures of a measure that rows of a card print; none for a sentence about stated decisions."""
    if of.at is not None:
        return []
    return [
        (row, figure)
        for row in claims.rows
        if card in (row.card, row.name)
        for figure in row.figures
        if figure.epoch is None and (figure.key, figure.split) == (of.key, of.split)
    ]


def _range(figure: PublishedFigure) -> Range:
    return printed_range(figure.value, figure.decimals, figure.upper)


def _finding(statement: Statement, printed: list[_Printed], text: str) -> AuditFinding:
    return AuditFinding(
        "sentence",
        "contradiction",
        printed[0][0].name,
        None,
        (
            Citation(statement.text, statement.location),
            *(Citation(f"{each.key} {number(each.value, each.decimals)}", each.location, each) for _, each in printed),
        ),
        f"The sentence {statement.id} ({statement.location}) contradicts the printed figures: {capital(text)}.",
        "Rounding of the printed figures does not explain the difference.",
    )

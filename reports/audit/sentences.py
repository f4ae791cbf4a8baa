"""Sentences of a report against its own printed figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import find_metric, label_of
from reports.audit.evidence import Evidence, evidence_of, matrices_in_words
from reports.audit.figures import AuditFinding, AuditRow, Citation
from reports.audit.support import Standing, as_a_whole, support_of, unchecked
from reports.claims.model import Claims
from reports.claims.statement import AtLeast, AtMost, Equivalent, Form, Statement, Superior
from reports.text import capital, listed, number

_EQUAL = 1e-12
_LEVEL = 0.05


def sentence_findings(claims: Claims, rows: Mapping[str, AuditRow]) -> Iterator[AuditFinding]:
    """Check each sentence against the printed figures, and against the figures that these imply.

    A bound is contradicted if every value that a row of the card prints is on the wrong side, whatever its rounding, or
    if every possible confusion matrix of the row gives such a value. A comparison is contradicted if no values of the
    two cards allow it. A sentence that is not contradicted is followed by whether the figures show it
    (`reports.audit.support`). Parts of `any` are left out, since none of them is necessary.

    Args:
        claims: The claims.
        rows: The audited rows by name.

    Yields:
        Contradictions and notes, at the first row that a sentence is about.
    """
    for statement in claims.statements:
        misspelt = {name for form in statement.assertion.forms() for name in misspelt_rows(claims, form)}
        yield from (_unknown_name(claims, statement, name) for name in sorted(misspelt))
        forms = [form for form in statement.assertion.necessary() if not misspelt & set(form.assertion.cards)]
        yield from unchecked(claims, rows, statement, forms)
        standings: list[Standing] = []
        for form in statement.assertion.necessary():
            if form not in forms:
                standings.append("not checked")
                continue
            contradiction = contradicted(claims, rows, statement, form)
            support = support_of(claims, rows, statement, form) if contradiction is None else None
            against = contradiction if support is None else support.finding
            if against is not None:
                yield against
            standings.append("contradicted" if support is None else support.standing)
        yield from as_a_whole(claims, statement, standings)
        yield from _p_value(claims, statement)


def contradicted(claims: Claims, rows: Mapping[str, AuditRow], statement: Statement, form: Form) -> AuditFinding | None:
    """Return how the figures that are printed or implied contradict a part of a sentence.

    Args:
        claims: The claims.
        rows: The audited rows by name.
        statement: The sentence.
        form: The part.

    Returns:
        The finding; None if they do not contradict it, or say nothing about it.
    """
    match form.assertion:
        case AtLeast() as bound:
            return _against_bound(claims, rows, statement, bound)
        case Superior() as better if form.name == "superior":
            return _against_other(claims, rows, statement, better)
        case Equivalent() as alike:
            return _against_other(claims, rows, statement, alike)
    return None


def _against_bound(
    claims: Claims, rows: Mapping[str, AuditRow], statement: Statement, bound: AtLeast
) -> AuditFinding | None:
    evidence = evidence_of(claims, rows, bound.card, bound)
    upwards = not isinstance(bound, AtMost)
    excluded = [
        each.values[1] < bound.value - _EQUAL if upwards else each.values[0] > bound.value + _EQUAL for each in evidence
    ]
    if not evidence or not all(excluded):
        return None
    words = "at least" if upwards else "at most"
    claimed = f"{label_of(bound.key)} of {bound.card} {words} {bound.value:g}"
    return _finding(statement, rows, evidence, f"{claimed}; {_values_in_words(evidence)}")


def _against_other(
    claims: Claims, rows: Mapping[str, AuditRow], statement: Statement, form: Superior | Equivalent
) -> AuditFinding | None:
    first, second = (evidence_of(claims, rows, card, form) for card in (form.a, form.b))
    metric = find_metric(form.metric) or find_multiclass(form.key)
    if not first or not second or metric is None or metric.direction not in ("higher", "lower"):
        return None
    sign = 1 if metric.direction == "higher" else -1
    gains = [sign * (a - b) for one in first for a in one.values for other in second for b in other.values]
    if isinstance(form, Superior):
        refuted = max(gains) <= form.margin + _EQUAL
        by = f" by more than {form.margin:g}" if form.margin else ""
        claimed = f"{label_of(form.key)} of {form.a} better than that of {form.b}{by}"
    else:
        refuted = min(gains) > form.within + _EQUAL or max(gains) < -form.within - _EQUAL
        claimed = f"{label_of(form.key)} of {form.a} and {form.b} within {form.within:g}"
    if not refuted:
        return None
    both = [*first, *second]
    return _finding(statement, rows, both, f"{claimed}; {_values_in_words(both, of_rows=True)}")


def _values_in_words(evidence: Sequence[Evidence], *, of_rows: bool = False) -> str:
    """What is printed, and what the printed figures imply where that is more exact or not printed."""
    printed = [each for each in evidence if each.figure is not None]
    parts = []
    if printed:
        values = [f"{each.value} ({f'{each.row.name}, ' if of_rows else ''}{each.origin})" for each in printed]
        parts.append(f"printed: {' and '.join(values) if of_rows else ', '.join(values)}")
    for each in evidence:
        if not each.matrices or (each.figure is not None and _excluded_as_printed(each)):
            continue
        low, high = (number(end, 4) for end in each.values)
        value = low if low == high else f"{low} to {high}"
        who = f" of {each.row.name}" if of_rows else ""
        parts.append(f"{matrices_in_words(each)}{who} {_give(each)} {value}")
    return "; ".join(parts)


def _excluded_as_printed(evidence: Evidence) -> bool:
    """Whether the printed decimals say as much as the matrices."""
    assert evidence.figure is not None
    places = evidence.figure.decimals
    return all(round(end, places) == round(evidence.figure.value, places) for end in evidence.values) and places >= 3


def _give(evidence: Evidence) -> str:
    return "gives" if len(evidence.matrices) == 1 else "give"


def _finding(
    statement: Statement, rows: Mapping[str, AuditRow], evidence: Sequence[Evidence], text: str
) -> AuditFinding:
    """A contradiction; ambiguous where the figures of a row fit only with a meaning that the row does not state."""
    if any(each.figure is None for each in evidence):
        derivation = "A figure that is not printed follows from the printed ones of its row, whatever their rounding."
    else:
        derivation = "Rounding of the printed figures does not explain the difference."
    conditions = list(dict.fromkeys(each.condition for each in evidence if each.figure is None and each.condition))
    if conditions:
        derivation += f" This holds {listed(conditions)}."
    unsettled = [each.row.name for each in evidence if rows[each.row.name].outcome == "would fit"]
    if unsettled:
        derivation += f" The figures of {listed(unsettled)} do not fit as stated, so the sentence may be right."
    return AuditFinding(
        "sentence",
        "ambiguous" if unsettled or conditions else "contradiction",
        evidence[0].row.name,
        None,
        (Citation(statement.text, statement.location), *(each.citation for each in evidence)),
        f"The sentence {statement.id} ({statement.location}) contradicts the printed figures: {capital(text)}.",
        derivation,
    )


def _p_value(claims: Claims, statement: Statement) -> Iterator[AuditFinding]:
    """A contradiction where a sentence says `significantly` and its p value is not below the usual level."""
    for form in statement.assertion.forms():
        better = form.superior
        if better is None or not better.significant or better.p_value is None or better.p_value < _LEVEL:
            continue
        row = next((each.name for each in claims.rows if better.a in (each.card, each.name)), claims.rows[0].name)
        yield AuditFinding(
            "sentence",
            "contradiction",
            row,
            None,
            (Citation(statement.text, statement.location),),
            f"The sentence {statement.id} ({statement.location}) calls {better.a} significantly better than "
            f"{better.b}, and its p value of {better.p_value:g} is not below {_LEVEL:g}.",
            "If the report states another level, the sentence may be right at that level.",
        )


def _unknown_name(claims: Claims, statement: Statement, name: str) -> AuditFinding:
    similar = claims.rows_near(name)
    return AuditFinding(
        "unknown-name",
        "ambiguous",
        similar[0],
        None,
        (Citation(statement.text, statement.location),),
        f"The sentence {statement.id} ({statement.location}) names {name}, which is no row and no card: did you "
        f"mean the row {listed(similar, 'or')}?",
        f"Nothing that the sentence says about {name} is checked.",
    )


def misspelt_rows(claims: Claims, form: Form) -> list[str]:
    """List the names in a part of a sentence that no row and no card has, and that resemble a row."""
    return [name for name in form.assertion.cards if claims.rows_near(name)]

"""Whether printed figures show a sentence that they do not contradict, or only agree with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from benchmark.evidence.intervals.formulas import hanley_mcneil, mover, z_quantile
from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import find_metric, label_of
from benchmark.evidence.published.feasible import Range, printed_range
from benchmark.evidence.published.support import (
    Side,
    auc_for_bound,
    count_for_bound,
    images_for_bound,
)
from reports.audit.evidence import About, Evidence, evidence_of
from reports.audit.figures import AuditFinding, AuditRow, Citation
from reports.audit.significance import paired_data, significance_of
from reports.claims.model import Claims
from reports.claims.statement import AtLeast, AtMost, Equivalent, Form, NotSuperior, Statement, Superior
from reports.text import capital, interval, listed

_UNIT = 1e-9
_PLACES = (3, 4, 5, 6)
_ONLY_INTERVAL = "Only an interval on the right side of the bound shows it."
_MORE = "An interval of more images would be narrower."
_OTHERS = (
    "It is about the published training on such images: another one, or images from elsewhere, may give other figures."
)


Standing = Literal["shown", "not shown", "contradicted", "not checked"]
"""What the printed figures say about a part of a sentence."""


@dataclass(frozen=True)
class Support:
    """What the printed figures say about one part of a sentence that they do not contradict.

    Attributes:
        standing: Whether they show it.
        finding: The finding about it; None for a part that cannot be checked.
    """

    standing: Standing
    finding: AuditFinding | None = None


def support_of(claims: Claims, rows: Mapping[str, AuditRow], statement: Statement, form: Form) -> Support:
    """Say how far the printed figures support a part of a sentence that they do not contradict.

    Args:
        claims: The claims.
        rows: The audited rows by name.
        statement: The sentence.
        form: The part.

    Returns:
        Whether they show it, with a note; a contradiction where no test of the same images gives a stated significance.
    """
    about = form.assertion
    if not isinstance(about, AtLeast | Superior | Equivalent) or absent_from(claims, rows, about):
        return Support("not checked")
    if isinstance(about, AtLeast):
        return _of_bound(claims, rows, statement, about)
    return _of_pair(claims, rows, statement, about)


def absent_from(claims: Claims, rows: Mapping[str, AuditRow], about: About) -> list[str]:
    """List the names in a part of a sentence whose figure is neither printed nor implied.

    Args:
        claims: The claims.
        rows: The audited rows by name.
        about: The part.

    Returns:
        The names of cards or rows.
    """
    names = [about.card] if isinstance(about, AtLeast) else [about.a, about.b]
    return [name for name in names if not evidence_of(claims, rows, name, about)]


def unchecked(
    claims: Claims, rows: Mapping[str, AuditRow], statement: Statement, forms: Sequence[Form]
) -> Iterator[AuditFinding]:
    """Say which figures of a sentence are neither printed nor implied.

    Args:
        claims: The claims.
        rows: The audited rows by name.
        statement: The sentence.
        forms: Its parts.

    Yields:
        One note for all these parts; none without any.
    """
    abouts = [about for form in forms if isinstance(about := form.assertion, AtLeast | Superior | Equivalent)]
    parts = [(about, absent) for about in abouts if (absent := absent_from(claims, rows, about))]
    if parts:
        yield _unchecked(claims, statement, parts)


def as_a_whole(claims: Claims, statement: Statement, standings: Sequence[Standing]) -> Iterator[AuditFinding]:
    """Say whether the figures show all parts of a sentence together.

    Args:
        claims: The claims.
        statement: The sentence.
        standings: What the figures say about each part, in order.

    Yields:
        One note; none for a sentence of one part, and for one that is not about figures.
    """
    forms = statement.assertion.forms()
    if len(forms) < 2 or not any(_is_of_figures(form) for form in forms):
        return
    groups = {
        standing: [str(number) for number, each in enumerate(standings, start=1) if each == standing]
        for standing in ("contradicted", "not shown", "not checked", "shown")
    }
    parts = [
        f"{'part' if len(numbers) == 1 else 'parts'} {listed(numbers)} {'is' if len(numbers) == 1 else 'are'} {key}"
        for key, numbers in groups.items()
        if numbers
    ]
    if len(groups["shown"]) == len(forms):
        support = f"The printed figures support the sentence {_named(statement)} as a whole"
        text = f"{support}: each of its {len(forms)} parts is shown."
    else:
        result = "contradicted" if groups["contradicted"] else "not shown"
        text = f"The sentence {_named(statement)} is {result} as a whole: {'; '.join(parts)}."
    several = sum(form.superior is not None for form in forms)
    adjusted = f" Its {several} comparisons take an adjustment for their number, such as Holm's." if several > 1 else ""
    names = {name for form in forms for name in form.assertion.cards}
    row = next((row.name for row in claims.rows if names & {row.card, row.name}), claims.rows[0].name)
    yield AuditFinding(
        "sentence-support",
        "note",
        row,
        None,
        (Citation(statement.text, statement.location),),
        text,
        f"A sentence with `all` holds only if each of its parts holds.{adjusted}",
    )


def _is_of_figures(form: Form) -> bool:
    return isinstance(form.assertion, AtLeast | Superior | Equivalent)


def _of_bound(claims: Claims, rows: Mapping[str, AuditRow], statement: Statement, bound: AtLeast) -> Support:
    evidence = evidence_of(claims, rows, bound.card, bound)
    one = max(evidence, key=lambda each: each.interval is not None)
    figure = f"{label_of(bound.key)} of {bound.card} is {one.value}"
    side: Side = "at most" if isinstance(bound, AtMost) else "at least"
    if one.interval is None:
        return _agrees(statement, [one], f"{figure}. {capital(_why_no_interval(rows[one.row.name]))}", _ONLY_INTERVAL)
    low, high = one.interval
    shows = low >= bound.value - _UNIT if side == "at least" else high <= bound.value + _UNIT
    printed = "printed" if one.is_printed_interval else "95%"
    measured = f"{figure}, and its {printed} interval {_apart(one.interval, bound.value)}"
    of = _count_in_words(one)
    if shows:
        where = "is not below" if side == "at least" else "is not above"
        return _shows(statement, [one], f"{measured} {where} {bound.value:g}", f"{of}{_OTHERS}")
    end = "lower end" if side == "at least" else "upper end"
    where = "includes" if low <= bound.value <= high else "is on the other side of"
    return _agrees(
        statement,
        [one],
        f"{measured} {where} {bound.value:g}",
        f"{of}{_needed(one, bound, side, end)}".strip() or _MORE,
    )


def _needed(one: Evidence, bound: AtLeast, side: Side, end: str) -> str:
    """The count or AUC on this test set whose interval would just show the bound."""
    test = one.row.of_two
    start = f"{'A' if end[0] == 'l' else 'An'} {end} of {bound.value:g} takes"
    if one.count is not None:
        n = one.count[2]
        count = count_for_bound(n, bound.value, side)
        if count is not None:
            return f"{start} {count} of {n}."
        images = images_for_bound(bound.value, side)
        return "No figure shows it." if images is None else f"{start} at least {images} images, and these are {n}."
    if bound.key == "auc" and test is not None:
        auc = auc_for_bound(bound.value, test.positives, test.negatives, side)
        return "" if auc is None else f"{start} an AUC of {auc:.4f} on {test.negatives} + {test.positives} images."
    return ""


def _of_pair(
    claims: Claims, rows: Mapping[str, AuditRow], statement: Statement, pair: Superior | Equivalent
) -> Support:
    first, second = (evidence_of(claims, rows, card, pair) for card in (pair.a, pair.b))
    one, other = (max(each, key=lambda evidence: evidence.interval is not None) for each in (first, second))
    both, label = [one, other], label_of(pair.key)
    metric = find_metric(pair.metric) or find_multiclass(pair.key)
    lower_is_better = metric is not None and metric.direction == "lower"
    figures = f"{label} of {pair.a} is {_with_interval(one)}, of {pair.b} {_with_interval(other)}"
    significance, refuted = significance_of(pair, one, other)
    if refuted is not None:
        return Support("contradicted", _against_significance(statement, both, f"{figures}. {refuted}"))
    if one.interval is None or other.interval is None:
        reason = _why_no_interval(rows[(one if one.interval is None else other).row.name])
        return _agrees(statement, both, f"{figures}. {capital(reason)}", f"{_ONLY_INTERVAL}{significance}")
    better, worse = (other, one) if lower_is_better else (one, other)
    assert better.interval is not None
    assert worse.interval is not None
    gain = mover((better.point, worse.point), better.interval, worse.interval, 0.0)
    bound = pair.within if isinstance(pair, Equivalent) else pair.margin
    text = f"{figures}; the 95% interval of the gain of independent samples, {_apart(gain, bound)},"
    shows, where = _placed(pair, gain)
    if any(_placed(pair, each)[0] != shows for each in _gains_as_printed(better, worse)):
        shows = False
        where += f" or not, depending on how the printed {label} was rounded"
    if shows:
        return _shows(
            statement,
            both,
            f"{text} {where}",
            "On the same images a paired interval is usually narrower; it is wider only if the errors of the two "
            f"models exclude each other. {_OTHERS}{significance}",
        )
    return _agrees(
        statement,
        both,
        f"{text} {where}",
        f"On the same images a paired interval can be narrower, but it takes the {paired_data(pair)} of both models "
        f"for each image, which are not printed.{significance}",
    )


def _placed(pair: Superior | Equivalent, gain: Range) -> tuple[bool, str]:
    """Whether an interval shows a comparison, and where it lies."""
    if isinstance(pair, Equivalent):
        inside = -pair.within <= gain[0] and gain[1] <= pair.within
        return inside, f"{'lies within' if inside else 'is not within'} ±{pair.within:g}"
    if isinstance(pair, NotSuperior):
        below = gain[1] <= pair.margin
        return below, f"{'is not above' if below else 'includes more than'} {pair.margin:g}"
    if gain[0] > pair.margin:
        return True, f"lies above {pair.margin:g}"
    return False, f"{'includes' if gain[1] >= pair.margin else 'lies below'} {pair.margin:g}"


def _gains_as_printed(better: Evidence, worse: Evidence) -> list[Range]:
    """The intervals of the gain at the ends of the values that print as two AUCs; empty for other figures."""
    ends = [_ends_as_printed(each) for each in (better, worse)]
    if not all(ends):
        return []
    (low, high), (other_low, other_high) = ends
    return [mover((one[0], other[0]), one[1], other[1], 0.0) for one, other in ((low, other_high), (high, other_low))]


def _ends_as_printed(one: Evidence) -> list[tuple[float, Range]]:
    """The least and the greatest AUC that print so, each with its interval (Hanley and McNeil 1982)."""
    test, figure = one.row.of_two, one.figure
    if one.error is None or one.is_printed_interval or test is None or figure is None:
        return []
    ends = printed_range(figure.value, figure.decimals, figure.upper)
    values = [min(1.0, max(0.0, end)) for end in ends]
    halves = [z_quantile(0.95) * hanley_mcneil(value, test.positives, test.negatives) for value in values]
    return [(value, (value - half, value + half)) for value, half in zip(values, halves, strict=True)]


def _apart(bounds: Range, bound: float) -> str:
    """An interval with enough decimals to tell its ends from a bound."""
    for places in _PLACES:
        if all(abs(end - bound) < _UNIT or round(end, places) != round(bound, places) for end in bounds):
            return interval(bounds, places)
    return interval(bounds, _PLACES[-1])


def _with_interval(one: Evidence) -> str:
    return f"{one.value} {interval(one.interval)}".rstrip() if one.interval is not None else one.value


def _count_in_words(one: Evidence) -> str:
    if one.count is None:
        return ""
    least, greatest, n = one.count
    return f"It is {least if least == greatest else f'{least} to {greatest}'} of {n} images. "


def _why_no_interval(audited: AuditRow) -> str:
    if audited.test is None:
        return f"the test set of {audited.name} is not stated, so no interval follows"
    if audited.outcome in ("impossible", "contradictory", "would fit"):
        return f"the figures of {audited.name} do not agree with each other as stated, so no interval follows from them"
    return "no interval is printed, and none follows from the printed figures"


def _shows(statement: Statement, evidence: Sequence[Evidence], text: str, derivation: str) -> Support:
    start = f"The printed figures support the sentence {_named(statement)}{_conditions(evidence).rstrip(',')}"
    return Support("shown", _note(statement, evidence, f"{start}: {text}.", derivation))


def _agrees(statement: Statement, evidence: Sequence[Evidence], text: str, derivation: str) -> Support:
    start = f"The printed figures agree with the sentence {_named(statement)}{_conditions(evidence)}"
    unknown = any(each.interval is None for each in evidence)
    end = ". Whether they show it does not follow" if unknown else ", but do not show it"
    return Support("not shown", _note(statement, evidence, f"{start}{end}: {text}.", derivation))


def _conditions(evidence: Sequence[Evidence]) -> str:
    """What the evidence takes for granted, after a comma; empty for nothing."""
    conditions = list(dict.fromkeys(each.condition for each in evidence if each.condition is not None))
    return f", {listed(conditions)}," if conditions else ""


def _against_significance(statement: Statement, evidence: Sequence[Evidence], text: str) -> AuditFinding:
    start = f"The sentence {_named(statement)} contradicts the printed figures"
    finding = _note(
        statement,
        evidence,
        f"{start}: {text}",
        "If the report names another test, or a test over several trainings, the sentence may be right by that test.",
    )
    return replace(finding, kind="sentence", severity="contradiction")


def _unchecked(claims: Claims, statement: Statement, parts: Sequence[tuple[About, Sequence[str]]]) -> AuditFinding:
    absent = {name for _, names in parts for name in names}
    row = next((row.name for row in claims.rows if absent & {row.card, row.name}), claims.rows[0].name)
    missing: dict[str, list[str]] = {}
    for about, names in parts:
        split = "" if about.split == "test" else f"{about.split} "
        at = "" if about.at is None else f" with `at: {about.at}`"
        cards = missing.setdefault(f"{split}{label_of(about.key)}{at}", [])
        cards += (name for name in names if name not in cards)
    figures = listed([f"{figure} of {listed(names, 'or')}" for figure, names in missing.items()], "or")
    return AuditFinding(
        "sentence-support",
        "note",
        row,
        None,
        (Citation(statement.text, statement.location),),
        f"The sentence {_named(statement)} cannot be {'fully ' if _is_partly(statement, parts) else ''}checked against "
        f"the printed figures: no {figures} is printed or follows from them.",
        "That nothing contradicts it does not mean that it follows.",
    )


def _is_partly(statement: Statement, parts: Sequence[object]) -> bool:
    return len(parts) < len(statement.assertion.forms())


def _note(statement: Statement, evidence: Sequence[Evidence], text: str, derivation: str) -> AuditFinding:
    cited = (Citation(statement.text, statement.location), *(each.citation for each in evidence))
    derivation = derivation or "What the test set would have to show does not follow from what is printed."
    return AuditFinding("sentence-support", "note", evidence[0].row.name, None, cited, text, derivation)


def _named(statement: Statement) -> str:
    return f"{statement.id} ({statement.location})"

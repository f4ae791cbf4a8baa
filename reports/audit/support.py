"""Whether printed figures show a sentence that they do not contradict, or only agree with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmark.evidence.intervals.formulas import mover
from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import find_metric, label_of
from benchmark.evidence.published.feasible import Range
from benchmark.evidence.published.support import (
    Side,
    auc_for_bound,
    correlation_for,
    count_for_bound,
    images_for_bound,
    least_p,
)
from reports.audit.evidence import About, Evidence, evidence_of
from reports.audit.figures import AuditFinding, AuditRow, Citation
from reports.claims.model import Claims
from reports.claims.statement import AtLeast, AtMost, Equivalent, Form, NotSuperior, Statement, Superior
from reports.text import capital, interval, listed

_LEVEL = 0.05
_UNIT = 1e-9
_OTHERS = (
    "It is about the published training on such images: another one, or images from elsewhere, may give other figures."
)


def supported(
    claims: Claims, rows: Mapping[str, AuditRow], statement: Statement, forms: Sequence[Form]
) -> Iterator[AuditFinding]:
    """Say how far the printed figures support the parts of a sentence.

    Args:
        claims: The claims.
        rows: The audited rows by name.
        statement: The sentence.
        forms: Its parts that the figures do not contradict.

    Yields:
        A note for each part about figures: they show it, or they agree with it but do not show it; and one note for all
        parts that cannot be checked. None for parts about anything else.
    """
    unchecked: list[tuple[About, list[str]]] = []
    for form in forms:
        about = form.assertion
        if not isinstance(about, AtLeast | Superior | Equivalent):
            continue
        names = [about.card] if isinstance(about, AtLeast) else [about.a, about.b]
        absent = [name for name in names if not evidence_of(claims, rows, name, about)]
        if absent:
            unchecked.append((about, absent))
        elif isinstance(about, AtLeast):
            yield _of_bound(claims, rows, statement, about)
        else:
            yield _of_pair(claims, rows, statement, about)
    if unchecked:
        yield _unchecked(claims, statement, unchecked)


def _of_bound(claims: Claims, rows: Mapping[str, AuditRow], statement: Statement, bound: AtLeast) -> AuditFinding:
    evidence = evidence_of(claims, rows, bound.card, bound)
    one = max(evidence, key=lambda each: each.interval is not None)
    figure = f"{label_of(bound.key)} of {bound.card} is {one.value}"
    side: Side = "at most" if isinstance(bound, AtMost) else "at least"
    if one.interval is None:
        reason = _why_no_interval(rows[one.row.name])
        return _agrees(statement, [one], f"{figure}. {capital(reason)}", "It does not follow whether they show it.")
    low, high = one.interval
    shows = low >= bound.value - _UNIT if side == "at least" else high <= bound.value + _UNIT
    printed = "printed" if one.is_printed_interval else "95%"
    measured = f"{figure}, and its {printed} interval {interval(one.interval)}"
    of = _count_in_words(one)
    if shows:
        where = "is not below" if side == "at least" else "is not above"
        return _shows(statement, [one], f"{measured} {where} {bound.value:g}", f"{of}{_OTHERS}")
    end = "lower end" if side == "at least" else "upper end"
    where = "includes" if low <= bound.value <= high else "is on the other side of"
    return _agrees(
        statement, [one], f"{measured} {where} {bound.value:g}", f"{of}{_needed(one, bound, side, end)}".strip()
    )


def _needed(one: Evidence, bound: AtLeast, side: Side, end: str) -> str:
    """What the test set would have to show for the bound."""
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
) -> AuditFinding:
    first, second = (evidence_of(claims, rows, card, pair) for card in (pair.a, pair.b))
    one, other = (max(each, key=lambda evidence: evidence.interval is not None) for each in (first, second))
    both, label = [one, other], label_of(pair.key)
    metric = find_metric(pair.metric) or find_multiclass(pair.key)
    lower_is_better = metric is not None and metric.direction == "lower"
    figures = f"{label} of {pair.a} is {_with_interval(one)}, of {pair.b} {_with_interval(other)}"
    significance = _significance(pair, one, other)
    if one.interval is None or other.interval is None:
        reason = _why_no_interval(rows[(one if one.interval is None else other).row.name])
        derivation = f"It does not follow whether they show it.{significance}"
        return _agrees(statement, both, f"{figures}. {capital(reason)}", derivation)
    better, worse = (other, one) if lower_is_better else (one, other)
    assert better.interval is not None
    assert worse.interval is not None
    gain = mover((better.point, worse.point), better.interval, worse.interval, 0.0)
    text = f"{figures}; the 95% interval of the gain of independent samples, {interval(gain)},"
    shows, where = _placed(pair, gain)
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
        f"On the same images a paired interval can be narrower, but it takes the {_paired(pair)} of both models for "
        f"each image, which are not printed.{significance}",
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


def _paired(pair: Superior | Equivalent) -> str:
    metric = find_metric(pair.metric) or find_multiclass(pair.key)
    decisions = metric is None or getattr(metric, "uses_threshold", getattr(metric, "uses_decisions", False))
    return "decisions" if decisions else "scores"


def _significance(pair: Superior | Equivalent, one: Evidence, other: Evidence) -> str:
    """What can be said about the significance of a gain, as one or more sentences after a space; empty without any."""
    if not isinstance(pair, Superior) or isinstance(pair, NotSuperior):
        return ""
    p = pair.p_value
    parts = []
    if pair.significant and p is None:
        needed = "McNemar's test" if _paired(pair) == "decisions" else "DeLong's test"
        parts.append(
            "No p value is stated, so `significantly` cannot be checked: it takes a paired test, such as "
            f"{needed}, and an adjustment if several models are compared."
        )
    if pair.margin == 0 and _same_images(one, other):
        parts += filter(None, (_of_counts(p, one, other), _of_areas(p, one, other)))
    return "".join(f" {part}" for part in parts)


def _same_images(one: Evidence, other: Evidence) -> bool:
    first, second = one.row.of_two, other.row.of_two
    if first is None or second is None or one.row.repeats is not None or other.row.repeats is not None:
        return False
    return (first.negatives, first.positives) == (second.negatives, second.positives)


def _of_counts(p: float | None, one: Evidence, other: Evidence) -> str | None:
    """Bounds of McNemar's p value, from the difference of two counts on the same images."""
    if one.count is None or other.count is None:
        return None
    greatest = max(abs(one.count[1] - other.count[0]), abs(other.count[1] - one.count[0]))
    least, exact = least_p(greatest), least_p(greatest, exact=True)
    counts = f"heir counts differ by at most {greatest}"
    if p is None and least >= _LEVEL:
        return (
            f"T{counts}: on the same test set no pairing of the decisions gives McNemar's test a p value below "
            f"{_LEVEL:g} (exact: {exact:.2g} or more)."
        )
    if p is not None and p < least * (1 - _UNIT):
        return (
            f"The stated p value of {p:g} cannot be McNemar's: t{counts}, so on the same test set its smallest p value "
            f"is {least:.2g} (exact: {exact:.2g})."
        )
    return f"T{counts}: McNemar's exact p value is {exact:.2g} or more, if on the same test set."


def _of_areas(p: float | None, one: Evidence, other: Evidence) -> str | None:
    """The correlation of two AUCs that a p value takes (Hanley and McNeil 1983)."""
    if one.error is None or other.error is None or one.figure is None or other.figure is None:
        return None
    gain = abs(one.point - other.point)
    level = _LEVEL if p is None else p
    if gain <= 0 or not 0 < level < 1:
        return None
    correlation = correlation_for(gain, (one.error, other.error), level)
    below = f"a p value below {level:g}" if p is None else f"the stated p value of {level:g}"
    if correlation is None:
        return f"With the standard errors of Hanley and McNeil, no correlation of the two AUCs gives {below}."
    if correlation <= 0:
        return None
    takes = f"takes a correlation of the two AUCs of {correlation:.2f} or more"
    return f"With the standard errors of Hanley and McNeil, {below} {takes}."


def _with_interval(one: Evidence) -> str:
    return f"{one.value} {interval(one.interval)}".rstrip() if one.interval is not None else one.value


def _count_in_words(one: Evidence) -> str:
    if one.count is None:
        return ""
    least, greatest, n = one.count
    return f"It is {least if least == greatest else f'{least} to {greatest}'} of {n} images. "


def _why_no_interval(audited: AuditRow) -> str:
    if audited.outcome in ("impossible", "contradictory", "would fit"):
        return "the figures of its row do not agree with each other as stated, so no interval follows from them"
    return "no interval is printed, and none follows from the printed figures"


def _shows(statement: Statement, evidence: Sequence[Evidence], text: str, derivation: str) -> AuditFinding:
    return _note(
        statement, evidence, f"The printed figures support the sentence {_named(statement)}: {text}.", derivation
    )


def _agrees(statement: Statement, evidence: Sequence[Evidence], text: str, derivation: str) -> AuditFinding:
    start = f"The printed figures agree with the sentence {_named(statement)}, but do not show it"
    return _note(statement, evidence, f"{start}: {text}.", derivation)


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

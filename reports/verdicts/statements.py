"""A verdict for each published statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch

from benchmark.evidence.comparison.verdict import (
    Decision,
    above,
    all_hold,
    any_holds,
    below,
    of_one_training,
    present,
    within,
)
from benchmark.evidence.diagnosis.diagnoses import observable
from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import find_metric, label_of
from reports.audit.audit import Audit
from reports.audit.figures import counts, named
from reports.audit.matrices import confusion_of
from reports.audit.multiclass import gives, shape
from reports.claims.model import Claims
from reports.claims.printed import PrintedClassMatrix, Row
from reports.claims.statement import (
    Assertion,
    AtLeast,
    AtMost,
    Diagnosis,
    Equivalent,
    Form,
    MatrixOf,
    NotSuperior,
    OfFigure,
    Statement,
    Superior,
    ThresholdMatters,
)
from reports.results.comparison.pairs import difference, estimate, figure, gain_of_threshold
from reports.results.measured import AnyResults, MulticlassResults, cross_entropies
from reports.results.multiclass.class_figures import class_difference, class_figure
from reports.text import listed
from reports.verdicts.decisions import by_chosen, decisions_in_words
from reports.verdicts.figures import ClaimVerdict, different_data, different_protocol, has_direction, is_of_decisions

_TWO_CLASSES = "{} is of three classes or more, and the data have two; drop `class` and `average`"


def statement_verdicts(claims: Claims, audit: Audit, measured: Mapping[str, AnyResults]) -> tuple[ClaimVerdict, ...]:
    """A verdict for every statement.

    Args:
        claims: The claims.
        audit: Their audit, which decides statements about printed confusion matrices.
        measured: The results of the cards by name.

    Returns:
        The verdicts in the order of the file.
    """
    return tuple(_statement_verdict(claims, audit, statement, measured) for statement in claims.statements)


def _statement_verdict(
    claims: Claims, audit: Audit, statement: Statement, measured: Mapping[str, AnyResults]
) -> ClaimVerdict:
    parts = [_part(form, claims, audit, measured) for form in statement.assertion.forms()]
    decision = _combined(parts, any_holds if statement.assertion.any else all_hold)
    words = statement.paraphrase or statement.translation or statement.text
    origin = statement.margin_from
    return ClaimVerdict(statement.id, words, statement.location, decision, quote=statement.text, margin_from=origin)


@dataclass(frozen=True)
class _Part:
    """The verdict of these runs on one form, and what differs between them and the claims; None where nothing does."""

    decision: Decision
    different: str | None = None


def _part(form: Form, claims: Claims, audit: Audit, measured: Mapping[str, AnyResults]) -> _Part:
    names = form.assertion.cards
    missing = [name for name in names if name not in measured]
    if missing:
        return _Part(Decision("not run", _why_not_run(missing, claims)))
    cards = [measured[name] for name in names]
    decision = decide(form.assertion, Evidence(claims, audit, cards))
    if not names:
        return _Part(decision)
    if any(card.is_one_training for card in cards):
        decision = of_one_training(decision)
    spec = measured[names[0]].runs[0].spec
    return _Part(decision, different_data(claims, spec) or different_protocol(claims, spec))


def _why_not_run(missing: Sequence[str], claims: Claims) -> str:
    """Why cards have no results: no card has the name, or the store has no run of it."""
    absent = [name for name in missing if claims.without_card([name]) is not None]
    without_runs = [name for name in missing if name not in absent]
    reasons = [f"the store has no finished run of {', '.join(without_runs)}"] if without_runs else []
    return "; ".join(filter(None, (claims.without_card(absent), *reasons)))


def _combined(parts: Sequence[_Part], combine: Callable[[Sequence[Decision]], Decision]) -> Decision:
    """The verdict of all parts. What differs is said once, with the verdict that these runs would give as a hint."""
    decisions = [
        part.decision if part.different is None else Decision("not comparable", part.different) for part in parts
    ]
    decision = combine(decisions)
    if decision.verdict != "not comparable":
        return decision
    unaffected = [part.decision for part in parts if part.different is None]
    reasons = [each.reason for each in unaffected if each.verdict == "not comparable"]
    for different in dict.fromkeys(part.different for part in parts if part.different is not None):
        hint = combine([part.decision for part in parts if part.different == different])
        reasons.append(f"{different}; there the verdict would be {hint.verdict}: {hint.reason}")
    return Decision("not comparable", "; ".join(dict.fromkeys(reasons)))


Judged = Superior | Equivalent | AtLeast
"""The forms that the interval of one figure, or of one paired difference, decides."""


def interval_decision(assertion: Judged, estimate: SampleEstimate) -> Decision:
    """The verdict of an interval on an assertion about a figure or a gain.

    Args:
        assertion: The assertion; NotSuperior and AtMost are forms of Superior and AtLeast.
        estimate: The figure, or how much better the first card is than the second, with its interval.

    Returns:
        The verdict with its reason.
    """
    match assertion:
        case NotSuperior():
            return below(estimate, assertion.margin)
        case Superior():
            return above(estimate, assertion.margin)
        case Equivalent():
            return within(estimate, assertion.within)
        case AtMost():
            return below(estimate, assertion.value)
        case AtLeast():
            return above(estimate, assertion.value)


@dataclass(frozen=True)
class Evidence:
    """The evidence for an assertion: the claims, their audit, and the results of its cards in its order."""

    claims: Claims
    audit: Audit
    cards: Sequence[AnyResults]


@singledispatch
def decide(assertion: Assertion, evidence: Evidence) -> Decision:
    """The verdict on an assertion, with the assertion in words at the start of the reason.

    Every form of assertion registers its own function.

    Args:
        assertion: The assertion.
        evidence: What is known about it.

    Returns:
        The verdict.

    Raises:
        TypeError: No function is registered for the form.
    """
    raise TypeError(f"no verdict for {type(assertion).__name__}")


@decide.register
def _superior(assertion: Superior, evidence: Evidence) -> Decision:
    words = f"{assertion.a} better than {assertion.b} in {_decided(assertion, evidence)}"
    return _explained(words, interval_decision(assertion, _gain(assertion, evidence.cards)))


@decide.register
def _not_superior(assertion: NotSuperior, evidence: Evidence) -> Decision:
    words = f"{assertion.a} not better than {assertion.b} in {_decided(assertion, evidence)}"
    return _explained(words, interval_decision(assertion, _gain(assertion, evidence.cards)))


@decide.register
def _equivalent(assertion: Equivalent, evidence: Evidence) -> Decision:
    words = f"{assertion.a} and {assertion.b} equivalent in {_decided(assertion, evidence)}"
    return _explained(words, interval_decision(assertion, _gain(assertion, evidence.cards)))


@decide.register
def _at_least(assertion: AtLeast, evidence: Evidence) -> Decision:
    level = _level(assertion, evidence, "at least")
    return _explained(level, interval_decision(assertion, _figure(assertion, evidence)))


@decide.register
def _at_most(assertion: AtMost, evidence: Evidence) -> Decision:
    level = _level(assertion, evidence, "at most")
    return _explained(level, interval_decision(assertion, _figure(assertion, evidence)))


@decide.register
def _diagnosis(assertion: Diagnosis, evidence: Evidence) -> Decision:
    (card,) = evidence.cards
    runs = tuple(_shows(card, index, assertion.finding) for index in range(len(card.runs)))
    decision = present(runs, " or ".join(assertion.finding), every_seed_alike=card.every_seed_alike)
    return _explained(assertion.card, decision)


@decide.register
def _threshold_matters(assertion: ThresholdMatters, evidence: Evidence) -> Decision:
    metric = label_of(assertion.metric)
    words = f"{assertion.card} better in {metric} at the threshold from validation than at 0.5"
    if isinstance(evidence.cards[0], MulticlassResults):
        count = len(evidence.cards[0].classes)
        why = f"cannot be judged on {count} classes: `threshold_matters` is for two classes only"
        return _explained(words, Decision("not comparable", why))
    return _explained(words, above(_gain_of_threshold(assertion.metric, evidence.cards[0]), assertion.margin))


@decide.register
def _matrix_of(assertion: MatrixOf, evidence: Evidence) -> Decision:
    """Whether the printed matrix is among the feasible matrices of the card's row."""
    claims, audit = evidence.claims, evidence.audit
    matrix = next(matrix for matrix in claims.matrices if matrix.row == assertion.matrix)
    row = next((row for row in claims.rows if assertion.card in (row.card, row.name)), None)
    if isinstance(matrix, PrintedClassMatrix):
        return _class_matrix_of(matrix, row, assertion.card)
    printed = confusion_of(matrix)
    audited = next((audited for audited in audit.rows if row is not None and audited.name == row.name), None)
    matrices = None if audited is None else audited.matrices
    if row is None or audited is None or matrices is None or not any(map(is_of_decisions, row.figures)):
        return Decision("inconclusive", f"no printed figure determines the confusion matrix of {assertion.card}")
    if printed in (*matrices, *(audited.cut or ())):
        return Decision("reproduced", f"{counts(printed)} gives the figures of {row.name}")
    only = f", which come from {counts(matrices[0])}" if len(matrices) == 1 else ""
    return Decision("impossible", f"{counts(printed)} does not give the figures of {row.name}{only}")


def _class_matrix_of(matrix: PrintedClassMatrix, row: Row | None, card: str) -> Decision:
    """Whether a printed matrix of several classes gives every final test figure of a row."""
    final = () if row is None else tuple(f for f in row.figures if f.split == "test" and f.epoch is None)
    decided = [each for each in final if gives(matrix, each) is not None]
    if row is None or not decided:
        return Decision("inconclusive", f"no printed figure determines the confusion matrix of {card}")
    misfits = [each for each in decided if gives(matrix, each) is False]
    if not misfits:
        return Decision("reproduced", f"{shape(matrix)} gives the figures of {row.name}")
    others = listed([named(each) for each in misfits])
    return Decision("impossible", f"{shape(matrix)} does not give {others} of {row.name}")


def _explained(words: str, decision: Decision) -> Decision:
    return replace(decision, reason=f"{words}: {decision.reason}")


def _level(assertion: AtLeast, evidence: Evidence, bound: str) -> str:
    split = "" if assertion.split == "test" else f"{assertion.split} "
    decisions = decisions_in_words(assertion, evidence.cards)
    level = f"{assertion.card} {split}{label_of(assertion.key)} {bound} {assertion.value:g}"
    return level if decisions is None else f"{level}, {decisions}"


def _decided(assertion: OfFigure, evidence: Evidence) -> str:
    decisions = decisions_in_words(assertion, evidence.cards)
    return label_of(assertion.key) if decisions is None else f"{label_of(assertion.key)}, {decisions}"


def _figure(assertion: AtLeast, evidence: Evidence) -> SampleEstimate:
    (card,) = evidence.cards
    chosen = by_chosen(assertion, card)
    if isinstance(card, MulticlassResults):
        return class_figure(card, assertion.key, assertion.split, chosen=chosen)
    if assertion.key != assertion.metric:
        return SampleEstimate.missing(len(card.test[0]), _TWO_CLASSES.format(label_of(assertion.key)))
    return figure(card, assertion.metric, assertion.split, chosen=chosen)


def _shows(card: AnyResults, index: int, codes: Sequence[str]) -> bool | None:
    """Whether a run shows one of the faults `codes`; None where the run could not have shown them."""
    if any(finding.code in codes for finding in card.findings[index]):
        return True
    run = card.runs[index]
    return (
        False if all(observable(code, run.checks, cross_entropies(run), run.split.classes) for code in codes) else None
    )


def _gain(assertion: Superior | Equivalent, cards: Sequence[AnyResults]) -> SampleEstimate:
    """How much better A is than B, whichever direction the metric has."""
    if assertion.split != "test" or not has_direction(assertion.key):
        why = f"{assertion.split} {label_of(assertion.key)} has no paired comparison by image"
        return SampleEstimate.missing(1, why)
    first, second = cards
    n, chosen = len(first.test[0]), by_chosen(assertion, first)
    if isinstance(first, MulticlassResults) and isinstance(second, MulticlassResults):
        return as_gain(estimate(class_difference(first, second, assertion.key, chosen=chosen), n), assertion.key)
    if isinstance(first, MulticlassResults) or isinstance(second, MulticlassResults):
        return SampleEstimate.missing(n, "the cards were scored on data with different classes")
    if assertion.key != assertion.metric:
        return SampleEstimate.missing(n, _TWO_CLASSES.format(label_of(assertion.key)))
    return as_gain(estimate(difference(first, second, assertion.metric, chosen=chosen), n), assertion.metric)


def _gain_of_threshold(metric: str, card: AnyResults) -> SampleEstimate:
    """How much better a card is at its chosen thresholds than at 0.5, whichever direction the metric has."""
    if not has_direction(metric):
        return SampleEstimate.missing(1, f"{label_of(metric)} has no paired comparison by image")
    if isinstance(card, MulticlassResults):
        raise TypeError("three classes or more have no threshold of a positive class")
    return as_gain(estimate(gain_of_threshold(card, metric), len(card.test[0])), metric)


def as_gain(estimate: SampleEstimate, metric: str) -> SampleEstimate:
    """A difference with its sign reversed where lower values of the metric are better."""
    record = find_metric(metric) or find_multiclass(metric)
    if record is None or record.direction != "lower" or estimate.value is None:
        return estimate
    low, high = (None, None) if estimate.bounds is None else (-estimate.bounds[1], -estimate.bounds[0])
    return replace(estimate, value=-estimate.value, low=low, high=high)

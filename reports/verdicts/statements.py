"""Statements against what was measured: a verdict for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.evidence.comparison.verdict import Decision, Estimate, above, all_hold, any_holds, below, seen, within
from benchmark.evidence.diagnosis.causes import observable
from benchmark.evidence.metrics.definitions import get_metric, label_of
from reports.audit.audit import Audit
from reports.audit.figures import counts
from reports.audit.matrices import confusion_of
from reports.claims.model import Claims
from reports.claims.statement import (
    Alike,
    Better,
    Diagnosis,
    Form,
    Level,
    MatrixOf,
    NoBetter,
    Statement,
    ThresholdMatters,
)
from reports.results.measured import Measured, cross_entropies
from reports.results.pairs import difference, estimate, figure, gain_of_threshold
from reports.verdicts.figures import SYNTHETIC, Judgement, has_direction, is_of_decisions, other_protocol


def judge_statements(claims: Claims, audit: Audit, measured: Mapping[str, Measured]) -> tuple[Judgement, ...]:
    """A verdict for every statement, in the order of the file."""
    return tuple(_judge_statement(claims, audit, statement, measured) for statement in claims.statements)


def cards_of(form: Form) -> tuple[str, ...]:
    """The cards whose runs a form is judged by; none for a printed matrix."""
    said = getattr(form, form.name)
    if isinstance(said, MatrixOf):
        return ()
    return (said.a, said.b) if isinstance(said, (Better, Alike)) else (said.card,)


def _judge_statement(claims: Claims, audit: Audit, statement: Statement, measured: Mapping[str, Measured]) -> Judgement:
    says = statement.says
    parts = [_judge_form(form, claims, audit, measured) for form in says.forms()]
    decision = any_holds(parts) if says.any else all_hold(parts)
    words = statement.reading or statement.translation or statement.text
    return Judgement(statement.id, words, statement.where, decision, quote=statement.text)


def _judge_form(form: Form, claims: Claims, audit: Audit, measured: Mapping[str, Measured]) -> Decision:
    said = getattr(form, form.name)
    if isinstance(said, MatrixOf):
        return _matrix_of(said, claims, audit)
    names = cards_of(form)
    missing = [name for name in names if name not in measured]
    if missing:
        return Decision("not run", f"the store holds no finished run of {', '.join(missing)}")
    decision = _decide(form, [measured[name] for name in names])
    decision = Decision(decision.verdict, f"{_said(form)}: {decision.reason}", decision.needed)
    spec = measured[names[0]].runs[0].spec
    other = other_protocol(claims, spec)
    if spec.dataset.synthetic or other is not None:
        why = SYNTHETIC if spec.dataset.synthetic else other
        return Decision("not comparable", f"{why}; there it reads {decision.verdict}: {decision.reason}")
    return decision


def _decide(form: Form, cards: list[Measured]) -> Decision:
    match getattr(form, form.name):
        case NoBetter() as said:
            return below(_gain(said, cards), said.margin)
        case Better() as said:
            return above(_gain(said, cards), said.margin)
        case Alike() as said:
            return within(_gain(said, cards), said.within)
        case Level() as said:
            judge = above if form.name == "at_least" else below
            return judge(figure(cards[0], said.metric, said.split), said.value)
        case Diagnosis() as said:
            return seen(
                tuple(_has(cards[0], place, said.finding) for place in range(len(cards[0].runs))),
                " or ".join(said.finding),
            )
        case ThresholdMatters() as said:
            return above(_gain_of_threshold(said.metric, cards[0]), said.margin)
        case other:
            raise TypeError(f"no verdict for {type(other).__name__}")


def _has(card: Measured, place: int, codes: Sequence[str]) -> bool | None:
    """Whether a run shows one of the faults `codes`; None where it does not, and could not."""
    if any(finding.code in codes for finding in card.findings[place]):
        return True
    run = card.runs[place]
    return (
        False if all(observable(code, run.checks, cross_entropies(run), run.split.classes) for code in codes) else None
    )


def _gain(said: Better | Alike, cards: list[Measured]) -> Estimate:
    """How much better A is than B, whichever direction the metric has."""
    if said.split != "test" or not has_direction(said.metric):
        return Estimate(None, None, None, 1, f"{said.split} {label_of(said.metric)} is not compared by image")
    return _turned(estimate(difference(cards[0], cards[1], said.metric), len(cards[0].test[0])), said.metric)


def _gain_of_threshold(metric: str, card: Measured) -> Estimate:
    """How much better a card is at its chosen thresholds than at 0.5, whichever direction the metric has."""
    if not has_direction(metric):
        return Estimate(None, None, None, 1, f"{label_of(metric)} is not compared by image")
    return _turned(estimate(gain_of_threshold(card, metric), len(card.test[0])), metric)


def _turned(estimate: Estimate, metric: str) -> Estimate:
    if get_metric(metric).direction != "lower" or estimate.value is None:
        return estimate
    low, high = estimate.low, estimate.high
    return Estimate(
        -estimate.value, None if high is None else -high, None if low is None else -low, estimate.n, estimate.reason
    )


def _matrix_of(said: MatrixOf, claims: Claims, audit: Audit) -> Decision:
    """By the audit alone: whether the printed matrix is one of those that print the card's row."""
    printed = next(confusion_of(matrix) for matrix in claims.matrices if matrix.row == said.matrix)
    row = next((row for row in claims.rows if row.card == said.card), None)
    matrices = next((audited.matrices for audited in audit.rows if row is not None and audited.name == row.name), None)
    if row is None or matrices is None or not any(is_of_decisions(figure) for figure in row.figures):
        return Decision("inconclusive", f"no printed figure says which confusion matrix {said.card} has")
    cut = next((audited.cut for audited in audit.rows if audited.name == row.name), ())
    if printed in (*matrices, *(cut or ())):
        return Decision("reproduced", f"{counts(printed)} gives the figures of {row.name}")
    own = f", which come from {counts(matrices[0])}" if len(matrices) == 1 else ""
    return Decision("impossible", f"{counts(printed)} does not give the figures of {row.name}{own}")


def _said(form: Form) -> str:
    match getattr(form, form.name):
        case NoBetter() as said:
            return f"{said.a} not better than {said.b} in {label_of(said.metric)}"
        case Better() as said:
            return f"{said.a} better than {said.b} in {label_of(said.metric)}"
        case Alike() as said:
            return f"{said.a} and {said.b} alike in {label_of(said.metric)}"
        case Level() as said:
            split = "" if said.split == "test" else f"{said.split} "
            return f"{said.card} {split}{label_of(said.metric)} {form.name.replace('_', ' ')} {said.value:g}"
        case ThresholdMatters() as said:
            return f"{said.card} better in {label_of(said.metric)} at the threshold from validation than at 0.5"
        case said:
            return str(said.card)

"""Views of claims for the page: those that hold, those that do not, and undetermined ones, with their evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from benchmark.evidence.comparison.verdict import Verdict
from reports.audit.audit import AuditRow
from reports.findings import AnsweredClaims
from reports.render.html.bars import Axis, Bar, axis_over
from reports.render.words import ANSWER_TITLES
from reports.text import capital
from reports.verdicts.attribution import ChangeEffect
from reports.verdicts.figures import ClaimVerdict
from reports.verdicts.report import ClaimsReport
from reports.verdicts.style import TONES
from reports.verdicts.text import decimals, flip_text, margin_text, origin_text

_LEAST_TO_GROUP = 3


@dataclass(frozen=True)
class ClaimItem:
    """One claim.

    Attributes:
        claim: The claim with its verdict.
        card: The card it is about, if the page has a section of that card.
        decimals: Decimals of its figures.
        reasons: The parts of the reason of the verdict.
        bar: Published and measured figure; None for a claim without both.
        flip: From which margin or bound on its verdict would be another one; empty where no single interval decides.
        origin: Where the margin of a statement comes from; empty where the statement does not say it.
    """

    claim: ClaimVerdict
    card: str | None
    decimals: int
    reasons: tuple[str, ...]
    bar: Bar | None
    flip: str = ""
    origin: str = ""


@dataclass(frozen=True)
class ClaimGroup:
    """Claims with the same verdict and reason, or a single claim."""

    verdict: Verdict
    reason: str
    items: tuple[ClaimItem, ...]


@dataclass(frozen=True)
class AnswerSection:
    """The claims with one answer, under its `key` and `title`; `counts` are by verdict."""

    key: str
    title: str
    total: int
    counts: Mapping[Verdict, int]
    groups: tuple[ClaimGroup, ...]


@dataclass(frozen=True)
class EffectRow:
    """The effect of a change, and its bar."""

    effect: ChangeEffect
    bar: Bar | None


@dataclass(frozen=True)
class ClaimsView:
    """One claims file.

    Attributes:
        report: The claims with their verdicts.
        answers: The claims by answer.
        effects: Effects of changes by card; `effects_axis` is the axis of their bars.
        margin: The margins and where they come from, in a sentence.
        rows: The audited rows, each with the least and largest TP, FP, TN and FN of the matrices that print it; empty
            without matrices.
    """

    report: ClaimsReport
    answers: tuple[AnswerSection, ...]
    effects: Mapping[str, tuple[EffectRow, ...]]
    effects_axis: Axis | None
    margin: str
    rows: tuple[tuple[AuditRow, tuple[tuple[int, int], ...]], ...]


def claims_view(report: ClaimsReport, answers: Iterable[AnsweredClaims], cards: Iterable[str]) -> ClaimsView:
    """Build the view of one claims file.

    Args:
        report: The claims with their verdicts.
        answers: The same claims by answer.
        cards: Names of the cards that have a section in the page.

    Returns:
        The view.
    """
    cards = set(cards)
    card_of = {row.name: row.card for row in report.claims.rows if row.card in cards}
    estimates = [each.effect for changes in report.changes.values() for each in changes]
    axis = axis_over((x for e in estimates for x in (e.value, e.low, e.high)), zero=True)
    return ClaimsView(
        report=report,
        answers=tuple(_answer(answered, card_of) for answered in answers),
        effects={card: tuple(_effect(each, axis) for each in changes) for card, changes in report.changes.items()},
        effects_axis=axis,
        margin=margin_text(report.claims),
        rows=tuple((row, _spans(row)) for row in report.audit.rows),
    )


def _answer(answered: AnsweredClaims, card_of: Mapping[str, str | None]) -> AnswerSection:
    verdicts = Counter(claim.decision.verdict for claim in (*answered.statements, *answered.figures))
    return AnswerSection(
        key=TONES[answered.answer],
        title=ANSWER_TITLES[answered.answer],
        total=len(answered),
        counts=dict(verdicts.most_common()),
        groups=tuple(_groups(answered, card_of)),
    )


def _groups(answered: AnsweredClaims, card_of: Mapping[str, str | None]) -> Iterator[ClaimGroup]:
    """Statements one by one; then printed figures, grouped by reason if several have the same."""
    for claim in answered.statements:
        yield _single(claim, card_of)
    for verdict, reason, claims in answered.reasons:
        figures = [claim for claim in claims if claim.published is not None]
        if len(figures) >= _LEAST_TO_GROUP:
            yield ClaimGroup(verdict, reason, tuple(_item(claim, card_of) for claim in figures))
        else:
            yield from (_single(claim, card_of) for claim in figures)


def _single(claim: ClaimVerdict, card_of: Mapping[str, str | None]) -> ClaimGroup:
    return ClaimGroup(claim.decision.verdict, claim.decision.reason, (_item(claim, card_of),))


def _item(claim: ClaimVerdict, card_of: Mapping[str, str | None]) -> ClaimItem:
    reasons = tuple(claim.decision.reason.split("; "))
    flip, origin = capital(flip_text(claim)), capital(origin_text(claim))
    return ClaimItem(claim, card_of.get(claim.about), decimals(claim), reasons, _figure_bar(claim), flip, origin)


def _figure_bar(claim: ClaimVerdict) -> Bar | None:
    printed, measured = claim.published, claim.measured
    if printed is None or measured is None or measured.value is None:
        return None
    published = (printed.value, printed.value if printed.upper is None else printed.upper)
    axis = axis_over((*published, measured.value, measured.low, measured.high))
    return None if axis is None else Bar(axis, measured.value, measured.bounds, published)


def _effect(change: ChangeEffect, axis: Axis | None) -> EffectRow:
    return EffectRow(change, None if axis is None else Bar(axis, change.effect.value, change.effect.bounds))


def _spans(row: AuditRow) -> tuple[tuple[int, int], ...]:
    matrices = row.matrices or row.cut or ()
    counts = [[getattr(matrix, name) for matrix in matrices] for name in ("tp", "fp", "tn", "fn") if matrices]
    return tuple((min(values), max(values)) for values in counts)

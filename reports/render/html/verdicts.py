"""Claims as a page shows them: what holds, what does not and what cannot be told, each with its evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from benchmark.evidence.comparison.verdict import Verdict
from reports.audit.audit import AuditRow
from reports.findings import Answered
from reports.render.html.bars import Axis, Bar, axis_over
from reports.verdicts.attribution import ChangeEffect
from reports.verdicts.figures import ClaimVerdict
from reports.verdicts.report import ClaimsReport
from reports.verdicts.style import TONES
from reports.verdicts.text import decimals

_BUNDLED = 3


@dataclass(frozen=True)
class ClaimItem:
    """One claim. `card` is the card it is about, where the page has a section of it; `decimals` are those to print its
    figures with; `reasons` are the parts of the verdict's reason."""

    judged: ClaimVerdict
    card: str | None
    decimals: int
    reasons: tuple[str, ...]
    bar: Bar | None


@dataclass(frozen=True)
class ClaimBundle:
    """Claims with one verdict for one reason; a single one stands alone."""

    verdict: Verdict
    reason: str
    items: tuple[ClaimItem, ...]


@dataclass(frozen=True)
class AnswerSection:
    """One of the three parts of the verdicts, under its `key` and `title`, with the number of claims by verdict."""

    key: str
    title: str
    total: int
    counts: Mapping[Verdict, int]
    bundles: tuple[ClaimBundle, ...]


@dataclass(frozen=True)
class EffectRow:
    """A single change and its bar."""

    cause: ChangeEffect
    bar: Bar | None


@dataclass(frozen=True)
class ClaimsView:
    """Everything that is shown of one claims file. `rows` hold the audited rows, each with the least and largest TP,
    FP, TN and FN of the matrices that print it; none where there are no matrices."""

    report: ClaimsReport
    answers: tuple[AnswerSection, ...]
    effects: Mapping[str, tuple[EffectRow, ...]]
    effects_axis: Axis | None
    rows: tuple[tuple[AuditRow, tuple[tuple[int, int], ...]], ...]


def claims_view(report: ClaimsReport, answered: Iterable[Answered], cards: Iterable[str]) -> ClaimsView:
    """`report` and its three answers as the page shows them, which has a section of each of `cards`."""
    held = set(cards)
    of_row = {row.name: row.card for row in report.claims.rows if row.card in held}
    causes = [cause for found in report.causes.values() for cause in found]
    axis = axis_over((x for c in causes for x in (c.effect.value, c.effect.low, c.effect.high)), zero=True)
    return ClaimsView(
        report=report,
        answers=tuple(_answer(one, of_row) for one in answered),
        effects={card: tuple(_effect(cause, axis) for cause in found) for card, found in report.causes.items()},
        effects_axis=axis,
        rows=tuple((row, _spans(row)) for row in report.audit.rows),
    )


def _answer(answered: Answered, of_row: Mapping[str, str | None]) -> AnswerSection:
    verdicts = Counter(judged.decision.verdict for judged in (*answered.statements, *answered.figures))
    return AnswerSection(
        key=TONES[answered.answer],
        title=f"What {answered.answer}",
        total=len(answered),
        counts=dict(verdicts.most_common()),
        bundles=tuple(_bundles(answered, of_row)),
    )


def _bundles(answered: Answered, of_row: Mapping[str, str | None]) -> Iterator[ClaimBundle]:
    """Statements one by one; then printed figures, those with the same reason together where they are several."""
    for judged in answered.statements:
        yield _alone(judged, of_row)
    for verdict, reason, alike in answered.reasons:
        figures = [judged for judged in alike if judged.published is not None]
        if len(figures) >= _BUNDLED:
            yield ClaimBundle(verdict, reason, tuple(_item(judged, of_row) for judged in figures))
        else:
            yield from (_alone(judged, of_row) for judged in figures)


def _alone(judged: ClaimVerdict, of_row: Mapping[str, str | None]) -> ClaimBundle:
    return ClaimBundle(judged.decision.verdict, judged.decision.reason, (_item(judged, of_row),))


def _item(judged: ClaimVerdict, of_row: Mapping[str, str | None]) -> ClaimItem:
    reasons = tuple(judged.decision.reason.split("; "))
    return ClaimItem(judged, of_row.get(judged.about), decimals(judged), reasons, _figure_bar(judged))


def _figure_bar(judged: ClaimVerdict) -> Bar | None:
    printed, found = judged.published, judged.measured
    if printed is None or found is None or found.value is None:
        return None
    published = (printed.value, printed.value if printed.upper is None else printed.upper)
    axis = axis_over((*published, found.value, found.low, found.high))
    return None if axis is None else Bar(axis, found.value, found.bounds, published)


def _effect(cause: ChangeEffect, axis: Axis | None) -> EffectRow:
    found = cause.effect
    return EffectRow(cause, None if axis is None else Bar(axis, found.value, found.bounds))


def _spans(row: AuditRow) -> tuple[tuple[int, int], ...]:
    found = row.matrices or row.cut or ()
    counts = [[getattr(matrix, name) for matrix in found] for name in ("tp", "fp", "tn", "fn") if found]
    return tuple((min(values), max(values)) for values in counts)

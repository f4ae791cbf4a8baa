"""The findings of a section: which claims hold, which do not, which are undetermined, and further remarks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from benchmark.evidence.comparison.verdict import VERDICTS, Answer, Verdict
from benchmark.evidence.metrics.registry import label_of
from reports.audit.figures import SEVERITIES
from reports.report import Section
from reports.results.card_figures import CardFigures
from reports.results.multiclass_text import lowest_recall
from reports.results.pairs import Ranking
from reports.text import estimate, listed, number, plural
from reports.verdicts.figures import ClaimVerdict
from reports.verdicts.report import ClaimsReport

ANSWERS: tuple[Answer, ...] = get_args(Answer)
"""The answers to "does the claim hold?", in the order of a report."""


@dataclass(frozen=True)
class AnsweredClaims:
    """The claims of one file with the same answer.

    Attributes:
        answer: The answer to "does the claim hold?".
        statements: The statements with this answer, in the order of the file.
        figures: The figures with this answer, in the order of the file.
        reasons: All of them by verdict and reason, the most frequent first.
    """

    answer: Answer
    statements: tuple[ClaimVerdict, ...]
    figures: tuple[ClaimVerdict, ...]
    reasons: tuple[tuple[Verdict, str, tuple[ClaimVerdict, ...]], ...]

    def __len__(self) -> int:
        return len(self.statements) + len(self.figures)


@dataclass(frozen=True)
class Findings:
    """The findings of a section.

    Attributes:
        claims: For each claims file its title and its claims by answer, in the order of `ANSWERS`, empty ones too.
        remarks: Sentences about runs, cards and faults.
    """

    claims: tuple[tuple[str, tuple[AnsweredClaims, ...]], ...]
    remarks: tuple[str, ...]

    def counts(self) -> dict[Answer, int]:
        """The number of claims by answer, over all files."""
        return {
            answer: sum(len(one) for _, answers in self.claims for one in answers if one.answer == answer)
            for answer in ANSWERS
        }


def findings(section: Section) -> Findings:
    """The findings of a section."""
    return Findings(
        claims=tuple((report.claims.title, _answers(report)) for report in section.claims),
        remarks=tuple(_remarks(section)),
    )


def _answers(report: ClaimsReport) -> tuple[AnsweredClaims, ...]:
    answered = []
    for answer in ANSWERS:
        statements = tuple(_with_answer(answer, report.statements))
        figures = tuple(_with_answer(answer, report.figures))
        answered.append(AnsweredClaims(answer, statements, figures, _reasons((*statements, *figures))))
    return tuple(answered)


def _with_answer(answer: Answer, claims: Iterable[ClaimVerdict]) -> Iterator[ClaimVerdict]:
    return (each for each in claims if VERDICTS[each.decision.verdict].answer == answer)


def _reasons(claims: Sequence[ClaimVerdict]) -> tuple[tuple[Verdict, str, tuple[ClaimVerdict, ...]], ...]:
    by_reason: dict[tuple[Verdict, str], list[ClaimVerdict]] = {}
    for claim in claims:
        by_reason.setdefault((claim.decision.verdict, claim.decision.reason), []).append(claim)
    reasons = [(verdict, reason, tuple(group)) for (verdict, reason), group in by_reason.items()]
    return tuple(sorted(reasons, key=lambda reason: -len(reason[2])))


def _remarks(section: Section) -> Iterator[str]:
    failed = sum(run.status == "failed" for run in section.runs)
    cards, runs = len(section.cards), len(section.runs)
    ended = "all finished" if not failed else f"{failed} failed"
    kind = "run" if section.runs[0].spec.protocol.test_folds is None else "cross-validation"
    yield f"{plural(runs, kind)} of {plural(cards, 'card')}; {ended}."
    if section.ranking is not None:
        yield _leading(section.ranking)
    if (weakest := _weakest_class(section)) is not None:
        yield weakest
    for report in section.claims:
        severities = [finding.severity for finding in report.audit.findings]
        counts = [_severity_count(severities.count(name), name) for name in SEVERITIES if name in severities]
        if counts:
            yield f"Audit of the published figures ({report.claims.title}): {', '.join(counts)}."
    faults = list(_faults(section.cards))
    yield from section.split_faults
    if faults:
        share = f"{len(faults)} of {plural(cards, 'card')}"
        yield f"Faults of training or decision were found in {share}: {'; '.join(faults)}."
    elif any(card.at_half for card in section.cards):
        yield "No fault of training or decision was found in any run."


def _leading(ranking: Ranking) -> str:
    """The cards with the best figure, and the others that are not distinguishable from them."""
    first, *others = ranking.figures
    best = ranking.figures[first]
    tied = [name for name in others if ranking.figures[name].value == best.value]
    letters = set(ranking.letters[first])
    similar = [name for name in others if name not in tied and letters & set(ranking.letters[name])]
    value = number(best.value) if tied else estimate(best)
    if best.bounds is None and best.reason is not None:
        value += f" (no interval: {best.reason})"
    share = f"{listed([first, *tied])} share" if tied else f"{first} has"
    sentence = f"{share} the best test {label_of(ranking.metric)}, {value}"
    if similar:
        return f"{sentence}; not distinguishable from it: {', '.join(similar)}."
    return f"{sentence}; every other card differs significantly." if len(tied) < len(others) else f"{sentence}."


def _weakest_class(section: Section) -> str | None:
    """The class with the lowest recall of the leading card, or of the only one; a mean over classes may hide it."""
    if section.multiclass is None:
        return None
    finished = [card for card in section.cards if card.at_half]
    first = finished[0].card.name if len(finished) == 1 else None
    if section.ranking is not None:
        first = next(iter(section.ranking.figures))
    card = next((each for each in finished if each.card.name == first), None)
    lowest = None if card is None else lowest_recall(card.at_half, section.classes)
    if card is None or lowest is None:
        return None
    name, figure = lowest
    return f"The lowest recall of a class by {card.card.name} is that of {name}, {estimate(figure)}."


def _faults(cards: Sequence[CardFigures]) -> Iterator[str]:
    for card in cards:
        titles = [
            title + ("" if count == len(card.seeds) else f" in {count} of {len(card.seeds)} runs")
            for title, count in card.diagnosis.items()
        ]
        if titles:
            yield f"{card.card.name} ({', '.join(titles)})"


def _severity_count(count: int, severity: str) -> str:
    """A severity with its count; "impossible" has no plural."""
    return f"{count} {severity}" if severity == "impossible" else plural(count, severity)

"""The findings of a section beyond its summary: which claims hold, and remarks about all runs and cards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from benchmark.evidence.comparison.verdict import VERDICTS, Answer, Verdict
from benchmark.runs.cross_validation import is_unfinished
from reports.audit.figures import SEVERITIES
from reports.report import Section
from reports.results.comparison.card_figures import CardFigures
from reports.text import plural
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
    pending = sum(map(is_unfinished, section.runs))
    failed = sum(run.status == "failed" for run in section.runs) - pending
    cards, runs = len(section.cards), len(section.runs)
    ends = [f"{failed} failed"] * bool(failed) + [f"{pending} not finished yet"] * bool(pending)
    best = None if section.summary is None else section.summary.best
    if not ends and best is not None and best.unfinished:
        further = plural(best.unfinished, "further card")
        ends = [f"all finished; {further} {'has' if best.unfinished == 1 else 'have'} not"]
    ended = ", ".join(ends) or "all finished"
    kind = "run" if section.runs[0].spec.protocol.test_folds is None else "cross-validation"
    yield f"{plural(runs, kind)} of {plural(cards, 'card')}; {ended}."
    for report in section.claims:
        severities = [finding.severity for finding in report.audit.findings]
        counts = [_severity_count(severities.count(name), name) for name in SEVERITIES if name in severities]
        if counts:
            yield f"Audit of the published figures ({report.claims.title}): {', '.join(counts)}."
    faults = list(_faults(section.cards))
    if faults:
        share = f"{len(faults)} of {plural(cards, 'card')}"
        yield f"Faults of training or decision were found in {share}: {'; '.join(faults)}."
    elif any(card.at_half for card in section.cards):
        yield "No fault of training or decision was found in any run."


def _faults(cards: Sequence[CardFigures]) -> Iterator[str]:
    for card in cards:
        titles = [
            title + ("" if count == len(card.seeds) else f" in {count} of {len(card.seeds)} runs")
            for title, count in card.diagnosis.items()
        ]
        if titles:
            yield f"{card.card.title} [{card.card.name}] ({', '.join(titles)})"


def _severity_count(count: int, severity: str) -> str:
    """A severity with its count; the adjectives have no plural."""
    return f"{count} {severity}" if severity in ("impossible", "ambiguous") else plural(count, severity)

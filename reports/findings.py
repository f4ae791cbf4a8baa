"""What a section found, told first: which claims hold, which do not, which cannot be told, and what else stands out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from benchmark.evidence.comparison.verdict import VERDICTS, Answer, Verdict
from benchmark.evidence.metrics.definitions import label_of
from reports.audit.figures import SEVERITIES
from reports.report import Section
from reports.results.card_figures import CardFigures
from reports.results.pairs import Ranking
from reports.text import estimate, plural
from reports.verdicts.figures import ClaimVerdict
from reports.verdicts.report import ClaimsReport

ANSWERS: tuple[Answer, ...] = get_args(Answer)
"""The answers to "does the claim hold?", in the order of a report."""


@dataclass(frozen=True)
class Answered:
    """Claims of one file with the same answer: `statements` and `figures` in the order of the file, and the same by
    verdict and reason, the most frequent first."""

    answer: Answer
    statements: tuple[ClaimVerdict, ...]
    figures: tuple[ClaimVerdict, ...]
    reasons: tuple[tuple[Verdict, str, tuple[ClaimVerdict, ...]], ...]

    def __len__(self) -> int:
        return len(self.statements) + len(self.figures)


@dataclass(frozen=True)
class Findings:
    """`claims` holds, for each claims file by its title, the three answers in the order of ANSWERS, empty ones too;
    `remarks` are sentences about runs, cards and faults."""

    claims: tuple[tuple[str, tuple[Answered, ...]], ...]
    remarks: tuple[str, ...]

    def counts(self) -> dict[Answer, int]:
        """How many claims have each answer, over all files."""
        return {
            answer: sum(len(one) for _, held in self.claims for one in held if one.answer == answer)
            for answer in ANSWERS
        }


def findings(section: Section) -> Findings:
    """The findings of `section`."""
    return Findings(
        claims=tuple((report.claims.title, _answers(report)) for report in section.claims),
        remarks=tuple(_remarks(section)),
    )


def _answers(report: ClaimsReport) -> tuple[Answered, ...]:
    answered = []
    for answer in ANSWERS:
        statements = tuple(_with_answer(answer, report.statements))
        figures = tuple(_with_answer(answer, report.figures))
        answered.append(Answered(answer, statements, figures, _reasons((*statements, *figures))))
    return tuple(answered)


def _with_answer(answer: Answer, judged: Iterable[ClaimVerdict]) -> Iterator[ClaimVerdict]:
    return (each for each in judged if VERDICTS[each.decision.verdict].answer == answer)


def _reasons(judged: Sequence[ClaimVerdict]) -> tuple[tuple[Verdict, str, tuple[ClaimVerdict, ...]], ...]:
    held: dict[tuple[Verdict, str], list[ClaimVerdict]] = {}
    for one in judged:
        held.setdefault((one.decision.verdict, one.decision.reason), []).append(one)
    found = [(verdict, reason, tuple(alike)) for (verdict, reason), alike in held.items()]
    return tuple(sorted(found, key=lambda one: -len(one[2])))


def _remarks(section: Section) -> Iterator[str]:
    failed = sum(run.status == "failed" for run in section.runs)
    cards, runs = len(section.cards), len(section.runs)
    ended = "all finished" if not failed else f"{failed} failed"
    yield f"{plural(runs, 'run')} of {plural(cards, 'card')}; {ended}."
    if section.ranking is not None:
        yield _leading(section.ranking)
    for report in section.claims:
        severe = [finding.severity for finding in report.audit.findings]
        counted = [_many(severe.count(name), name) for name in SEVERITIES if name in severe]
        if counted:
            yield f"Published figures held against themselves ({report.claims.title}): {', '.join(counted)}."
    faults = list(_faults(section.cards))
    yield from section.split_faults
    if faults:
        yield f"Faults of training or decision were found in {len(faults)} of {cards} cards: {'; '.join(faults)}."
    elif any(card.at_half for card in section.cards):
        yield "No fault of training or decision was found in any run."


def _leading(ranking: Ranking) -> str:
    """The card with the best figure, and whether that can be told from the rest."""
    first = next(iter(ranking.figures))
    found = ranking.figures[first]
    shared = [
        name for name in ranking.figures if name != first and set(ranking.letters[name]) & set(ranking.letters[first])
    ]
    told = "every other card was told apart from it" if not shared else f"no test told it from {', '.join(shared)}"
    return f"The highest test {label_of(ranking.metric)} is that of {first}, {estimate(found)}; {told}."


def _faults(cards: Sequence[CardFigures]) -> Iterator[str]:
    for card in cards:
        titles = [
            title + ("" if count == len(card.seeds) else f" in {count} of {len(card.seeds)} runs")
            for title, count in card.diagnosis.items()
        ]
        if titles:
            yield f"{card.card.name} ({', '.join(titles)})"


def _many(count: int, severity: str) -> str:
    """`severity` counted: impossible is no noun."""
    return f"{count} {severity}" if severity == "impossible" else plural(count, severity)

"""The plain text of verdicts, shared by all renderers."""

from __future__ import annotations

from collections.abc import Iterator

from reports.text import MISSING, decimals_of, estimate, p_text, plural
from reports.verdicts.figures import ClaimVerdict
from reports.verdicts.report import EXPLAINED, ClaimsReport

CAUSE_HEADS = ("card", "single change", "measured by", "effect", "p")
CAUSES_READ = (
    f"Test {EXPLAINED} after a single change minus before it, at threshold 0.5 unless the change is the threshold"
)


def summary(report: ClaimsReport) -> str:
    """The number of figures and statements, and the number of claims by verdict."""
    counts = ", ".join(f"{verdict} {count}" for verdict, count in report.counts().items())
    figures, statements = plural(len(report.figures), "figure"), plural(len(report.statements), "statement")
    return f"{figures} and {statements}; {counts or 'no verdict'}"


def reason(claim: ClaimVerdict) -> str:
    """Why a claim has its verdict, and how many test images could decide an inconclusive one."""
    needed = claim.decision.needed
    return claim.decision.reason + (f"; about {needed:,} test images could decide" if needed else "")


def cause_rows(report: ClaimsReport) -> Iterator[list[str]]:
    """The single changes of each card as rows under `CAUSE_HEADS`."""
    for card, causes in report.causes.items():
        if not causes:
            yield [card, "none was measured", MISSING, MISSING, MISSING]
        for cause in causes:
            effect = estimate(cause.effect, 3, sign=True)
            yield [card, cause.change, cause.other or "the same scores", effect, p_text(cause.p_adjusted)]


def measured(claim: ClaimVerdict) -> str:
    """The measured figure of a claim with its interval, and at which threshold; a dash where there is none."""
    text = estimate(claim.measured, decimals(claim))
    return text if claim.at is None or claim.measured is None or claim.measured.value is None else f"{text} {claim.at}"


def decimals(claim: ClaimVerdict) -> int:
    """The number of decimals for the figures of a claim; 0 for counts."""
    return 3 if claim.published is None else decimals_of(claim.published.metric)

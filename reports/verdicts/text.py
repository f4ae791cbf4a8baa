"""Judged claims in words: what every renderer shows of them, as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from reports.text import MISSING, decimals_of, estimate, p_text
from reports.verdicts.figures import ClaimVerdict
from reports.verdicts.report import EXPLAINED, ClaimsReport

CAUSE_HEADS = ("card", "single change", "measured by", "effect", "p")
CAUSES_READ = f"Test {EXPLAINED} after a single change minus before it, at 0.5 but for the chosen threshold"


def summary(report: ClaimsReport) -> str:
    """How many claims were judged, and how many have each verdict."""
    counted = ", ".join(f"{verdict} {count}" for verdict, count in report.counts().items())
    return f"{len(report.figures)} figures and {len(report.statements)} statements; {counted or 'none judged'}"


def reason(judged: ClaimVerdict) -> str:
    """Why a claim has its verdict, and how many images could decide what these could not."""
    needed = judged.decision.needed
    return judged.decision.reason + (f"; about {needed:,} test images could tell" if needed else "")


def cause_rows(report: ClaimsReport) -> Iterator[list[str]]:
    """The single changes that move a card's figure, as rows under `CAUSE_HEADS`."""
    for card, causes in report.causes.items():
        if not causes:
            yield [card, "none was measured", MISSING, MISSING, MISSING]
        for cause in causes:
            effect = estimate(cause.effect, 3, sign=True)
            yield [card, cause.change, cause.other or "the same scores", effect, p_text(cause.p_adjusted)]


def decimals(judged: ClaimVerdict) -> int:
    """The decimals that the figures of a claim are shown with: none for counts."""
    return 3 if judged.published is None else decimals_of(judged.published.metric)

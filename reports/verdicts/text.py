"""The plain text of verdicts, shared by all renderers."""

from __future__ import annotations

from collections.abc import Iterator

from reports.claims.model import Claims
from reports.text import MISSING, decimals_of, estimate, one_line, p_text, plural
from reports.verdicts.figures import ClaimVerdict
from reports.verdicts.report import EXPLAINED, ClaimsReport

_BY_INTERVAL = ("reproduced", "differs", "inconclusive")
_WRONG_SIDE = 0.025

CHANGE_HEADS = ("card", "change", "measured by", "effect", "p", "Holm")
CHANGES_READ = f"Test {EXPLAINED} after a change minus before it, at threshold 0.5 unless the change is the threshold"


def summary(report: ClaimsReport) -> str:
    """The number of figures and statements, and the number of claims by verdict."""
    counts = ", ".join(f"{verdict} {count}" for verdict, count in report.counts().items())
    figures, statements = plural(len(report.figures), "figure"), plural(len(report.statements), "statement")
    return f"{figures} and {statements}; {counts or 'no verdict'}{_by_chance(report)}"


def _by_chance(report: ClaimsReport) -> str:
    """How many verdicts by intervals are expected to be wrong at most."""
    count_by_interval = sum(count for verdict, count in report.counts().items() if verdict in _BY_INTERVAL)
    if not count_by_interval:
        return ""
    # Where the truth is at the margin, a 95% interval lies wholly on the wrong side of it in 2.5% of samples.
    expected = f"{_WRONG_SIDE * count_by_interval:.1f}"
    return (
        f". Of {plural(count_by_interval, 'verdict')} by an interval, at most about {expected} would be wrong by chance"
    )


def margin_text(claims: Claims) -> str:
    """The margins of a claims file and where they come from, in a sentence."""
    origin = "the file does not say where it comes from" if claims.margin_from is None else claims.margin_from
    return f"Margin of figures {claims.margin:g}, of losses {claims.loss_margin:.0%} of the value: {one_line(origin)}"


def reason(claim: ClaimVerdict) -> str:
    """Why a claim has its verdict, where it would flip, and how many test images would decide an inconclusive one."""
    return "; ".join(filter(None, (claim.decision.reason, flip_text(claim), images_text(claim), origin_text(claim))))


def origin_text(claim: ClaimVerdict) -> str:
    """Where the margin of a statement comes from; empty where the statement does not say it."""
    return "" if claim.margin_from is None else f"its margin: {claim.margin_from}"


def images_text(claim: ClaimVerdict) -> str:
    """How many test images would probably decide an inconclusive verdict; empty where no number is known."""
    needed = claim.decision.needed
    return f"about {needed:,} test images would decide in 80% of cases" if needed else ""


def flip_text(claim: ClaimVerdict) -> str:
    """From which margin or bound on a verdict would be another one; empty where no single interval decides."""
    flip, verdict = claim.decision.flip, claim.decision.verdict
    if flip is None or verdict not in _BY_INTERVAL:
        return ""
    reproduced = f"{flip.reproduced:.3f}"
    differs = None if flip.differs is None else f"{flip.differs:.3f}"
    if flip.limit == "margin":
        at = f"reproduced from a margin of {reproduced} on"
        below = None if differs is None else f"differs below a margin of {differs}"
    else:
        to_reproduce, to_differ = ("below", "above") if flip.limit == "lower bound" else ("above", "below")
        at = f"reproduced for a bound {to_reproduce} {reproduced}"
        below = None if differs is None else f"differs for a bound {to_differ} {differs}"
    if verdict == "reproduced" or below is None or (verdict == "inconclusive" and flip.limit == "margin"):
        return at if verdict == "reproduced" else f"would be {at}"
    return f"would be {at}, and {below}"


def change_rows(report: ClaimsReport) -> Iterator[list[str]]:
    """The changes of each card as rows under `CHANGE_HEADS`."""
    for card, changes in report.changes.items():
        if not changes:
            yield [card, "none was measured", MISSING, MISSING, MISSING, MISSING]
        for each in changes:
            effect = estimate(each.effect, 3, sign=True)
            p_values = (p_text(each.p_value), p_text(each.p_adjusted))
            yield [card, each.change, each.other or "the same scores", effect, *p_values]


def measured(claim: ClaimVerdict) -> str:
    """The measured figure of a claim with its interval, and at which threshold; a dash where there is none."""
    text = estimate(claim.measured, decimals(claim))
    return text if claim.at is None or claim.measured is None or claim.measured.value is None else f"{text} {claim.at}"


def decimals(claim: ClaimVerdict) -> int:
    """The number of decimals for the figures of a claim; 0 for counts."""
    return 3 if claim.published is None else decimals_of(claim.published.metric)

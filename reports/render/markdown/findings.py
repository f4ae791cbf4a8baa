"""Renders the findings of a section as markdown."""

from __future__ import annotations

from collections.abc import Iterator

from reports.findings import ANSWERS, AnsweredClaims, Findings
from reports.render.markdown.table import cell
from reports.render.words import ANSWER_TITLES
from reports.text import plural
from reports.verdicts.figures import ClaimVerdict

_NAMED = 3
"""Up to this many claims with the same reason are named; more are counted."""


def findings_markdown(findings: Findings) -> list[str]:
    """Lines with the counts of claims by answer, further remarks, then the claims."""
    lines = ["### Findings", ""]
    if findings.claims:
        lines += [_counts(findings), ""]
    lines += [*(f"- {cell(remark)}" for remark in findings.remarks), ""]
    for title, answers in findings.claims:
        if len(findings.claims) > 1:
            lines += [f"{cell(title)}:", ""]
        for answered in answers:
            if len(answered):
                lines += [f"**{ANSWER_TITLES[answered.answer]}** ({len(answered)})", "", *_claims(answered), ""]
    return lines


def _counts(findings: Findings) -> str:
    counts = findings.counts()
    impossible = sum(
        claim.decision.verdict == "impossible"
        for _, answers in findings.claims
        for answered in answers
        for claim in (*answered.statements, *answered.figures)
    )
    yes, no, undetermined = (counts[answer] for answer in ANSWERS)
    printed = f" ({impossible} of them impossible as printed)" if impossible else ""
    return (
        f"Of {plural(sum(counts.values()), 'published claim')}, **{yes} hold{'s' if yes == 1 else ''}**, "
        f"**{no} do{'es' if no == 1 else ''} not hold**{printed}, and **{undetermined} "
        f"{'is' if undetermined == 1 else 'are'} undetermined**."
    )


def _claims(answered: AnsweredClaims) -> Iterator[str]:
    """Name the claims; count those that are undetermined for the same reason."""
    if answered.answer != ANSWERS[-1]:
        for claim in (*answered.statements, *answered.figures):
            why = "; impossible as printed" if claim.decision.verdict == "impossible" else ""
            yield f"- {_named(claim)}{why}"
        return
    inconclusive = [claim for verdict, _, group in answered.reasons if verdict == "inconclusive" for claim in group]
    if inconclusive:
        yield f"- inconclusive, too few images or seeds: {'; '.join(map(_named, inconclusive))}"
    for verdict, reason, group in answered.reasons:
        if verdict == "inconclusive":
            continue
        claims = "; ".join(map(_named, group)) if len(group) <= _NAMED else f"{len(group)} claims"
        yield f"- {claims}: {verdict}: {cell(reason)}"


def _named(claim: ClaimVerdict) -> str:
    return f"`{claim.about}`: {cell(claim.claim).rstrip('.')}"

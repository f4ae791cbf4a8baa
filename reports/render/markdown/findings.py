"""What a section found, as markdown lines."""

from __future__ import annotations

from collections.abc import Iterator

from reports.findings import AnsweredClaims, Findings
from reports.render.markdown.table import cell
from reports.text import capital, plural
from reports.verdicts.figures import ClaimVerdict

_NAMED = 3
"""Up to so many claims with the same reason are named; more are counted."""


def findings_markdown(found: Findings) -> list[str]:
    """The counts in a sentence, what else stands out, then the claims by answer."""
    lines = ["### Findings", ""]
    if found.claims:
        lines += [_counts(found), ""]
    lines += [*(f"- {cell(remark)}" for remark in found.remarks), ""]
    for title, answered in found.claims:
        if len(found.claims) > 1:
            lines += [f"{cell(title)}:", ""]
        for one in answered:
            if len(one):
                lines += [f"**{capital(one.answer)}** ({len(one)})", "", *_claims(one), ""]
    return lines


def _counts(found: Findings) -> str:
    counts = found.counts()
    total = sum(counts.values())
    impossible = sum(
        one.decision.verdict == "impossible"
        for _, held in found.claims
        for answered in held
        for one in (*answered.statements, *answered.figures)
    )
    holds, no, untold = (counts[answer] for answer in ("holds", "does not hold", "undetermined"))
    printed = f" ({impossible} of them impossible as printed)" if impossible else ""
    return (
        f"Of {plural(total, 'published claim')}, **{holds} hold{'s' if holds == 1 else ''}**, "
        f"**{no} do{'es' if no == 1 else ''} not**{printed}, and **{untold} cannot be told** from these runs."
    )


def _claims(answered: AnsweredClaims) -> Iterator[str]:
    """Claims that hold, do not or are inconclusive by name; those that could not be judged by their reason."""
    if answered.answer != "undetermined":
        for one in (*answered.statements, *answered.figures):
            why = "; impossible as printed" if one.decision.verdict == "impossible" else ""
            yield f"- {_named(one)}{why}"
        return
    open_ones = [one for verdict, _, alike in answered.reasons if verdict == "inconclusive" for one in alike]
    if open_ones:
        yield f"- inconclusive, on so few images: {'; '.join(map(_named, open_ones))}"
    for verdict, reason, alike in answered.reasons:
        if verdict == "inconclusive":
            continue
        which = "; ".join(map(_named, alike)) if len(alike) <= _NAMED else f"{len(alike)} claims"
        yield f"- {which}: {verdict}: {cell(reason)}"


def _named(judged: ClaimVerdict) -> str:
    return f"`{judged.about}`: {cell(judged.claim).rstrip('.')}"

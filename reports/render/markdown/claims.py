"""Renders claims with their verdicts as markdown."""

from __future__ import annotations

from reports.render.markdown.audit import audit_markdown
from reports.render.markdown.table import cell, table
from reports.render.words import CHANGE_EFFECTS, EFFECTS_OF_CHANGES
from reports.text import estimate
from reports.verdicts.report import ClaimsReport
from reports.verdicts.text import CHANGE_HEADS, change_rows, decimals, margin_text, measured, reason, summary

_FIGURE_HEADS = ("verdict", "row", "published", "measured", "difference", "why", "where")


def claims_markdown(report: ClaimsReport) -> list[str]:
    """Lines with the verdicts, the audit of the published figures and the effects of changes."""
    lines = ["### Claims", "", f"{cell(report.claims.title)}.", ""]
    lines += [f"Compared with {cell(report.data)}: {summary(report)}.", ""]
    lines += [f"{cell(margin_text(report.claims))}.", ""]
    lines += [line for note in report.notes for line in (f"> {cell(note)}", "")]
    if report.statements:
        lines += ["#### Statements", "", *table(["verdict", "statement", "why", "where"], _statements(report)), ""]
    lines += ["#### Published figures", "", *table(_FIGURE_HEADS, _figures(report)), ""]
    lines += ["#### Audit of the published figures", "", *audit_markdown(report.audit), ""]
    if report.changes:
        lines += [f"#### {EFFECTS_OF_CHANGES}", "", CHANGE_EFFECTS, ""]
        lines += [*table(CHANGE_HEADS, ([f"`{card}`", *cells] for card, *cells in change_rows(report))), ""]
    return lines


def _statements(report: ClaimsReport) -> list[list[str]]:
    return [
        [
            claim.decision.verdict,
            f"`{claim.about}`: {claim.claim}" + (f" “{claim.quote}”" if claim.quote else ""),
            reason(claim),
            claim.where,
        ]
        for claim in report.statements
    ]


def _figures(report: ClaimsReport) -> list[list[str]]:
    return [
        [
            claim.decision.verdict,
            f"`{claim.about}`",
            claim.claim,
            measured(claim),
            estimate(claim.difference, decimals(claim), sign=True),
            reason(claim),
            claim.where,
        ]
        for claim in report.figures
    ]

"""Judged claims as markdown lines."""

from __future__ import annotations

from reports.render.markdown.audit import audit_markdown
from reports.render.markdown.table import cell, table
from reports.text import estimate
from reports.verdicts.report import ClaimsReport
from reports.verdicts.text import CAUSE_HEADS, CAUSES_READ, cause_rows, decimals, reason, summary

_FIGURE_HEADS = ("verdict", "row", "published", "measured", "difference", "why", "where")


def claims_markdown(report: ClaimsReport) -> list[str]:
    """Verdicts first, then the audit of the published figures, then what explains the failures."""
    lines = ["### Claims", "", f"{cell(report.claims.title)}.", ""]
    lines += [f"Held against {cell(report.data)}: {summary(report)}.", ""]
    lines += [line for note in report.notes for line in (f"> {cell(note)}", "")]
    if report.statements:
        lines += ["#### Statements", "", *table(["verdict", "statement", "why", "where"], _statements(report)), ""]
    lines += ["#### Published figures", "", *table(_FIGURE_HEADS, _figures(report)), ""]
    lines += ["#### Audit of the published figures", "", *audit_markdown(report.audit), ""]
    if report.causes:
        lines += ["#### What moves the failures", ""]
        paired = "paired by image and counted by patient where patients are known"
        lines += [f"{CAUSES_READ}, {paired}; p by Holm over the changes of a card.", ""]
        lines += [*table(CAUSE_HEADS, ([f"`{card}`", *cells] for card, *cells in cause_rows(report))), ""]
    return lines


def _statements(report: ClaimsReport) -> list[list[str]]:
    return [
        [
            judged.decision.verdict,
            f"`{judged.about}`: {judged.claim}" + (f" “{judged.quote}”" if judged.quote else ""),
            reason(judged),
            judged.where,
        ]
        for judged in report.statements
    ]


def _figures(report: ClaimsReport) -> list[list[str]]:
    return [
        [
            judged.decision.verdict,
            f"`{judged.about}`",
            judged.claim,
            estimate(judged.measured, decimals(judged)),
            estimate(judged.difference, decimals(judged), sign=True),
            reason(judged),
            judged.where,
        ]
        for judged in report.figures
    ]

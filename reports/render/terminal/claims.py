"""Renders claims with their verdicts for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from reports.render.terminal.table import escape, plain_table
from reports.render.words import CHANGE_EFFECTS, EFFECTS_OF_CHANGES
from reports.text import one_line
from reports.verdicts.report import ClaimsReport
from reports.verdicts.style import STYLES
from reports.verdicts.text import CHANGE_HEADS, change_rows, margin_text, reason, summary


def claims_tables(report: ClaimsReport) -> RenderableType:
    """The statements with their verdicts, then the effects of changes."""
    parts: list[RenderableType] = [
        Text(one_line(report.claims.title), style="bold"),
        Text(f"compared with {one_line(report.data)}: {summary(report)}"),
        Text(margin_text(report.claims)),
        *(Text(one_line(note)) for note in report.notes),
    ]
    if report.statements:
        statements = plain_table("verdict", "statement", "why")
        for claim in report.statements:
            verdict = Text(claim.decision.verdict, style=STYLES[claim.decision.verdict].terminal)
            statements.add_row(verdict, escape(f"{claim.about}: {claim.claim}"), escape(reason(claim)))
        parts += [Text(""), statements]
    if report.changes:
        effects = plain_table(*CHANGE_HEADS[:-3], whole=CHANGE_HEADS[-3:])
        for row in change_rows(report):
            effects.add_row(*map(escape, row))
        parts += [Text(""), Text(EFFECTS_OF_CHANGES, style="bold"), Text(CHANGE_EFFECTS), effects]
    return Group(*parts)

"""Judged claims for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from reports.render.terminal.table import escape, plain_table
from reports.text import one_line
from reports.verdicts.report import ClaimsReport
from reports.verdicts.style import STYLES
from reports.verdicts.text import CAUSE_HEADS, CAUSES_READ, cause_rows, reason, summary


def claims_tables(report: ClaimsReport) -> RenderableType:
    """The statements with their verdicts, then what explains the failures."""
    parts: list[RenderableType] = [
        Text(one_line(report.claims.title), style="bold"),
        Text(f"held against {one_line(report.data)}: {summary(report)}"),
        *(Text(one_line(note)) for note in report.notes),
    ]
    if report.statements:
        statements = plain_table("verdict", "statement", "why")
        for judged in report.statements:
            verdict = Text(judged.decision.verdict, style=STYLES[judged.decision.verdict].terminal)
            statements.add_row(verdict, escape(f"{judged.about}: {judged.claim}"), escape(reason(judged)))
        parts += [Text(""), statements]
    if report.causes:
        causes = plain_table(*CAUSE_HEADS[:-2], whole=CAUSE_HEADS[-2:])
        for row in cause_rows(report):
            causes.add_row(*map(escape, row))
        parts += [Text(""), Text(CAUSES_READ), causes]
    return Group(*parts)

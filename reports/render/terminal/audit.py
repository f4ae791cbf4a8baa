"""Renders an audit for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from reports.audit.audit import Audit
from reports.audit.text import ROW_HEADS, citations, derived_text, matrices, subject, summary
from reports.render.terminal.table import escape, plain_table
from reports.text import one_line

_STYLES = {"impossible": "bold red", "contradiction": "bold yellow", "ambiguous": "bold cyan", "note": "bold"}


def audit_tables(audit: Audit) -> RenderableType:
    """The findings with derivation and sources, then the rows with derived figures."""
    parts: list[RenderableType] = [Text(one_line(audit.title), style="bold"), Text(summary(audit)), Text("")]
    for finding in audit.findings:
        head = Text.assemble((finding.severity, _STYLES[finding.severity]), f"  {one_line(subject(finding))}")
        lines = (finding.statement, finding.derivation, f"rests on {citations(finding)}")
        parts += [head, *(Padding(Text(one_line(line)), (0, 0, 0, 2), expand=False) for line in lines), Text("")]
    rows = plain_table(*ROW_HEADS[:2], whole=ROW_HEADS[2:])
    for row in audit.rows:
        # The counts of a single matrix go below each other, because the column of figures is about as long.
        size, *counts = matrices(row)
        cells = [size, *(counts[0].split(", ") if len(counts) == 1 else counts)]
        derived = "\n".join(map(derived_text, row.derived))
        rows.add_row(*map(escape, (row.name, "\n".join(cells), derived)))
    return Group(*parts, rows)

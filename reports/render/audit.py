"""An Audit as a rich renderable and as markdown; nothing here prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from benchmark.evidence.metrics.definitions import label_of
from reports.audit.audit import Audit, AuditRow, Derived
from reports.audit.figures import SEVERITIES, Finding, counts, sizes
from reports.render.markdown.table import table
from reports.render.terminal.tables import escape, plain_table
from reports.text import MISSING, interval, number, one_line

_STYLES = {"impossible": "bold red", "contradiction": "bold yellow", "note": "bold"}
_LISTED = 3


def audit_tables(audit: Audit) -> RenderableType:
    """The findings, each with its derivation and what it rests on, then the rows with what follows from them."""
    parts: list[RenderableType] = [Text(one_line(audit.title), style="bold"), Text(_summary(audit)), Text("")]
    for finding in audit.findings:
        head = Text.assemble((finding.severity, _STYLES[finding.severity]), f"  {one_line(_about(finding))}")
        told = (finding.statement, finding.derivation, f"rests on {_rests_on(finding)}")
        parts += [head, *(Padding(Text(one_line(line)), (0, 0, 0, 2), expand=False) for line in told), Text("")]
    rows = plain_table("row", "confusion matrices")
    rows.add_column("what follows, with 95% intervals", no_wrap=True)
    for row in audit.rows:
        # The counts of one matrix or range below each other: beside them stand about as many figures.
        how_many, *counted = _matrices(row)
        matrices = [how_many, *(counted[0].split(", ") if len(counted) == 1 else counted)]
        rows.add_row(escape(row.name), escape("\n".join(matrices)), escape("\n".join(map(_derived, row.derived))))
    return Group(*parts, rows)


def audit_markdown(audit: Audit) -> list[str]:
    """The lines of two tables, one of the findings and one of the rows."""
    findings = [
        [finding.severity, _about(finding), f"{finding.statement} {finding.derivation}", _rests_on(finding)]
        for finding in audit.findings
    ]
    rows = [[f"`{row.name}`", "; ".join(_matrices(row)), "; ".join(map(_derived, row.derived))] for row in audit.rows]
    lines = [_summary(audit), ""]
    if findings:
        lines += [*table(["severity", "row", "finding", "rests on"], findings), ""]
    return [*lines, *table(["row", "confusion matrices", "what follows, with 95% intervals"], rows)]


def _summary(audit: Audit) -> str:
    held = [finding.severity for finding in audit.findings]
    found = [f"{held.count(severity)} {severity}" for severity in SEVERITIES if severity in held]
    rows = f"{len(audit.rows)} row{'s' if len(audit.rows) > 1 else ''}"
    return f"{rows}; findings: {', '.join(found) or 'none'}"


def _about(finding: Finding) -> str:
    return finding.row if finding.reading is None else f"{finding.row}, read as {finding.reading}"


def _rests_on(finding: Finding) -> str:
    return "; ".join(f"{cited.text} ({cited.where})" for cited in finding.rests_on)


def _matrices(row: AuditRow) -> list[str]:
    """The matrices, or how many there are, or why there are none."""
    if row.matrices is None:
        return [row.reason or MISSING]
    of = f" of {sizes(row.test)}" if row.test else ""
    found = row.matrices or row.cut or ()
    if not found:
        return [f"none{of}"]
    head = f"{len(found)}{of}" + ("" if row.matrices else ", decimals cut")
    return [head, *(map(counts, found) if len(found) <= _LISTED else [_span(found)])]


def _span(matrices: Sequence[object]) -> str:
    parts = []
    for name in ("tp", "fp", "tn", "fn"):
        values = [getattr(matrix, name) for matrix in matrices]
        low, high = min(values), max(values)
        parts.append(f"{name.upper()} {low}" if low == high else f"{name.upper()} {low} to {high}")
    return ", ".join(parts)


def _derived(derived: Derived) -> str:
    low, high = number(derived.low), number(derived.high)
    value = low if low == high else f"{low} to {high}"
    return f"{label_of(derived.metric)} {value} {interval(derived.interval)}".rstrip()

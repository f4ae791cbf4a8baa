"""An audit as markdown lines."""

from __future__ import annotations

from reports.audit.audit import Audit
from reports.audit.text import ROW_HEADS, citations, derived_text, matrices, subject, summary
from reports.render.markdown.table import table


def audit_markdown(audit: Audit) -> list[str]:
    """The lines of two tables, one of the findings and one of the rows."""
    findings = [
        [finding.severity, subject(finding), f"{finding.statement} {finding.derivation}", citations(finding)]
        for finding in audit.findings
    ]
    rows = [
        [f"`{row.name}`", "; ".join(matrices(row)), "; ".join(map(derived_text, row.derived))] for row in audit.rows
    ]
    lines = [summary(audit), ""]
    if findings:
        lines += [*table(["severity", "row", "finding", "rests on"], findings), ""]
    return [*lines, *table(ROW_HEADS, rows)]

"""Renders an audit as markdown."""

from __future__ import annotations

from reports.audit.audit import Audit
from reports.audit.text import ROW_HEADS, citations, derived_text, matrices, subject, summary
from reports.render.markdown.table import table


def audit_markdown(audit: Audit) -> list[str]:
    """Lines with the summary of the audit, a table of its findings and a table of its rows."""
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

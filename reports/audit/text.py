"""The plain text of an audit, shared by all renderers."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.evidence.metrics.registry import label_of
from reports.audit.audit import Audit, AuditRow, DerivedFigure
from reports.audit.figures import SEVERITIES, AuditFinding, counts, sizes
from reports.text import MISSING, interval, number, plural

ROW_HEADS = ("row", "confusion matrices", "implied figures, with 95% intervals")
_LISTED = 3


def summary(audit: Audit) -> str:
    """The number of rows, and the number of findings of each severity."""
    severities = [finding.severity for finding in audit.findings]
    counts_text = [f"{severities.count(severity)} {severity}" for severity in SEVERITIES if severity in severities]
    return f"{plural(len(audit.rows), 'row')}; findings: {', '.join(counts_text) or 'none'}"


def subject(finding: AuditFinding) -> str:
    """The row of a finding, with the interpretation under which it appears."""
    return finding.row if finding.reading is None else f"{finding.row}, read as {finding.reading}"


def citations(finding: AuditFinding) -> str:
    """The citations of a finding, each with its location."""
    return "; ".join(f"{cited.text} ({cited.where})" for cited in finding.rests_on)


def matrices(row: AuditRow) -> list[str]:
    """The number of feasible matrices, then each of them or their ranges; or why they are not listed."""
    if row.matrices is None:
        return [row.reason or MISSING]
    of = f" of {sizes(row.test)}" if row.test else ""
    feasible = row.matrices or row.cut or ()
    if not feasible:
        return [f"none{of}"]
    head = f"{len(feasible)}{of}" + ("" if row.matrices else ", decimals truncated")
    return [head, *(map(counts, feasible) if len(feasible) <= _LISTED else [_ranges(feasible)])]


def derived_text(derived: DerivedFigure) -> str:
    """An implied figure, or its range, with its 95% interval."""
    low, high = number(derived.low), number(derived.high)
    value = low if low == high else f"{low} to {high}"
    return f"{label_of(derived.metric)} {value} {interval(derived.interval)}".rstrip()


def _ranges(matrices: Sequence[object]) -> str:
    parts = []
    for name in ("tp", "fp", "tn", "fn"):
        values = [getattr(matrix, name) for matrix in matrices]
        low, high = min(values), max(values)
        parts.append(f"{name.upper()} {low}" if low == high else f"{name.upper()} {low} to {high}")
    return ", ".join(parts)

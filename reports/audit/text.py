"""An audit in words: what every renderer of it shows, as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.evidence.metrics.definitions import label_of
from reports.audit.audit import Audit, AuditRow, Derived
from reports.audit.figures import SEVERITIES, AuditFinding, counts, sizes
from reports.text import MISSING, interval, number, plural

ROW_HEADS = ("row", "confusion matrices", "what follows, with 95% intervals")
_LISTED = 3


def summary(audit: Audit) -> str:
    """How many rows were audited and how many findings of each severity there are."""
    severities = [finding.severity for finding in audit.findings]
    counted = [f"{severities.count(severity)} {severity}" for severity in SEVERITIES if severity in severities]
    return f"{plural(len(audit.rows), 'row')}; findings: {', '.join(counted) or 'none'}"


def subject(finding: AuditFinding) -> str:
    """The row that a finding is about, with the reading under which it appears."""
    return finding.row if finding.reading is None else f"{finding.row}, read as {finding.reading}"


def citations(finding: AuditFinding) -> str:
    """The printed figures that a finding rests on, each with its place."""
    return "; ".join(f"{cited.text} ({cited.where})" for cited in finding.rests_on)


def matrices(row: AuditRow) -> list[str]:
    """How many matrices print the row, then each or their ranges; or why there are none."""
    if row.matrices is None:
        return [row.reason or MISSING]
    of = f" of {sizes(row.test)}" if row.test else ""
    feasible = row.matrices or row.cut or ()
    if not feasible:
        return [f"none{of}"]
    head = f"{len(feasible)}{of}" + ("" if row.matrices else ", decimals cut")
    return [head, *(map(counts, feasible) if len(feasible) <= _LISTED else [_ranges(feasible)])]


def derived_figure(derived: Derived) -> str:
    """A figure that follows from the printed ones, with its 95% interval."""
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

"""What the audit of a row means for one of its figures: whether it is ruled out, and why it has no interval."""

from __future__ import annotations

from collections.abc import Sequence

from reports.audit.audit import Audit, AuditRow, audit_row
from reports.audit.figures import AuditFinding, named
from reports.claims.printed import AnyMatrix, Row
from zoo.models.published import PublishedFigure


def ruling(audit: Audit, row: Row, figure: PublishedFigure) -> AuditFinding | None:
    """The finding that rules out a printed figure.

    Figures that contradict each other are not all wrong. Where a single misprint would explain the contradiction, only
    the figures that may be that misprint are ruled out.

    Args:
        audit: The audit of the claims.
        row: The row of the figure.
        figure: The printed figure.

    Returns:
        The finding; None where none rules the figure out, or where only other figures can be the misprint.
    """
    finding = audit.ruled_out(row.name, figure)
    if finding is None or finding.rules_out == (figure,):
        return finding
    suspects = _suspects(audit, row)
    return None if suspects and named(figure) not in suspects else finding


def without_misprint(audit: Audit, row: Row, audited: AuditRow, matrices: Sequence[AnyMatrix]) -> AuditRow:
    """The audit of a row without the figure that alone can be its misprint.

    Args:
        audit: The audit of the claims.
        row: The row.
        audited: The audit of the whole row.
        matrices: The printed matrices of the claims.

    Returns:
        The audit of the other figures, from which their intervals follow; `audited` where no figure alone can be the
        misprint.
    """
    suspects = _suspects(audit, row)
    others = tuple(figure for figure in row.figures if [named(figure)] != suspects)
    if len(suspects) != 1 or not others or len(others) == len(row.figures):
        return audited
    matrix = next((matrix for matrix in matrices if matrix.row == row.name), None)
    return audit_row(row.model_copy(update={"figures": others}), matrix)


def why_no_interval(row: Row, audited: AuditRow) -> str:
    """Why a printed figure of a row has no interval, in words."""
    reason = "the published figure has no interval"
    if row.test is None:
        return f"{reason}: the size of its test set is not stated"
    if audited.matrices == () and not audited.cut:
        return f"{reason}: no confusion matrix gives the figures of its row together"
    return reason if audited.reason is None or row.is_multiclass else f"{reason}: {audited.reason}"


def _suspects(audit: Audit, row: Row) -> list[str]:
    """What alone can be the misprint of a row, as the audit names it."""
    findings = [each for each in audit.findings if each.row == row.name and each.reading is None]
    return [each.printed for finding in findings if finding.kind == "misprint" for each in finding.explanations]

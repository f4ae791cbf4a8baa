"""The outcome of the audit of a row, from its findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.printed import is_of_counts
from reports.audit.figures import AuditFinding, AuditRow, Outcome
from reports.claims.printed import Row
from reports.text import listed

AMBIGUOUS = ("would-fit", "no-mean")
"""The kinds of findings that name meanings with which the figures of a row would fit."""

_NOT_OF_FIGURES = ("settings", "same-name", "sentence", "sentence-support", "unknown-name", "matrix-would-fit")


def with_outcome(audited: AuditRow, row: Row, findings: Sequence[AuditFinding]) -> AuditRow:
    """Return a row with its outcome and its only misprint. If its figures fit only otherwise, it has no matrices.

    Args:
        audited: The row with its matrices.
        row: The row of the claims.
        findings: The findings of all rows.

    Returns:
        The row.
    """
    of_row = [each for each in findings if each.row == row.name and each.reading is None]
    meanings = tuple(dict.fromkeys(words for each in of_row if each.kind in AMBIGUOUS for words in each.would_fit))
    outcome = _outcome(audited, row, of_row, meanings)
    ambiguous = any(each.kind in AMBIGUOUS and each.severity == "ambiguous" for each in of_row)
    if outcome == "would fit" and ambiguous and audited.reason is None:
        reason = f"would fit as {listed(meanings, 'or')}"
        audited = replace(audited, matrices=None, cut=None, reason=reason)
    misprints = [misprint for each in of_row if each.kind == "misprint" for misprint in each.explanations]
    only = misprints[0] if len(misprints) == 1 else None
    return replace(audited, outcome=outcome, would_fit=meanings, misprint=only)


def _outcome(audited: AuditRow, row: Row, findings: Sequence[AuditFinding], meanings: Sequence[str]) -> Outcome:
    severities = {each.severity for each in findings if each.kind not in _NOT_OF_FIGURES}
    if "impossible" in severities:
        return "impossible"
    if "contradiction" in severities:
        return "contradictory"
    if meanings:
        return "would fit"
    final = [each for each in row.figures if each.split == "test" and each.epoch is None]
    checked = [each for each in final if is_of_counts(each.key) or find_multiclass(each.key) is not None]
    return "consistent" if len(checked) > 1 or (checked and audited.test is not None) else "not checked"

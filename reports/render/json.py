"""A Report as one JSON document with field names that stay."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel

from reports.checklists.checklist import Checklist, checklists
from reports.findings import findings
from reports.limits import limits
from reports.report import Report, Section
from reports.verdicts.report import ClaimsReport

VERSION = 2
"""Raised when a field changes its name or its meaning; new fields may come without."""


def render(report: Report) -> str:
    """`report` as JSON text. What is missing is null, and so is a number that is not finite, which JSON lacks."""
    document = {
        "version": VERSION,
        "sections": [_section(section) for section in report.sections],
        "skipped": [{"card": skip.card.name, "reason": skip.reason} for skip in report.skips],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _section(section: Section) -> dict[str, Any]:
    found = findings(section)
    return {
        "title": section.title,
        "synthetic": section.synthetic,
        "notes": list(section.notes),
        "findings": {"counts": found.counts(), "remarks": list(found.remarks)},
        "cards": [json_value(card) for card in section.cards],
        "runs": [{"run_id": run.run_id, **json_value(run)} for run in section.runs],
        "comparisons": json_value(section.comparisons),
        "ranking": json_value(section.ranking),
        "claims": [_claims(claims) for claims in section.claims],
        "probabilities": json_value(section.probabilities),
        "curves": json_value(section.curves),
        "methods": json_value(section.methods),
        "limits": list(limits(section)),
        "checklists": [_checklist(one) for one in checklists(section)],
    }


def _claims(report: ClaimsReport) -> dict[str, Any]:
    return {
        "name": report.claims.name,
        "title": report.claims.title,
        "source": json_value(report.claims.source),
        "data": report.data,
        "counts": json_value(report.counts()),
        "statements": json_value(report.statements),
        "figures": json_value(report.figures),
        "causes": json_value(report.causes),
        "audit": {"findings": json_value(report.audit.findings), "rows": json_value(report.audit.rows)},
        "notes": list(report.notes),
    }


def _checklist(checklist: Checklist) -> dict[str, Any]:
    own = checklist.guideline
    items = [{**json_value(filled.item), "answer": filled.answer} for filled in checklist.items]
    return {"name": own.name, "title": own.title, "source": own.source, "filled_in": checklist.known, "items": items}


def json_value(value: Any) -> Any:
    """`value`, records and arrays in it taken apart, as what JSON holds. Raises TypeError for what it cannot hold."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, BaseModel):
        return json_value(value.model_dump(mode="python"))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: json_value(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): json_value(held) for key, held in value.items()}
    if isinstance(value, np.ndarray):
        return json_value(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(held) for held in (sorted(value) if isinstance(value, set | frozenset) else value)]
    raise TypeError(f"{type(value).__name__} has no place in the document")

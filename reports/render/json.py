"""Renders a report as one JSON document with stable field names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from reports.checklists.checklist import Checklist, checklists
from reports.findings import findings
from reports.limits import limits
from reports.render.json_value import json_value
from reports.render.training_size import curve_document
from reports.report import Report, Section, title
from reports.summary.explained import explanations
from reports.summary.model import Summary
from reports.summary.text import parts
from reports.verdicts.report import ClaimsReport

VERSION = 3
"""Raised when a field changes its name or its meaning; new fields may come without."""


def render(report: Report) -> str:
    """Render `report` as JSON text; missing values and numbers that are not finite are null."""
    document: dict[str, Any] = {
        "version": VERSION,
        "title": title(report),
        "sections": [_section(section) for section in report.sections],
        "skipped": [{"card": name, "reason": skip.reason} for skip in report.skips for name in skip.names],
    }
    if report.training_sizes:
        document["training_images"] = [curve_document(curve) for curve in report.training_sizes]
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _section(section: Section) -> dict[str, Any]:
    answered = findings(section)
    return {
        "title": section.title,
        "summary": None if section.summary is None else summary_document(section.summary, section.classes),
        "synthetic": section.synthetic,
        "notes": list(section.notes),
        "leading": json_value(section.leading),
        "findings": {"counts": answered.counts(), "remarks": list(answered.remarks)},
        "cards": [json_value(card) for card in section.cards],
        "runs": [{"run_id": run.run_id, **json_value(run)} for run in section.runs],
        "comparisons": json_value(section.comparisons),
        "ranking": json_value(section.ranking),
        "claims": [_claims(claims) for claims in section.claims],
        "probabilities": json_value(section.probabilities),
        "curves": json_value(section.curves),
        "methods": json_value(section.methods),
        "limits": list(limits(section)),
        "checklists": [_checklist(each) for each in checklists(section)],
        **({} if section.shortcuts is None else {"shortcuts": json_value(section.shortcuts)}),
        **({} if section.label_errors is None else {"label_errors": json_value(section.label_errors)}),
        **({"outside_validation": json_value(section.outside)} if section.outside else {}),
        **_multiclass(section),
        **_registration(section),
    }


def summary_document(summary: Summary, classes: Sequence[str]) -> dict[str, Any]:
    """A summary as a document: its sentences by part, the words in them, then the data behind them.

    Args:
        summary: The summary.
        classes: The names of the classes; of two, the positive one is last.

    Returns:
        The document.
    """
    return {
        "text": {part.name: list(part.sentences) for part in parts(summary)},
        "words": {each.word: each.text for each in explanations(summary, classes)},
        **json_value(summary),
    }


def _multiclass(section: Section) -> dict[str, Any]:
    """The fields that only sections on three or more classes have."""
    if len(section.classes) == 2:
        return {}
    return {"classes": list(section.classes), "multiclass": json_value(section.multiclass)}


def _registration(section: Section) -> dict[str, Any]:
    """The field that only sections of stores with registrations have; claims files are given by their digest."""
    facts = section.registration
    if facts is None:
        return {}
    claims = [
        {**json_value(replace(order, registered=None)), "registered": order.registered and order.registered.digest}
        for order in facts.claims
    ]
    return {"registration": {**json_value(replace(facts, claims=())), "claims": claims}}


def _claims(report: ClaimsReport) -> dict[str, Any]:
    return {
        "name": report.claims.name,
        "title": report.claims.title,
        "source": json_value(report.claims.source),
        "margin": report.claims.margin,
        "loss_margin": report.claims.loss_margin,
        "margin_from": report.claims.margin_from,
        "data": report.data,
        "counts": json_value(report.counts()),
        "statements": json_value(report.statements),
        "figures": json_value(report.figures),
        "changes": json_value(report.changes),
        "audit": {"findings": json_value(report.audit.findings), "rows": json_value(report.audit.rows)},
        "notes": list(report.notes),
    }


def _checklist(checklist: Checklist) -> dict[str, Any]:
    guideline = checklist.guideline
    return {
        "name": guideline.name,
        "title": guideline.title,
        "source": guideline.source,
        "filled_in": checklist.known,
        "items": [{**json_value(filled.item), "answer": filled.answer} for filled in checklist.items],
    }

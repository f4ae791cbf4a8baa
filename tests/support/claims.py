"""Claims files that several test files make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reports.audit.audit import Audit, AuditRow, DerivedFigure, audit
from reports.audit.figures import AuditFinding
from reports.claims.model import Claims, load_claims


def figure(metric: str, value: float, split: str = "test", decimals: int = 4, **more: Any) -> dict[str, Any]:
    """A printed figure as a claims file holds it."""
    return {
        "metric": metric,
        "value": value,
        "split": split,
        "decimals": decimals,
        "location": f"Table of {metric}",
        **more,
    }


def row(name: str, *figures: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A row with figures of its own."""
    return {"name": name, "figures": list(figures), **more}


def contents(*rows: dict[str, Any], negatives: int = 100, positives: int = 60, **more: Any) -> dict[str, Any]:
    """What a claims file holds; `more` replaces or adds parts."""
    test = {"negatives": negatives, "positives": positives, "location": "Section 2"}
    return {"title": "A study", "source": {"report": "A study", "test": test}, "rows": list(rows), **more}


def write_claims(folder: Path, data: dict[str, Any], name: str = "study") -> Path:
    """`data` as a claims file; JSON is YAML too, and writes what stands twice twice."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    return path


def claims_of(folder: Path, data: dict[str, Any]) -> Claims:
    """`data` written, read back and resolved, no card being known."""
    return load_claims(str(write_claims(folder, data)), {})


def audit_of(folder: Path, *rows: dict[str, Any], **more: Any) -> Audit:
    """The audit of a claims file with these rows."""
    return audit(claims_of(folder, contents(*rows, **more)))


def of_kind(done: Audit, kind: str, row: str | None = None) -> list[AuditFinding]:
    """The findings of a kind, of one row where it is given."""
    return [found for found in done.findings if found.kind == kind and row in (None, found.row)]


def row_of(done: Audit, name: str) -> AuditRow:
    """The row with this name."""
    return next(each for each in done.rows if each.name == name)


def derived(done: Audit, name: str, metric: str) -> DerivedFigure:
    """What was derived of a metric from the matrices of a row."""
    return next(each for each in row_of(done, name).derived if each.metric == metric)


def several(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a claims file about three classes holds; `more` replaces or adds parts."""
    test = {"NORMAL": 234, "bacteria": 242, "virus": 148, "location": "Section 2"}
    return {"title": "A study", "source": {"report": "A study", "test": test}, "rows": list(rows), **more}


def class_matrix(of: str = "one") -> dict[str, Any]:
    """A printed matrix of the three classes: 520 of 624 images are called right."""
    matrix = [[220, 10, 4], [12, 200, 30], [8, 40, 100]]
    return {"row": of, "location": "Table 3", "classes": ["NORMAL", "bacteria", "virus"], "matrix": matrix}

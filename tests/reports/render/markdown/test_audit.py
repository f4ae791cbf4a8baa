"""An audit as markdown."""

from __future__ import annotations

from pathlib import Path

from reports.audit.audit import audit
from reports.claims.model import load_claims
from reports.render.markdown.audit import audit_markdown
from tests.support.claims import audit_of, figure, row
from tests.support.records import cards


def test_markdown_has_a_row_for_every_finding_and_every_row() -> None:
    report = audit(load_claims("pneumonia_report", cards()))
    lines = audit_markdown(report)
    severities = [line for line in lines if line.startswith(("| impossible", "| contradiction", "| note"))]
    assert len(severities) == len(report.findings)
    assert [line for name in (each.name for each in report.rows) for line in lines if line.startswith(f"| `{name}`")]
    assert "4 impossible, 6 contradiction" in lines[0]
    assert all(line.count("|") - line.count("\\|") in (0, 4, 5) for line in lines)


def test_nothing_found_is_said_and_makes_no_empty_table(tmp_path: Path) -> None:
    lines = audit_markdown(audit_of(tmp_path, row("one", figure("accuracy", 0.8125))))
    assert lines[0] == "1 row; findings: none"
    assert not any("severity" in line for line in lines)

"""An audit in a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.audit.audit import Audit, audit
from reports.claims.model import load_claims
from reports.render.terminal.audit import audit_tables
from tests.support.claims import audit_of, figure, row
from tests.support.records import cards
from tests.support.terminal import shown


@pytest.fixture(scope="module")
def report() -> Audit:
    return audit(load_claims("pneumonia_report", cards()))


@pytest.mark.parametrize("width", [80, 120, 160])
def test_every_finding_and_every_row_is_shown_in_full_at_every_width(report: Audit, width: int) -> None:
    said = shown(audit_tables(report), width)
    assert max(map(len, said.splitlines())) <= width
    flat = "".join(said.split())
    for found in report.findings:
        for part in (found.statement, found.derivation, *(cited.where for cited in found.rests_on)):
            assert "".join(part.split()) in flat
    table = said[said.index("confusion matrices") :]
    for each in report.rows:
        assert each.name in table
    for part in ("TP 131, FP 6, TN 228, FN 103", "accuracy 0.767 [0.727, 0.803]", "AUC 0.961 [0.943, 0.979]"):
        assert part in table


def test_a_title_and_a_place_are_text_and_not_markup(tmp_path: Path) -> None:
    printed = row("one", {**figure("recall", 0.9991), "location": "[/oops]"})
    text = shown(audit_tables(audit_of(tmp_path, printed, title="[red]A[/red] study")), 120)
    assert "[red]A[/red] study" in text
    assert "[/oops]" in text

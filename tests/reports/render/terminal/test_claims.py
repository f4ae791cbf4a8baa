"""Judged claims in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reports.render.terminal.claims import claims_tables
from reports.report import Report
from tests.support.judging import report_of, study, two_cards
from tests.support.records import KAGGLE
from tests.support.terminal import shown


def printed(report: Report) -> str:
    (section,) = report.sections
    (claims,) = section.claims
    return shown(claims_tables(claims))


def test_verdicts_seeds_and_what_was_not_measured_are_said(tmp_path: Path) -> None:
    text = printed(report_of(two_cards(tmp_path), study(tmp_path)))
    for part in ("reproduced", "differs", "One seed was run", "none was measured"):
        assert part in text


@pytest.mark.parametrize("place", ["title", "data"])
def test_hostile_text_brings_no_markup(tmp_path: Path, place: str) -> None:
    hostile = "[red]<b>[/red] \x1b[31m | `tick"
    more: dict[str, Any] = {"title": hostile} if place == "title" else {}
    dataset = KAGGLE.model_copy(update={"title": hostile}) if place == "data" else KAGGLE
    text = printed(report_of(two_cards(tmp_path, dataset=dataset), study(tmp_path, **more)))
    assert "\x1b" not in text
    assert "[red]<b>[/red]" in text

"""The whole markdown report of a made store, as it was read and approved.

After an intended change, `ZOO_GOLDEN=write pytest tests/reports/render/markdown/test_golden.py` rewrites the
file; read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reports.render.markdown.document import render
from tests.reports.render.markdown.test_document import tables
from tests.support.study import report_in

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "report.md"


def test_the_report_of_a_made_store_is_the_one_that_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # commands name the store
    text = render(report_in(Path()))
    if os.environ.get("ZOO_GOLDEN") == "write":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")
    assert text.splitlines() == GOLDEN.read_text(encoding="utf-8").splitlines()


def test_the_golden_report_is_about_what_the_made_store_holds() -> None:
    """Figures that follow from how the store is made, so that a golden file written anew cannot approve itself."""
    text = GOLDEN.read_text(encoding="utf-8")
    compared = {row["card"]: row for row in next(table for table in tables(text) if "accuracy" in table[0])}
    assert compared["`attempt-6b`"]["accuracy"].startswith("0.767 ")  # (131 + 228) / 468
    assert compared["`attempt-6b`"]["recall"].startswith("0.560 ")  # 131 / 234
    assert compared["`attempt-6b`"]["specificity"].startswith("0.974 ")  # 228 / 234
    assert compared["`attempt-1-batchnorm`"]["recall"].startswith("– (1.000 [")  # it chose no threshold
    assert compared["`attempt-7`"]["seeds"] == "2"
    assert compared["`attempt-2`"]["seeds"] == "0; 1 failed"
    flow = {(row["split"], row["class"]): row for row in next(t for t in tables(text) if "patients" in t[0])}
    assert flow["test", "all"] == {"split": "test", "class": "all", "images": "468", "patients": "234"}
    assert flow["val", "NORMAL"]["images"] == "60"
    assert "Of 13 published claims, **4 hold**, **1 does not hold** (1 of them" in text

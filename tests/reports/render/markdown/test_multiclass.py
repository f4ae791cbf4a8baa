"""The markdown report on three classes, on ten, and on both beside two: as read and approved, and what it must have.

After an intended change, `ZOO_GOLDEN=write pytest tests/reports/render/markdown/test_multiclass.py` rewrites the files;
read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.protocol import load_protocol
from benchmark.runs.storage.store import Store
from reports.render.markdown.document import render
from reports.report import build_report
from tests.reports.render.markdown.test_document import tables
from tests.support.multiclass_stores import BETTER, COLLAPSED, ten_classes_in, three_classes_in
from tests.support.study import store_in

GOLDEN = Path(__file__).resolve().parents[3] / "golden"


def document(store: Store) -> str:
    runs, problems = store.runs()
    assert not problems
    return render(build_report(runs, store.history, scores=store))


@pytest.mark.parametrize("count", ["three", "ten"])
def test_the_report_of_a_made_store_is_the_one_that_was_read(tmp_path: Path, count: str) -> None:
    text = document((three_classes_in if count == "three" else ten_classes_in)(tmp_path))
    golden = GOLDEN / f"report-{count}-classes.md"
    if os.environ.get("ZOO_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text.splitlines() == golden.read_text(encoding="utf-8").splitlines()


def test_the_golden_report_is_about_what_the_made_store_holds() -> None:
    """Figures that follow from how the store is made, so that a golden file written anew cannot approve itself."""
    text = (GOLDEN / "report-three-classes.md").read_text(encoding="utf-8")
    compared, recalls, *_ = tables(text)
    collapsed = next(row for row in compared if row["card"] == f"`{COLLAPSED}`")
    assert collapsed["accuracy"].startswith("0.400 ")  # 120 of 300 images are BACTERIA
    assert collapsed["macro recall"].startswith("0.333 ")
    assert collapsed["macro AUC"].startswith("0.500")
    row = next(row for row in recalls if row["card"] == f"`{COLLAPSED}`")
    assert [row[name][:5] for name in ("NORMAL", "BACTERIA", "VIRUS")] == ["0.000", "1.000", "0.000"]
    assert "positive" not in text.split("### Methods")[0]
    assert "threshold" not in text.split("### Cards")[0]


def test_no_macro_figure_is_without_its_classes() -> None:
    text = (GOLDEN / "report-ten-classes.md").read_text(encoding="utf-8")
    recalls = tables(text)[1]
    assert list(recalls[0]) == ["card", *map(str, range(10))]
    assert len(recalls) == 2
    matrix = next(table for table in tables(text) if "images" in table[0] and "7" in table[0])
    assert [row["images"] for row in matrix] == ["72"] * 10  # 36 images in each of two seeds


def test_a_chosen_decision_has_its_validation_and_test_figures(tmp_path: Path) -> None:
    rule = DecisionRule.parse("class_at=VIRUS:sensitivity:0.95")
    protocol = load_protocol("quick").model_copy(update={"decision": rule})
    text = document(three_classes_in(tmp_path, protocol=protocol))
    chosen = next(table for table in tables(text) if "recall of VIRUS" in table[0])
    of_better = [row for row in chosen if row["card"] == f"`{BETTER}`" and row["seed"] == "0"]
    assert [row["images"] for row in of_better] == ["val", "test", "test, highest score"]
    assert float(of_better[0]["recall of VIRUS"].split()[0]) >= 0.95
    assert "VIRUS at sensitivity 0.95" in text


def test_an_undefined_selective_accuracy_has_its_reason(tmp_path: Path) -> None:
    protocol = load_protocol("quick").model_copy(update={"decision": DecisionRule.parse("abstain=0.9")})
    text = document(three_classes_in(tmp_path, protocol=protocol))
    (line,) = [line for line in text.splitlines() if "selective accuracy is" in line]
    assert line.startswith(f"`{COLLAPSED}`, seed 0: ")
    assert "test selective accuracy is undefined: every decision abstains" in line


def test_what_the_costs_gain_on_validation_is_said(tmp_path: Path) -> None:
    protocol = load_protocol("quick").model_copy(update={"decision": DecisionRule.parse("cost=VIRUS:NORMAL:10")})
    text = document(three_classes_in(tmp_path, protocol=protocol))
    remarks = [line for line in text.splitlines() if "costs are weighted by" in line]
    assert [line for line in remarks if line.startswith(f"`{BETTER}`, seed 0: ")]
    (collapsed,) = [line for line in remarks if line.startswith(f"`{COLLAPSED}`")]
    assert "costs are weighted by raw scores, because calibration was rolled back" in collapsed
    assert all("cross-fitted" in line and "by the highest score: a gain of" in line for line in remarks)


def test_a_store_of_two_classes_and_of_three_has_a_section_for_each(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    three_classes_in(tmp_path)
    text = document(store)
    assert text.count("### Comparison") == 2
    assert text.count("### Threshold transfer") == 1
    assert text.count("#### Recall of each class") == 1
    assert "Figures of different data or protocols are not comparable" in text

"""Suspected labels in every page and table of a report, and in none without `zoo labels`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from benchmark.runs.label_errors import SuspectedLabel
from benchmark.runs.storage.beside.label_errors import RecordedLabels, read_labels, write_labels
from benchmark.runs.storage.store import Store
from reports.render import csv as csv_tables
from reports.render import json as as_json
from reports.render.html.page import render as html
from reports.render.markdown.document import render as markdown
from reports.report import Report, build_report
from reports.results.images.label_errors_text import MOST, rows, sentences
from tests.support.stored import keep

SUSPECTS = tuple(
    SuspectedLabel(f"train/{place:02d} <b>.png", "train", f"p{place}", "NORMAL", "PNEUMONIA", place / 100)
    for place in range(MOST + 5)
)
RECORDED = RecordedLabels(checked=300, agreement=0.83, suspects=SUSPECTS)


def report_of(store: Store) -> Report:
    return build_report(store.runs()[0], store.history, scores=store)


def test_the_section_is_there_if_labels_were_judged_under_these_conditions(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run = keep(store, "attempt-1")
    write_labels(store, "other conditions", RECORDED)
    bare = report_of(store)
    for text in (html(bare), markdown(bare), as_json.render(bare)):
        assert "uspected label" not in text
        assert "label_errors" not in text
    assert "label_errors" not in csv_tables.render(bare, store)
    write_labels(store, run.spec.conditions, RECORDED)
    report = report_of(store)
    text, page, document = markdown(report), html(report), json.loads(as_json.render(report))
    assert "### Suspected label errors" in text
    assert "25 suspects among 300 images of train and validation" in text
    assert "which agrees with 83.0% of the labels" in text
    assert text.count("| train | NORMAL | PNEUMONIA |") == MOST
    assert page.count("<td>train</td><td>NORMAL</td><td>PNEUMONIA</td>") == MOST
    assert "train/00 &lt;b&gt;.png" in page
    assert '-labels">Labels</a>' in page
    assert len(document["sections"][0]["label_errors"]["suspects"]) == len(SUSPECTS)
    table = list(csv.DictReader(io.StringIO(csv_tables.render(report, store)["label_errors"])))
    assert [row["name"] for row in table] == [each.name for each in SUSPECTS]


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 99, "checked": 1, "agreement": 0.5}', '{"checked": -1}'])
def test_a_damaged_list_counts_as_none(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path)
    write_labels(store, "conditions", RECORDED)
    assert read_labels(store, "conditions") == RECORDED
    next((tmp_path / ".labels").iterdir()).write_text(text, encoding="utf-8")
    assert read_labels(store, "conditions") is None


def test_without_suspects_nothing_is_listed_and_folds_are_named() -> None:
    recorded = RecordedLabels(checked=90, agreement=1.0, is_tested=True)
    assert rows(recorded) == []
    summary, advice = sentences(recorded)
    assert summary.startswith("0 suspects among 90 images")
    assert "tests every image in folds: a corrected label is a test label here" in advice
    assert "No test label was judged" in " ".join(sentences(RECORDED))

"""JSON, CSV and LaTeX of three or more classes: metric, average and class in long format, matrices cell by cell."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from benchmark.runs.storage.store import Store
from reports.render import csv as csv_tables
from reports.render import json as json_document
from reports.render import latex
from reports.report import Report, build_report
from reports.results.measured import collect_multiclass_results
from tests.support.multiclass_stores import BETTER, RADIOGRAPHS, WORSE, three_classes_in
from tests.support.study import report_in


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Store]:
    store = three_classes_in(tmp_path_factory.mktemp("three"))
    return build_report(store.runs()[0], store.history, scores=store), store


def rows(study: tuple[Report, Store], table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_tables.render(*study)[table])))


def test_figures_of_cards_are_in_long_format(study: tuple[Report, Store]) -> None:
    table = {(row["card"], row["metric"], row["average"], row["class"]): row for row in rows(study, "cards")}
    card = next(card for card in study[0].sections[0].cards if card.card.name == WORSE)
    for key, figure in (
        (("accuracy", "", ""), "accuracy"),
        (("recall", "macro", ""), "recall:macro"),
        (("recall", "", "VIRUS"), "recall:class:VIRUS"),
    ):
        row = table[(WORSE, *key)]
        assert float(row["value"]) == card.at_half[figure].value
        assert float(row["low"]) == card.at_half[figure].low


def test_every_cell_of_every_matrix_has_a_row(study: tuple[Report, Store]) -> None:
    table = rows(study, "matrices")
    (test, _) = collect_multiclass_results(study[0].sections[0].runs, study[1])[BETTER].test
    called = test.y_score.argmax(axis=1)
    of_run = [row for row in table if (row["card"], row["seed"], row["at"]) == (BETTER, "0", "half")]
    assert len(of_run) == 3 * 4  # a row per class, and one for abstentions
    assert sum(int(row["images"]) for row in of_run) == len(test)
    for true, name in enumerate(RADIOGRAPHS.classes):
        for decided, other in enumerate(RADIOGRAPHS.classes):
            row = next(row for row in of_run if (row["true_class"], row["called_class"]) == (name, other))
            count = int(np.sum((test.y_true == true) & (called == decided)))
            assert int(row["images"]) == count
            assert float(row["share_of_true"]) == pytest.approx(count / np.sum(test.y_true == true))


def test_runs_of_several_classes_have_no_positive_class(study: tuple[Report, Store]) -> None:
    assert {(row["negative_class"], row["positive_class"]) for row in rows(study, "runs")} == {("", "")}


def test_json_has_matrices_curves_and_reliability_of_each_class(study: tuple[Report, Store]) -> None:
    (section,) = json.loads(json_document.render(study[0]))["sections"]
    assert section["classes"] == list(RADIOGRAPHS.classes)
    card = next(each for each in section["multiclass"]["cards"] if each["card"] == BETTER)
    assert np.sum(card["argmax"]["total"]["counts"]) == 600
    assert [each["name"] for each in card["curves"]] == section["classes"]
    assert list(card["probabilities"][0]["before"]["by_class"]) == section["classes"]
    assert section["ranking"]["metric"] == "auc:macro"


def test_two_classes_have_no_further_fields_and_columns(tmp_path: Path) -> None:
    report = report_in(tmp_path)
    (section,) = json.loads(json_document.render(report))["sections"]
    assert not {"classes", "multiclass"} & set(section)
    files = csv_tables.render(report, Store(tmp_path / "runs"))
    assert "matrices" not in files
    assert "average" not in files["cards"].splitlines()[0].split(",")


def test_latex_has_a_row_for_each_class_of_each_card(study: tuple[Report, Store]) -> None:
    text = latex.render(study[0])
    assert r"\label{tab:classes}" in text
    assert text.count("& VIRUS & 64 &") == 3
    assert "macro recall & macro AUC" in text
    assert "threshold 0.5" not in text

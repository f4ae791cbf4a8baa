"""A search as rows and sentences."""

from __future__ import annotations

import csv
from pathlib import Path

from benchmark.runs.run import Run
from benchmark.runs.trial import SearchResult, Trial
from reports.results.search import crosstab, luck, trial_rows
from tests.support.searches import RATE, UNITS, result, without_objective
from tests.support.tiny import card, spec, split_facts
from zoo.api.search import write_search_report


def test_every_trial_is_a_row_with_every_execution() -> None:
    rows = trial_rows(result())
    assert [row["trial"] for row in rows] == [0, 1, 2, 3]
    assert [row["best"] for row in rows] == [False, True, False, False]
    assert rows[0]["executions"] == [0.91]
    assert rows[3]["val_auc"] is None
    assert rows[3]["error"] == "it | broke <script>"


def test_the_file_of_trials_holds_no_formula(tmp_path: Path) -> None:
    failed = Run.failed(spec(9), "=HYPERLINK(1)", split_facts())
    trial = Trial(0, {RATE: "@SUM(1)", UNITS: -8}, card(), (failed,))
    write_search_report(SearchResult(card(), "mine", "random", "auc", "higher", (RATE, UNITS), (trial,)), tmp_path)
    (row,) = csv.DictReader((tmp_path / "trials.csv").open(encoding="utf-8", newline=""))
    assert (row[RATE], row[UNITS], row["error"], row["val_auc"]) == ("'@SUM(1)", "-8", "'=HYPERLINK(1)", "")


def test_the_winners_luck_is_told() -> None:
    chosen, again = luck(result())
    assert "trial 1: val auc 0.9500, the best of 3" in chosen
    assert "+0.0250 of its figure is selection bias" in again
    assert "it ranks number 1" in again


def test_the_map_counts_the_executions_behind_each_cell() -> None:
    found = crosstab(result())
    assert found is not None
    _, heads, rows = found
    assert heads[1:] == ["1.0e-05", "1.0e-03", "3.2e-03", "3.2e-01"]
    assert rows == [["8", "0.9100 (1)", "–", "–", "–"], ["16", "–", "0.9500 (1)", "0.8000 (1)", "–"]]


def test_a_search_without_an_objective_says_so() -> None:
    assert luck(without_objective()) == ["No trial has an objective."]

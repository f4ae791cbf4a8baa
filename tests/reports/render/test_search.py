"""A search as tables, markdown and pictures."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from pathlib import Path

from rich.console import Console

from benchmark.runs.run import Run
from benchmark.runs.trial import SearchResult, Trial
from reports.figures.search import search_pictures
from reports.render.search import crosstab, luck, search_markdown, search_tables, trial_rows
from tests.support.tiny import card, finished, spec, split_facts
from zoo.api.search import write_search_report

RATE, UNITS = "recipe.optimizer.learning_rate", "model.dense_units"


def result() -> SearchResult:
    trials = []
    for number, (rate, units, auc) in enumerate(((2e-5, 8, 0.91), (2.5e-3, 16, 0.95), (4e-3, 16, 0.80))):
        again = (
            tuple(finished(spec(100 + seed), auc=auc - 0.02 - 0.01 * seed) for seed in range(2)) if number < 2 else ()
        )
        trials.append(Trial(number, {RATE: rate, UNITS: units}, card(), (finished(spec(number), auc=auc),), again))
    failed = Run.failed(spec(9), "it | broke <script>", split_facts())
    trials.append(Trial(3, {RATE: 0.9, UNITS: 8}, card(), (failed,)))
    return SearchResult(card(), "mine", "random", "auc", "higher", (RATE, UNITS), tuple(trials))


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
    assert "+0.0250 of its figure is luck" in again
    assert "it is number 1" in again


def test_the_map_counts_the_executions_behind_each_cell() -> None:
    found = crosstab(result())
    assert found is not None
    _, heads, rows = found
    assert heads[1:] == ["1.0e-05", "1.0e-03", "3.2e-03", "3.2e-01"]
    assert rows == [["8", "0.9100 (1)", "–", "–", "–"], ["16", "–", "0.9500 (1)", "0.8000 (1)", "–"]]


def test_the_markdown_holds_all_trials_and_no_raw_markup() -> None:
    text = search_markdown(result(), {"Best so far": "search-0.svg"})
    assert "![Best so far](search-0.svg)" in text
    assert "<script>" not in text
    assert text.count("\n| ") >= 4


def test_the_terminal_shows_failures_and_the_best() -> None:
    console = Console(record=True, width=160)
    console.print(search_tables(result()))
    text = console.export_text()
    assert "best" in text
    assert "failed: it | broke <script>" in text


def test_pictures_are_whole_svg() -> None:
    pictures = search_pictures(result())
    assert list(pictures) == ["Best so far", f"Objective against {RATE}", f"Objective against {UNITS}"]
    assert all(ET.fromstring(svg).tag.endswith("svg") for svg in pictures.values())


def test_a_search_without_an_objective_says_so() -> None:
    nothing = SearchResult(card(), "mine", "random", "auc", "higher", (RATE,), (result().trials[3],))
    assert luck(nothing) == ["No trial has an objective."]
    assert search_pictures(nothing) == {}

"""Tables of runs and plans, and the line about a run, at every width of terminal."""

from __future__ import annotations

import re

import pytest

from benchmark.runs.plan import Plan, Skip
from benchmark.runs.run import Run
from reports.render.terminal.runs import plan_table, runs_table, status_line
from reports.text import MISSING
from tests.support.records import KAGGLE, cards, make_card, make_run, make_spec, on_test, on_val, planted
from tests.support.terminal import WIDTHS, shown


@pytest.fixture(scope="module")
def all_runs() -> list[Run]:
    return [make_run(name) for name in cards()]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_longest_name_folds_and_no_figure_does(width: int) -> None:
    name = "a" * 31 + "-" + "b" * 32
    run = make_run(make_card().model_copy(update={"name": name}))
    text = shown(runs_table([run]), width)
    assert max(map(len, text.splitlines())) <= width
    assert f"{run.figures()['auc'].value:.3f}" in text
    assert name[:13] in text


@pytest.mark.parametrize("width", WIDTHS)
def test_the_store_s_table_has_a_row_for_every_run(all_runs: list[Run], width: int) -> None:
    text = shown(runs_table(all_runs), width)
    for run in all_runs:
        assert re.search(rf"(?<!\S){run.run_id} +{re.escape(run.spec.card.name)} +0 +ok ", text)


def test_the_store_s_table_marks_synthetic_data_and_failures() -> None:
    runs = [make_run(), make_run("attempt-7", dataset=KAGGLE), make_run("attempt-2", error="[no] memory")]
    text = shown(runs_table(runs), 80)
    assert text.count("synthetic") == 1
    assert re.search(rf"{runs[2].run_id} +attempt-2 +0 +failed +{MISSING} ", text)
    assert "attempt-2 seed 0: failed: [no] memory" in text
    assert f"{runs[0].figures()['accuracy'].value:.3f}" in text


def test_the_store_s_table_has_a_part_for_each_data_set_protocol_and_stage() -> None:
    trial = make_run("attempt-3")
    searched = trial.model_copy(update={"spec": trial.spec.model_copy(update={"stage": "search"})})
    runs = [make_run(), make_run(seed=1), make_run(dataset=KAGGLE), make_run(protocol="published"), searched]
    text = shown(runs_table(runs), 80)
    heads = re.findall(r"(?m)^(\S.*), protocol (\w+)(.*)$", text)
    assert [(source, protocol) for source, protocol, _ in heads] == [
        ("phantom (synthetic)", "quick"),
        (KAGGLE.source, "quick"),
        ("phantom (synthetic)", "published"),
        ("phantom (synthetic)", "quick"),
    ]
    assert "figures on validation" in heads[-1][2]
    assert f"{trial.figures('val')['auc'].value:.3f}" in text.rsplit("validation", 1)[1]


def test_the_time_of_a_run_is_shown_where_there_is_room() -> None:
    assert "2026-01-02 03:04" in shown(runs_table([make_run()]), 120)
    assert "2026-01-02" not in shown(runs_table([make_run()]), 80)


def test_a_plan_says_what_would_run_what_is_reused_and_what_is_skipped() -> None:
    specs = (make_spec("attempt-1"), make_spec("attempt-2"), make_spec("attempt-2", seed=1))
    skip = Skip(cards()["attempt-7"], "no weights [here]")
    text = shown(plan_table(Plan(specs, (skip,)), {specs[0].run_id, "000000000000"}))
    rows = {line.split()[0] + line.split()[1]: line for line in text.splitlines() if line.strip().startswith("attempt")}
    assert "reuse" in rows["attempt-10"]
    assert rows["attempt-20"].rstrip().endswith("run")
    assert rows["attempt-21"].rstrip().endswith("run")
    assert "no weights [here]" in text
    assert "2 to run, 1 reused, 1 skipped" in text


def test_a_status_line_names_card_seed_and_figures() -> None:
    run = make_run("attempt-2", seed=4)
    line = status_line(run, reused=False)
    for part in (
        "attempt-2",
        "4",
        f"{run.figures()['accuracy'].value:.3f}",
        f"{run.figures()['auc'].value:.3f}",
        "42 s",
    ):
        assert part in line
    assert "\n" not in line


def test_a_status_line_says_that_a_run_was_reused() -> None:
    assert "reused" in status_line(make_run(), reused=True)
    assert "reused" not in status_line(make_run(), reused=False)


def test_a_status_line_of_a_failed_run_says_why() -> None:
    line = status_line(make_run("attempt-7", error="no memory"), reused=False)
    assert "attempt-7" in line
    assert "FAILED" in line
    assert "no memory" in line


def test_a_status_line_names_what_was_found() -> None:
    labels, drawn = planted(60, 60)
    low = [score / 3 for score in drawn]
    line = status_line(make_run(val=on_val(labels, low), test=on_test(labels, low)), reused=False)
    assert "one class at 0.5 (NORMAL)" in line

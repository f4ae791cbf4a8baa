"""Tables say what they hold at every width of terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from benchmark.data.checks.describe import Cell, DataSummary
from benchmark.data.dataset import Problem
from benchmark.runs.plan import Plan, Skip
from benchmark.runs.run import Run
from reports.render.terminal.tables import comparison_tables, data_tables, plan_table, runs_table, status_line
from reports.report import build_report
from reports.text import MISSING
from tests.support.records import (
    KAGGLE,
    PHANTOM,
    cards,
    make_card,
    make_run,
    make_spec,
    of_counts,
    on_test,
    on_val,
    planted,
    recorded_history,
)

WIDTHS = (80, 120, 160, 200)
SUMMARY = DataSummary(
    source="folder",
    title="a folder",
    synthetic=False,
    fingerprint="ab" * 32,
    channels=1,
    classes=("NORMAL", "PNEUMONIA"),
    cells=(Cell("train", "NORMAL", 1341, 1000, 122.4, 51.6), Cell("train", "PNEUMONIA", 3875, 1800, 118.9, 49.2)),
    shared_patients={},
    shared_images={},
    duplicate_groups=0,
    images_under_both_labels=0,
    problems=(),
    warnings=(),
)


def shown(renderable: RenderableType, width: int = 200) -> str:
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    console.print(renderable)
    return console.export_text()


def flat(text: str) -> str:
    """The text with every run of blanks and line breaks as one blank."""
    return " ".join(text.split())


def compared(*runs: Run, skips: Sequence[Skip] = (), width: int = 200) -> str:
    return shown(comparison_tables(build_report(runs, lambda _: recorded_history(), skips)), width)


@pytest.fixture(scope="module")
def all_runs() -> list[Run]:
    return [make_run(name) for name in cards()]


@pytest.mark.parametrize("width", WIDTHS)
def test_every_card_is_named_in_full_in_the_comparison(all_runs: list[Run], width: int) -> None:
    text = compared(*all_runs, width=width)
    missing = [name for name in cards() if not re.search(rf"(?<!\S){re.escape(name)}(?!\S)", text)]
    assert missing == []


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal(all_runs: list[Run], width: int) -> None:
    assert max(len(line) for line in compared(*all_runs, width=width).splitlines()) <= width
    assert max(len(line) for line in shown(runs_table(all_runs), width).splitlines()) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_measured_and_published_figures_stand_in_the_comparison(width: int) -> None:
    text = compared(make_run("attempt-6b", test=of_counts(tp=90, fp=30, tn=72, fn=8)), width=width)
    for figure in ("0.810", "0.918", "0.7671", "0.9340", "+0.043"):
        assert figure in text


@pytest.mark.parametrize("width", WIDTHS)
def test_a_failed_run_is_a_row_that_shows_its_error(width: int) -> None:
    text = compared(make_run("attempt-6b", error="boom"), make_run("attempt-1"), width=width)
    assert "boom" in text
    assert MISSING in text
    assert "0.7671" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_a_skipped_card_is_named_with_its_whole_reason(width: int) -> None:
    skip = Skip(cards()["attempt-7"], "images of 16 px are too small: this network needs at least 32 px [sic]")
    text = flat(compared(make_run(), skips=[skip], width=width))
    assert f"skipped attempt-7: {skip.reason}" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_synthetic_data_is_marked(width: int) -> None:
    assert "SYNTHETIC" in compared(make_run(), width=width)
    assert "SYNTHETIC" not in compared(make_run(dataset=KAGGLE), width=width)


@pytest.mark.parametrize("width", WIDTHS)
def test_other_data_is_marked_beside_the_published_figure(width: int) -> None:
    assert "other data" in compared(make_run("attempt-6b"), width=width)
    assert "other data" not in compared(make_run("attempt-6b", dataset=KAGGLE), width=width)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_diagnosis_stands_in_the_row(width: int) -> None:
    run = make_run(val=on_val([0, 1] * 30, [0.98] * 60), test=on_test([0, 1] * 50, [0.98] * 100))
    text = flat(compared(run, width=width))
    assert "single-class" in text
    assert "PNEUMONIA" in text


def test_an_undefined_figure_is_a_dash_and_not_zero() -> None:
    text = compared(make_run(test=on_test([1] * 10, [0.9] * 10)))
    assert MISSING in text
    assert "0.000" not in text


def test_several_seeds_are_told_apart() -> None:
    one, two = compared(make_run(seed=7)), compared(make_run(seed=7), make_run(seed=8))
    assert "seed" not in one
    assert "seed" in two
    assert {"7", "8"} <= set(two.split())


def test_sections_of_other_data_have_titles_of_their_own() -> None:
    text = compared(make_run(), make_run(dataset=KAGGLE))
    assert PHANTOM.title in text
    assert KAGGLE.title in text


def test_brackets_in_names_and_errors_are_text_and_not_markup() -> None:
    dataset = PHANTOM.model_copy(update={"title": "[bold]scans[/bold]"})
    text = compared(make_run(make_card(changes="[red]x[/red]"), dataset=dataset, error="[/oops]"))
    for literal in ("[bold]scans[/bold]", "[red]x[/red]", "[/oops]"):
        assert literal in text


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


@pytest.mark.parametrize("width", WIDTHS)
def test_the_longest_name_folds_and_no_figure_does(width: int) -> None:
    name = "a" * 31 + "-" + "b" * 32
    run = make_run(make_card().model_copy(update={"name": name}))
    for text in (compared(run, width=width), shown(runs_table([run]), width)):
        assert max(map(len, text.splitlines())) <= width
        assert f"{run.figures()['auc'].value:.3f}" in text
        assert name[:13] in text
    assert f"[{run.figures()['auc'].low:.3f}, {run.figures()['auc'].high:.3f}]" in compared(run, width=width)


@pytest.mark.parametrize("width", WIDTHS)
def test_what_a_card_changes_is_told_once_for_all_its_seeds(width: int) -> None:
    text = flat(compared(*(make_run("attempt-6a", seed=seed) for seed in (0, 1, 2)), width=width))
    assert text.count("attempt-6a") == 3
    assert text.count(cards()["attempt-6a"].changes) == 1


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


@pytest.mark.parametrize("width", WIDTHS)
def test_a_data_summary_shows_counts_classes_and_the_positive_one(width: int) -> None:
    text = flat(shown(data_tables(SUMMARY), width))
    for part in ("NORMAL", "PNEUMONIA", "1341", "3875", "1000", "1800", "122", "positive class: PNEUMONIA"):
        assert part in text
    assert "SYNTHETIC" not in text


def test_a_synthetic_data_summary_says_so() -> None:
    assert "SYNTHETIC" in shown(data_tables(replace(SUMMARY, synthetic=True)))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_data_summary_shows_warnings_and_what_was_left_out(width: int) -> None:
    summary = replace(
        SUMMARY, warnings=("2 patients stand in train and test",), problems=(Problem("a/b[1].jpeg", "truncated"),)
    )
    text = flat(shown(data_tables(summary), width))
    assert "2 patients stand in train and test" in text
    assert "a/b[1].jpeg: truncated" in text


def test_a_long_list_of_what_was_left_out_is_cut_and_says_by_how_many() -> None:
    problems = tuple(Problem(f"image-{i:03}.jpeg", "truncated") for i in range(33))
    text = shown(data_tables(replace(SUMMARY, problems=problems)))
    listed = len(re.findall(r"image-\d{3}\.jpeg", text))
    assert 0 < listed < 33
    assert f"{33 - listed} more" in text


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


@pytest.mark.parametrize("width", [110, 149, 150, 157, 158, 169, 170, 200])
def test_no_column_is_pushed_out_of_the_terminal(all_runs: list[Run], width: int) -> None:
    lines = compared(*all_runs, width=width).splitlines()
    assert [line.rstrip().endswith(" time") for line in lines].count(True) == 1
    assert [line.rstrip().endswith(" s") for line in lines].count(True) == len(all_runs)


@pytest.mark.parametrize("width", [80, 100, 109])
def test_a_narrow_terminal_has_seed_time_and_diagnosis_below_the_name(width: int) -> None:
    collapsed = make_run("attempt-7", val=on_val([0, 1] * 30, [0.98] * 60), test=on_test([0, 1] * 50, [0.98] * 100))
    lines = [line.strip() for line in compared(make_run(seed=3), collapsed, width=width).splitlines()]
    assert sum(line.startswith("seed 3, 42 s") for line in lines) == 1
    assert sum(line.startswith("seed 0, 42 s") for line in lines) == 1
    assert any(line.startswith("diagnosis: single-class") for line in lines)

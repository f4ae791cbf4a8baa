"""The comparison shows every card and figure at every width of terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from benchmark.runs.run import Run
from reports.render.terminal.comparison import comparison_tables
from reports.report import build_report
from reports.results.conditions.skipped import SkippedCard
from reports.text import MISSING
from tests.support.records import (
    KAGGLE,
    PHANTOM,
    cards,
    make_card,
    make_run,
    of_counts,
    on_test,
    on_val,
    recorded_history,
)
from tests.support.terminal import WIDTHS, flat, shown


def compared(*runs: Run, skips: Sequence[SkippedCard] = (), width: int = 200) -> str:
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


@pytest.mark.parametrize("width", WIDTHS)
def test_measured_and_published_figures_stand_in_the_comparison(width: int) -> None:
    text = compared(make_run("attempt-6b", test=of_counts(tp=90, fp=30, tn=72, fn=8), dataset=KAGGLE), width=width)
    for figure in ("0.810", "0.918", "0.7671", "0.9340", "+0.043"):
        assert figure in text


@pytest.mark.parametrize("width", WIDTHS)
def test_both_shares_of_right_decisions_stand_in_the_comparison(width: int) -> None:
    text = compared(make_run("attempt-6b", test=of_counts(tp=90, fp=30, tn=75, fn=8)), width=width)
    assert "specificity" in text
    assert re.search(r"(?<!\S)0\.714(?!\S)", text)  # 75 of 105


@pytest.mark.parametrize("width", WIDTHS)
def test_a_failed_run_is_a_row_that_shows_its_error(width: int) -> None:
    text = compared(
        make_run("attempt-6b", error="boom", dataset=KAGGLE), make_run("attempt-1", dataset=KAGGLE), width=width
    )
    assert "boom" in text
    assert MISSING in text
    assert "0.7671" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_a_skipped_card_is_named_with_its_whole_reason(width: int) -> None:
    skip = SkippedCard("attempt-7", "images of 16 px are too small: this network needs at least 32 px [sic]")
    text = flat(compared(make_run(), skips=[skip], width=width))
    assert f"skipped attempt-7: {skip.reason}" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_synthetic_data_is_marked(width: int) -> None:
    assert "SYNTHETIC" in compared(make_run(), width=width)
    assert "SYNTHETIC" not in compared(make_run(dataset=KAGGLE), width=width)


@pytest.mark.parametrize("width", WIDTHS)
def test_figures_published_about_other_data_are_left_out(width: int) -> None:
    other, same = (compared(make_run("attempt-6b", **facts), width=width) for facts in ({}, {"dataset": KAGGLE}))
    assert "published" not in other
    assert "0.7671" in same
    assert "different data" not in same


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
    text = compared(make_run(make_card(change="[red]x[/red]"), dataset=dataset, error="[/oops]"))
    for literal in ("[bold]scans[/bold]", "[red]x[/red]", "[/oops]"):
        assert literal in text


@pytest.mark.parametrize("width", WIDTHS)
def test_the_longest_name_folds_and_no_figure_does(width: int) -> None:
    name = "a" * 31 + "-" + "b" * 32
    run = make_run(make_card().model_copy(update={"name": name}))
    text, auc = compared(run, width=width), run.figures()["auc"]
    assert max(map(len, text.splitlines())) <= width
    assert f"{auc.value:.3f}" in text
    assert f"[{auc.low:.3f}, {auc.high:.3f}]" in text
    assert name[:13] in text


@pytest.mark.parametrize("width", WIDTHS)
def test_what_a_card_changes_is_told_once_for_all_its_seeds(width: int) -> None:
    text = flat(compared(*(make_run("attempt-6a", seed=seed) for seed in (0, 1, 2)), width=width))
    assert text.count("attempt-6a") == 3
    assert text.count(cards()["attempt-6a"].change) == 1


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

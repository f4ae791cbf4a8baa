"""Pairs and rankings can be read at every width, and nothing that is missing looks like a number."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from benchmark.evidence.metrics.registry import label_of
from benchmark.runs.storage.store import Store
from reports.render.terminal.pairs import pair_table, ranking_table
from reports.results.comparison.pairs import compare_pair, rank
from reports.results.measured import CardResults, collect_results
from reports.text import MISSING
from tests.support.records import make_card, on_test, planted
from tests.support.stored import keep
from zoo.models.card import ModelCard

WIDTHS = (80, 120, 160)
AT_HALF = "at threshold 0.5"
LONG = ("a-scratch-network-of-four-blocks", "a-frozen-network-and-a-new-head")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CardResults]:
    """Two cards with long names, one of two seeds, and one that never says positive."""
    store = Store(tmp_path_factory.mktemp("tables"))
    for number, name in enumerate(LONG):
        keep(store, named(name), on_test(*planted(80, 80, 1.0 + 2 * number, seed=number)))
    keep(store, named(LONG[0]), on_test(*planted(80, 80, 1.0, seed=9)), seed=1)
    labels, scores = planted(80, 80)
    keep(store, named("never"), on_test(labels, [score / 3 for score in scores]))
    return collect_results(store.runs()[0], store)


def named(name: str) -> ModelCard:
    return ModelCard.model_validate({**make_card().model_dump(mode="json"), "name": name})


def shown(renderable: RenderableType, width: int) -> str:
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    console.print(renderable)
    return console.export_text()


def pair(found: dict[str, CardResults], a: str, b: str, width: int = 120) -> str:
    return shown(pair_table(a, b, compare_pair(found[a], found[b]), AT_HALF), width)


def cells(text: str, first: str) -> list[str]:
    """The blank-separated cells of the line that begins with `first`."""
    (line,) = [line for line in text.splitlines() if line.strip().startswith(first + " ")]
    return line.split()


@pytest.mark.parametrize("width", WIDTHS)
def test_both_names_stand_whole_with_their_seeds(found: dict[str, CardResults], width: int) -> None:
    text = pair(found, *LONG, width=width)
    assert f"A is {LONG[0]}, 2 seeds" in text
    assert f"B is {LONG[1]}, 1 seed\n" in text.replace(" \n", "\n")
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_each_metric_is_one_line_with_its_difference_and_interval(found: dict[str, CardResults], width: int) -> None:
    pairs = compare_pair(found[LONG[0]], found[LONG[1]])
    text = shown(pair_table(*LONG, pairs, AT_HALF), width)
    for one in pairs:
        spoken = label_of(one.metric)
        row = " ".join(cells(text, spoken))
        gap = one.difference
        assert f"{one.a.value:.3f} {one.b.value:.3f} {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]" in row


def test_the_test_behind_each_p_value_is_named(found: dict[str, CardResults]) -> None:
    text = pair(found, LONG[1], "never")
    assert "Newcombe: accuracy, recall, specificity" in text
    assert "DeLong: AUC" in text


def test_an_undefined_figure_is_a_dash_with_its_reason(found: dict[str, CardResults]) -> None:
    text = pair(found, LONG[1], "never")
    assert cells(text, "precision")[2:] == [MISSING] * 5
    assert "undefined for these decisions or classes: precision" in text


def test_one_seed_is_said_to_leave_the_spread_unknown(found: dict[str, CardResults]) -> None:
    assert "spread over seeds unknown" in pair(found, *LONG)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_ranking_holds_every_name_whole_in_order(found: dict[str, CardResults], width: int) -> None:
    ranking = rank(list(found.values()), "auc")
    assert ranking is not None
    text = shown(ranking_table(ranking), width)
    places = [text.index(f" {name} ") for name in ranking.figures]
    assert places == sorted(places)
    assert max(map(len, text.splitlines())) <= width
    assert f"{ranking.significant} of {ranking.pairs} pairs" in " ".join(text.split())
    for name, figure in ranking.figures.items():
        row = cells(text, name)
        assert row[1] == f"{figure.value:.3f}"
        assert row[-1] == ranking.letters[name]


def test_who_was_left_out_of_a_ranking_is_named(found: dict[str, CardResults]) -> None:
    ranking = rank(list(found.values()), "precision")
    assert ranking is not None
    text = " ".join(shown(ranking_table(ranking), 80).split())
    assert "Left out, as they lack this figure on the same images: never." in text


def test_names_are_no_markup(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number, name in enumerate(("attempt-1", "attempt-2")):
        keep(store, name, on_test(*planted(40, 40, seed=number)))
    found = collect_results(store.runs()[0], store)
    assert "A is [red]x, 1 seed" in shown(
        pair_table("[red]x", "b", compare_pair(found["attempt-1"], found["attempt-2"], ["accuracy"]), AT_HALF), 80
    )

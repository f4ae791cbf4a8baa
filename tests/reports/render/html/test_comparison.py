"""The table of figures of the page."""

from __future__ import annotations

import pytest

from benchmark.runs.storage.store import Store
from reports.render.html.comparison import best_first, comparison_view
from reports.render.html.together import COLOURS, DASHES, Series
from reports.report import Section, build_report
from tests.support.records import cards, on_test, planted
from tests.support.stored import keep


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> Section:
    """A good card, a slightly better one and a bad one."""
    store = Store(tmp_path_factory.mktemp("cards"))
    truth, scores = planted(100, 100, 2.0)
    keep(store, "attempt-1", on_test(truth, scores))
    keep(store, "attempt-5", on_test(truth, [score + 1e-3 * label for label, score in zip(truth, scores, strict=True)]))
    keep(store, "attempt-6a", on_test(*planted(100, 100, 0.2)))
    return build_report(store.runs()[0], store.history, scores=store).sections[0]


def test_the_best_card_is_first_and_the_others_are_compared_with_it_in_one_family(section: Section) -> None:
    order = best_first(section)
    assert order == ("attempt-5", "attempt-1", "attempt-6a")
    view = comparison_view(section, order, {name: cards()[name].title for name in order})
    assert [(row.number, row.title) for row in view.rows] == [
        (place, cards()[name].title) for place, name in enumerate(order, 1)
    ]
    standings = [row.standing.place for row in view.rows if row.standing is not None]
    assert standings == ["best", "similar", "worse"]


def test_figures_are_those_of_the_chosen_threshold_with_the_others_beside_them(section: Section) -> None:
    order = best_first(section)
    view = comparison_view(section, order, dict.fromkeys(order, "a title"))
    row = view.rows[0]
    recall = row.cells["recall"]
    assert recall.measured == row.figures.at_chosen["recall"]
    assert recall.beside == f"{row.figures.at_half['recall'].value:.3f}"
    assert row.cells["auc"].beside is None


def test_colours_and_dashes_differ_for_as_many_cards_as_they_can() -> None:
    styles = [Series(place, "", "", "", True).style.split()[1:] for place in range(COLOURS * DASHES)]
    assert len(set(map(tuple, styles))) == COLOURS * DASHES

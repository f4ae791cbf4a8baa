"""The table of test images by card in the page."""

from __future__ import annotations

import pytest

from benchmark.runs.storage.store import Store
from reports.render.html import image_table
from reports.render.html.image_table import gallery_places, images_view
from reports.report import Section, build_report
from tests.support.galleries import made
from tests.support.records import on_test
from tests.support.stored import keep

TITLES = {"attempt-1": "First", "attempt-5": "Fifth"}
ORDER = ("attempt-5", "attempt-1")


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> Section:
    """Two cards on six images; the second misses most."""
    store, truth = Store(tmp_path_factory.mktemp("images")), [0, 0, 0, 1, 1, 1]
    runs = [
        keep(store, "attempt-1", on_test(truth, [0.9, 0.8, 0.1, 0.9, 0.2, 0.9])),
        keep(store, "attempt-5", on_test(truth, [0.7, 0.1, 0.1, 0.9, 0.8, 0.9])),
    ]
    runs = [run.model_copy(update={"threshold": None}) for run in runs]
    return build_report(runs, store.history, scores=store).sections[0]


def test_rows_are_missed_images_and_columns_are_cards_by_their_place_in_the_table_of_figures(section: Section) -> None:
    view = images_view(section, ORDER, {"test/0": "somewhere"}, TITLES)
    assert view is not None
    assert [(card.place, card.title) for card in view.cards] == [(1, "Fifth"), (2, "First")]
    assert [(row.name, row.misses, row.link) for row in view.rows] == [
        ("test/0", 2, "somewhere"),
        ("test/4", 1, None),
        ("test/1", 1, None),
    ]
    assert [cell.missed for cell in view.rows[1].cells] == [False, True]
    lower, higher = (float(cell.probability) for cell in reversed(view.rows[1].cells))
    assert 0 <= lower < 0.5 < higher <= 1
    assert view.rest == 0


def test_a_long_table_is_cut_and_counts_the_rest(section: Section, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_table, "MOST_ROWS", 2)
    view = images_view(section, ORDER, {}, TITLES)
    assert view is not None
    assert (len(view.rows), view.rest) == (2, 1)


def test_each_image_of_a_gallery_has_one_place() -> None:
    gallery = made()
    links, places = gallery_places([gallery], "part1")
    names = {tile.name for group in gallery.groups for tile in group.tiles}
    assert links.keys() == names
    assert sorted(links.values()) == sorted(places.values())
    assert len(set(links.values())) == len(names)

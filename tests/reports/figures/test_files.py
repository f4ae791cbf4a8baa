"""Pictures beside a report: whole SVG files under the names that the report gives them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmark.runs.history import NO_HISTORY
from reports.figures.files import write_pictures
from reports.figures.forest import forest_figure
from reports.figures.svg import inline_svg, to_svg
from reports.render.markdown.document import render
from reports.report import Report, build_report
from reports.results.comparison.card_figures import card_figures
from tests.support.galleries import made
from tests.support.multiclass_galleries import made as made_of_classes
from tests.support.records import make_card, make_run, recorded_history
from tests.support.study import COLLAPSED, FAILED, SEVERAL, SINGLE, report_in


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report_in(tmp_path_factory.mktemp("study"))


def test_every_picture_that_is_named_is_a_file_and_every_file_is_named(report: Report, tmp_path: Path) -> None:
    (pictures,) = write_pictures(report, tmp_path)
    assert pictures.comparison is not None
    named = [pictures.comparison, *(picture for of_card in pictures.cards.values() for picture in of_card)]
    assert {picture.path for picture in named} == {f"figures/{path.name}" for path in (tmp_path / "figures").iterdir()}
    for picture in named:
        assert ElementTree.parse(tmp_path / picture.path).getroot().tag.endswith("svg")
    text = render(report, (pictures,))
    assert all(f"]({picture.path})" in text for picture in named)
    assert set(pictures.cards) == {SINGLE, SEVERAL, COLLAPSED}
    assert FAILED not in pictures.cards


def test_the_tiles_of_a_gallery_are_files_that_the_report_shows(tmp_path: Path) -> None:
    gallery = made()
    report = build_report([make_run()], lambda _: recorded_history())
    galleries = {report.sections[0].runs[0].run_id: replace(gallery, run_id=report.sections[0].runs[0].run_id)}
    pictures = write_pictures(report, tmp_path, galleries)
    files = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "figures" / "gallery-attempt-1-0").iterdir()}
    assert len(files) == 32
    shown = re.findall(r"\]\((figures/gallery[^)]*)\)", render(report, pictures, galleries))
    assert files == set(shown)
    assert (tmp_path / "figures/gallery-attempt-1-0/wrong-2.webp").read_bytes() == gallery.groups[1].tiles[1].image


def test_maps_for_the_true_class_are_files_too(tmp_path: Path) -> None:
    report = build_report([make_run()], lambda _: recorded_history())
    run_id = report.sections[0].runs[0].run_id
    gallery = replace(made_of_classes(), run_id=run_id)
    pictures = write_pictures(report, tmp_path, {run_id: gallery})
    files = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / pictures[0].galleries[run_id]).iterdir()}
    tiles = [tile for group in gallery.groups for tile in group.tiles]
    assert len(files) == 2 * len(tiles) + sum(not tile.right for tile in tiles)
    assert files == set(re.findall(r"\]\((figures/gallery[^)]*)\)", render(report, pictures, {run_id: gallery})))


def test_sections_do_not_share_pictures(tmp_path: Path) -> None:
    report = build_report([make_run(), make_run(protocol="published")], lambda _: recorded_history())
    paths = [pictures.comparison.path for pictures in write_pictures(report, tmp_path) if pictures.comparison]
    assert paths == ["figures/1-comparison.svg", "figures/2-comparison.svg"]


def test_a_report_without_a_finished_run_has_no_picture(tmp_path: Path) -> None:
    (pictures,) = write_pictures(build_report([make_run(error="no memory")], lambda _: NO_HISTORY), tmp_path)
    assert pictures.comparison is None
    assert pictures.cards == {}


def test_a_picture_that_cannot_be_written_leaves_none_behind(report: Report, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "comparison.svg").mkdir()
    with pytest.raises(IsADirectoryError):
        write_pictures(report, tmp_path)
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["comparison.svg"]


def test_the_comparison_shows_what_was_measured_and_what_was_published() -> None:
    cards = card_figures([make_run(), make_run("attempt-7"), make_run("attempt-2", error="no memory")], {})
    text = inline_svg(to_svg(forest_figure(cards)), "Comparison", "Cards side by side")
    for part in ("attempt-1", "attempt-7", "attempt-2", "accuracy at 0.5", "AUC", "published", "measured"):
        assert part in text


def test_a_card_without_figures_has_its_row_all_the_same() -> None:
    figure = forest_figure(card_figures([make_run(make_card(published=[])), make_run("attempt-2", error="x")], {}))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["attempt-1", "attempt-2"]

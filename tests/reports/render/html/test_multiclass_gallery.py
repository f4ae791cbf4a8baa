"""Galleries of several classes in the HTML page."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from reports.gallery.gallery import Gallery
from reports.render.html.page import render
from reports.report import build_report
from tests.support.galleries import HOSTILE
from tests.support.multiclass_galleries import abstention, made, names_of, scores_of
from tests.support.multiclass_stores import BETTER, three_classes_in
from tests.support.pages import Page


def page_with(gallery: Gallery, folder: Path) -> str:
    """The page of a store with `gallery` as that of one of its runs."""
    store = three_classes_in(folder)
    report = build_report(store.runs()[0], store.history, scores=store)
    run = next(run for section in report.sections for run in section.runs if run.spec.card.name == BETTER)
    return render(report, None, {run.run_id: replace(gallery, run_id=run.run_id, card=BETTER)})


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return made(abstention(0.6))


@pytest.fixture(scope="module")
def page(gallery: Gallery, tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_with(gallery, tmp_path_factory.mktemp("page"))


def test_every_tile_has_its_maps_caption_and_alternative_texts(page: str, gallery: Gallery) -> None:
    text = unescape(page)
    for group in gallery.groups:
        for tile in group.tiles:
            assert f'alt="{tile.alt}"' in text
            assert f'alt="{tile.overlay_alt}"' in text
            assert f"{tile.verdict}</span> {tile.caption}" in text
    wrong = [tile for group in gallery.groups for tile in group.tiles if tile.true_overlay is not None]
    assert page.count('class="of-true"') == len(wrong) > 0


def test_subgroups_have_a_column_per_class_and_short_captions(page: str, gallery: Gallery) -> None:
    for head in (
        "recall of NORMAL",
        "recall of VIRUS",
        "most certain wrong images: real class, predicted class, score",
    ):
        assert f'<th scope="col">{head}</th>' in page
    assert all(str(tile.brief) in page for tiles in gallery.failures for tile in tiles)


def test_the_page_is_well_formed_also_with_hostile_names(tmp_path: Path) -> None:
    names = [f"{name}{HOSTILE}" for name in names_of(scores_of())]
    html = page_with(made(abstention(0.6), names=names), tmp_path)
    assert Page(html).broken == []
    assert not re.search(r"<script>alert", html)

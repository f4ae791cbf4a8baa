"""A gallery as markdown."""

from __future__ import annotations

import re
from dataclasses import replace

from reports.render.markdown.gallery import gallery_markdown
from tests.reports.render.markdown.test_document import tables
from tests.support.galleries import HOSTILE, made

FOLDER = "figures/gallery-attempt-1-0"


def test_every_tile_is_a_column_with_image_map_caption_and_name() -> None:
    gallery = made()
    text = "\n".join(gallery_markdown(gallery, FOLDER))
    for group in gallery.groups:
        for name, tile in group.named():
            assert f"![{tile.alt}]({FOLDER}/{name}.webp)" in text
            assert f"![{tile.overlay_alt}]({FOLDER}/{name}-map.webp)" in text
            assert " ".join(tile.caption.split()) in text
            assert tile.name in text
    wrong = sum(not tile.right for group in gallery.groups for tile in group.tiles)
    assert len(re.findall(r"\| WRONG\b", text)) == wrong


def test_an_empty_map_has_its_reason_in_place_of_a_picture() -> None:
    text = "\n".join(gallery_markdown(made(empty=0), FOLDER))
    assert "/correct-1.webp)" in text
    assert "correct-1-map.webp" not in text
    assert "| empty map: nothing in conv3 supports" in text


def test_without_maps_there_is_no_row_of_them_and_without_files_no_picture() -> None:
    assert "-map.webp" not in "\n".join(gallery_markdown(made(with_maps=False), FOLDER))
    assert "![" not in "\n".join(gallery_markdown(made(), None))


def test_groups_without_a_tile_and_groupings_left_out_have_their_reasons() -> None:
    gallery = made()
    first, *others = gallery.groups
    empty = replace(first, tiles=(), reason="no test image was decided rightly")
    text = "\n".join(gallery_markdown(replace(gallery, groups=(empty, *others)), FOLDER))
    assert "**Right**: no test image was decided rightly." in text
    assert "Not grouped: size is not known." in text
    assert "| grouped by | group |" in text
    assert "Holm over" in text


def test_a_hostile_name_breaks_no_table() -> None:
    text = "\n".join([*gallery_markdown(made(tuple(f"{n}{HOSTILE}\n\x07" for n in range(80))), FOLDER), ""])
    assert len(tables(text)) == 5
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\]\(b\)", text)

"""A gallery as markdown."""

from __future__ import annotations

import re
from dataclasses import replace

from reports.render.markdown.gallery import gallery_markdown
from tests.reports.render.markdown.test_document import tables
from tests.support.galleries import HOSTILE, made
from tests.support.multiclass_galleries import abstention, names_of, scores_of
from tests.support.multiclass_galleries import made as made_of_classes

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


def test_a_wrong_call_of_several_classes_has_two_maps() -> None:
    gallery = made_of_classes(abstention(0.6))
    text = "\n".join(gallery_markdown(gallery, FOLDER))
    tiles = [(name, tile) for group in gallery.groups for name, tile in group.named()]
    for name, tile in tiles:
        assert f"![{tile.overlay_alt}]({FOLDER}/{name}-map.webp)" in text
        assert (f"]({FOLDER}/{name}-true-map.webp)" in text) == (tile.true_overlay is not None)
        assert " ".join(tile.caption.split()) in text
    assert any(tile.true_overlay for _, tile in tiles)
    assert text.count("| undecided") == len(next(g.tiles for g in gallery.groups if g.key == "abstained"))
    assert "| recall of NORMAL | recall of BACTERIA | recall of VIRUS |" in text


def test_empty_maps_for_the_true_class_have_their_reason_in_markdown() -> None:
    text = "\n".join(gallery_markdown(made_of_classes(empty=True), FOLDER))
    assert "-true-map.webp" not in text
    assert "empty map: nothing in conv3 supports" in text


def test_a_hostile_name_breaks_no_table_of_several_classes() -> None:
    names = [f"{name}{HOSTILE}" for name in names_of(scores_of())]
    text = "\n".join([*gallery_markdown(made_of_classes(names=names), FOLDER), ""])
    assert len(tables(text)) == 5
    assert "<script" not in text

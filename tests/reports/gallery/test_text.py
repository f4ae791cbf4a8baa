"""What a gallery says: what its maps are worth, and how subgroups compare."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmark.evidence.diagnosis.saliency import Inside, sanity
from reports.gallery.gallery import build_gallery, select_images
from reports.gallery.text import inside_line, sanity_line, sentences, subgroup_rows
from tests.support.galleries import NAMES, SCORES, heat_of, made, pictures, run_at


def test_maps_that_point_at_no_place_are_counted() -> None:
    run, selection = run_at(), select_images(SCORES, 0.5, NAMES)
    heat = heat_of(selection)
    heat.maps[:3] = np.linspace(0.5, 1, 40, dtype=np.float32)
    found = build_gallery(run, SCORES, NAMES, selection, pictures(len(selection.places)), heat=heat)
    assert any(sentence.startswith("3 of 16 maps are nearly even") for sentence in sentences(found))
    assert "is nearly even over the image" in found.groups[0].tiles[0].overlay_alt
    assert not any("nearly even" in sentence for sentence in sentences(made()))


def test_without_a_model_images_are_shown_and_the_reason() -> None:
    found = made(with_maps=False)
    assert all(tile.overlay is None for group in found.groups for tile in group.tiles)
    assert "No Grad-CAM: the model was not kept." in sentences(found)
    assert sanity_line(found) is None
    assert inside_line(found) is None


def test_the_sanity_check_is_told_either_way() -> None:
    assert "passed: the maps depend on the weights" in str(sanity_line(made()))
    line = str(sanity_line(made(stays=True)))
    assert "FAILED: the maps hardly depend on the weights" in line
    assert "is 1.00 (1.00 if only the layers after conv3 are), median of 16 images; it passes below 0.5" in line


def test_a_sanity_check_without_a_verdict_gives_the_reason() -> None:
    none = np.zeros((16, 6, 6))
    found = replace(made(), sanity=sanity(none, none[None], none[None]))
    assert "undetermined, 0 of 16 images have a map; 4 are needed" in str(sanity_line(found))


def test_the_share_inside_stands_against_that_of_a_uniform_map() -> None:
    assert "100% of a map lies inside the lungs (16 maps)" in str(inside_line(made()))
    assert "a uniform map would have 50%" in str(inside_line(made()))
    empty = replace(made(), inside=Inside((None,), None, 0.5, 0, 0))
    assert inside_line(empty) == "Share of the maps inside the lungs: not known, all maps are empty."


def test_subgroup_rows_hold_rates_with_intervals_or_the_reason() -> None:
    a, b = subgroup_rows(made())
    assert a[:3] == ["names", "a", "40"]
    assert "no image of this class" in a[3]
    assert "/40" in b[3]
    assert b[3].count("[") == 1

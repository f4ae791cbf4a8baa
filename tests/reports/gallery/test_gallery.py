"""A gallery shows what its rules choose from the stored scores, says what maps are worth, and obeys no file name."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jinja2 import Environment
from PIL import Image

from benchmark.evidence.calibration.calibrators import best_calibrator
from benchmark.evidence.scores import TestScores
from reports.gallery.decided import decided_at
from reports.gallery.gallery import build_gallery, select_images
from reports.gallery.tiles import LARGE, SMALL, large_tile, overlay, small_tile, where_strongest
from tests.support.galleries import HOSTILE, NAMES, SCORES, made, pictures, run_at
from tests.support.records import PHANTOM, make_run, on_test, on_val, planted

ROOT = Path(__file__).resolve().parents[3]


def pixels_of(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def wrong(scores: TestScores, threshold: float = 0.5) -> np.ndarray:
    return (scores.y_score >= threshold) != (scores.y_true == 1)


def test_groups_hold_what_they_say() -> None:
    selection = select_images(SCORES, 0.5, NAMES)
    assert not wrong(SCORES)[list(selection.groups["correct"])].any()
    assert wrong(SCORES)[list(selection.groups["wrong"])].all()
    assert wrong(SCORES)[list(selection.groups["certain"])].all()
    assert [len(group) for group in selection.groups.values()] == [4, 4, 4, 4]


def test_the_most_certain_wrong_are_the_farthest_from_the_threshold() -> None:
    away = np.where(wrong(SCORES), np.abs(SCORES.y_score - 0.5), -1)
    assert set(select_images(SCORES, 0.5, NAMES).groups["certain"]) == set(np.argsort(-away)[:4].tolist())


def test_the_nearest_are_the_nearest_of_those_left() -> None:
    selection = select_images(SCORES, 0.3, NAMES)
    others = [place for place in range(80) if place not in selection.groups["certain"]]
    expected = sorted(others, key=lambda place: abs(SCORES.y_score[place] - 0.3))[:4]
    assert list(selection.groups["nearest"]) == expected


def test_right_and_wrong_are_shown_of_both_classes() -> None:
    selection = select_images(SCORES, 0.5, NAMES)
    for key in ("correct", "wrong"):
        assert SCORES.y_true[list(selection.groups[key])].tolist() == [1, 1, 0, 0]


def test_no_image_stands_in_two_groups() -> None:
    for count in (6, 10, 80):
        part = on_test(SCORES.y_true[:: 80 // count].tolist(), SCORES.y_score[:: 80 // count].tolist())
        explained = select_images(part, 0.5, NAMES[: len(part)]).explained
        assert len(explained) == len(set(explained))


def test_the_choice_does_not_hang_on_the_order_of_images() -> None:
    tied = on_test(SCORES.y_true.tolist(), np.round(SCORES.y_score, 1).tolist())
    order = np.random.default_rng(5).permutation(80)
    shuffled = on_test(tied.y_true[order].tolist(), tied.y_score[order].tolist())
    one = select_images(tied, 0.5, NAMES).groups
    other = select_images(shuffled, 0.5, [NAMES[place] for place in order]).groups
    assert {k: [NAMES[p] for p in v] for k, v in one.items()} == {
        k: [NAMES[order[p]] for p in v] for k, v in other.items()
    }


def test_a_collapsed_model_shows_the_groups_it_has() -> None:
    constant = on_test([0] * 20 + [1] * 20, [0.9] * 40)
    selection = select_images(constant, 0.5, [str(n) for n in range(40)])
    assert all(constant.y_true[place] == 1 for place in selection.groups["correct"])
    assert all(constant.y_true[place] == 0 for place in selection.groups["wrong"])


def test_a_group_without_images_says_why() -> None:
    perfect = on_test([0] * 20 + [1] * 20, [0.1] * 20 + [0.9] * 20)
    selection = select_images(perfect, 0.5, [str(n) for n in range(40)])
    found = build_gallery(
        run_at(), perfect, [str(n) for n in range(40)], selection, pictures(len(selection.places)), maps_reason="-"
    )
    reasons = {group.key: group.reason for group in found.groups}
    assert reasons["certain"] == "no decision was wrong"
    assert reasons["wrong"] == "there are no other wrong decisions"
    assert reasons["correct"] is None


def test_the_caption_is_the_report_s() -> None:
    scores = on_test([1, 0], [0.71, 0.2])
    selection = select_images(scores, 0.5, ["a", "b"])
    found = build_gallery(run_at(), scores, ["a", "b"], selection, pictures(2), maps_reason="-")
    captions = {tile.name: tile.caption for group in found.groups for tile in group.tiles}
    assert captions["a"] == "Real: PNEUMONIA  Pred: PNEUMONIA  Score(P): 0.71"
    assert captions["b"] == "Real: NORMAL  Pred: NORMAL  Score(P): 0.20"


def test_the_caption_is_a_probability_where_calibration_is_used() -> None:
    scores = on_test([1, 0], [0.71, 0.2])
    calibrator = best_calibrator(on_val(*planted(200, 200, 1.0, seed=4)))
    selection = select_images(scores, 0.5, ["a", "b"])
    for each in (
        replace(
            calibrator,
            method="isotonic",
            accepted=True,
            reason=None,
            parameters=(),
            knots_x=(0.0, 1.0),
            knots_y=(0.1, 0.9),
        ),
        replace(calibrator, method="isotonic", accepted=False, reason="no gain", parameters=(), knots_x=(), knots_y=()),
    ):
        found = build_gallery(run_at(), scores, ["a", "b"], selection, pictures(2), maps_reason="-", calibrators=[each])
        captions = {tile.name: tile.caption for group in found.groups for tile in group.tiles}
        value = f"Prob(P): {0.1 + 0.8 * 0.71:.2f}" if each.accepted else "Score(P): 0.71"
        assert captions["a"].endswith(value)
        assert ("as a calibrated probability" in found.decided) == each.accepted


def test_decisions_fall_at_the_chosen_threshold() -> None:
    scores = on_test([1, 0], [0.71, 0.2])
    run = run_at(0.8)
    found = build_gallery(run, scores, ["a", "b"], select_images(scores, 0.8, ["a", "b"]), pictures(2), maps_reason="-")
    tile = next(tile for group in found.groups for tile in group.tiles if tile.name == "a")
    assert (tile.predicted, tile.verdict) == ("NORMAL", "wrong")
    assert "wrongly called NORMAL with score 0.71 of PNEUMONIA" in tile.alt
    assert found.decided == "0.8, chosen on validation by the rule youden"


def test_without_a_chosen_threshold_it_is_a_half_and_says_so() -> None:
    assert decided_at(run_at(None), SCORES) == (0.5, "0.5; none could be chosen on validation: constant scores")


def test_a_probability_can_be_told_from_the_threshold() -> None:
    scores = on_test([1, 1], [0.5001, 0.9])
    found = build_gallery(
        run_at(), scores, ["a", "b"], select_images(scores, 0.5, ["a", "b"]), pictures(2), maps_reason="-"
    )
    assert any("Score(P): 0.5001" in tile.caption for group in found.groups for tile in group.tiles)


def test_classes_with_one_initial_are_written_out() -> None:
    run = make_run(test=SCORES, dataset=PHANTOM.model_copy(update={"classes": ("CAR", "CAT")}))
    scores = on_test([1, 0], [0.7, 0.2])
    found = build_gallery(run, scores, ["a", "b"], select_images(scores, 0.5, ["a", "b"]), pictures(2), maps_reason="-")
    assert all("Score(CAT): " in tile.caption for group in found.groups for tile in group.tiles)


def test_pictures_are_small_webp_of_the_image() -> None:
    smooth = np.tile(np.linspace(20, 220, 300).astype(np.uint8)[None, :, None], (300, 1, 1))
    for picture, side in ((large_tile(smooth), LARGE), (small_tile(smooth), SMALL)):
        opened = Image.open(io.BytesIO(picture))
        assert (opened.format, opened.size) == ("WEBP", (side, side))
        assert abs(pixels_of(picture).mean() - smooth.mean()) < 3
        assert len(picture) < 5000


def test_colour_stays_colour_and_shape_stays_shape() -> None:
    red = np.zeros((30, 60, 3), np.uint8)
    red[..., 0] = 200
    found = pixels_of(large_tile(red))
    assert found.shape == (LARGE // 2, LARGE, 3)
    assert found[..., 0].mean() > 150 > 60 > found[..., 2].mean()


def test_the_overlay_changes_the_image_where_the_map_is_and_lines_it() -> None:
    grey = np.full((LARGE, LARGE, 1), 100, np.uint8)
    heat = np.zeros((LARGE, LARGE), np.float32)
    heat[80:120, 20:60] = 1
    changed = np.abs(pixels_of(overlay(grey, heat)).astype(int) - 100).max(axis=2)
    assert changed[90:110, 30:50].min() > 40
    assert changed[:60].max() < 12
    dark, bright = (
        pixels_of(overlay(grey, heat))[76:84, 30:50].min(),
        pixels_of(overlay(grey, heat))[76:84, 30:50].max(),
    )
    assert dark < 50 < 180 < bright  # a line that needs no colour


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        (slice(0, 5), slice(0, 5), "upper left"),
        (slice(25, 30), slice(12, 18), "lower"),
        (slice(12, 18),) * 2 + ("middle",),
    ],
)
def test_where_a_map_is_strongest_is_said_in_words(rows: slice, columns: slice, words: str) -> None:
    heat = np.zeros((30, 30), np.float32)
    heat[rows, columns] = 1
    assert where_strongest(heat) == words


def test_every_tile_says_what_it_shows() -> None:
    for group in made().groups:
        for tile in group.tiles:
            assert tile.name in tile.alt
            assert tile.real in tile.alt
            assert "strongest in the lower left" in tile.overlay_alt
            assert "100% of it lies inside the lungs" in tile.overlay_alt


def test_data_uris_hold_the_pictures() -> None:
    tile = made().groups[0].tiles[0]
    head, _, body = tile.image_uri.partition(",")
    assert head == "data:image/webp;base64"
    assert base64.b64decode(body) == tile.image


def test_fourteen_galleries_fit_into_a_page() -> None:
    found = made()
    tiles = [tile for group in found.groups for tile in group.tiles] + [tile for row in found.failures for tile in row]
    noise = sum(len(tile.image_uri) + len(tile.overlay_uri or "") for tile in tiles)  # noise compresses worst of all
    assert 14 * noise < 5_000_000


def test_an_empty_map_is_told_and_not_drawn() -> None:
    found = made(empty=0)
    tile = found.groups[0].tiles[0]
    assert tile.overlay is None
    assert tile.overlay_uri is None
    assert tile.overlay_reason == f"empty map: nothing in conv3 supports {tile.predicted}"


def test_failures_stand_beside_their_subgroup() -> None:
    found = made()
    assert found.subgroups is not None
    for group, tiles in zip(found.subgroups.groups, found.failures, strict=True):
        assert [tile.name for tile in tiles] == [NAMES[place] for place in group.failures[:3]]
        assert not any(tile.right for tile in tiles)


def test_a_hostile_name_is_shown_and_not_run_in_html() -> None:
    tile = made((HOSTILE, *NAMES[1:])).groups
    everything = [each for group in tile for each in group.tiles]
    template = Environment(autoescape=True).from_string('<img alt="{{ t.alt }}" src="{{ t.image_uri }}">{{ t.name }}')
    for each in everything:
        html = template.render(t=replace(each, name=HOSTILE, alt=f"Test image {HOSTILE}"))
        assert "<script" not in html
        assert html.count('"') == 4


def test_galleries_are_drawn_without_keras() -> None:
    modules = "reports.figures.files, reports.render.markdown.gallery"
    code = f"import sys, {modules}; print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

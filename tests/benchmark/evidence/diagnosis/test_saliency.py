"""Maps that do not depend on the weights are told, and so is where maps lie."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from benchmark.evidence.diagnosis.saliency import CUT_OFF, inside, rank_correlations, sanity

MAPS = np.random.default_rng(0).random((6, 5, 7))
OTHER = np.random.default_rng(1).random((6, 5, 7))


def test_rank_correlations_are_spearmans() -> None:
    tied = np.round(MAPS, 1), np.round(OTHER, 1)
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(*tied, strict=True)]
    assert rank_correlations(*tied) == pytest.approx(expected)


def test_any_rising_change_of_a_map_keeps_its_order() -> None:
    assert rank_correlations(MAPS, np.exp(5 * MAPS)) == pytest.approx([1] * 6)


def test_an_empty_map_has_no_order_and_one_that_vanishes_keeps_none() -> None:
    empty = np.zeros((1, 5, 7))
    assert rank_correlations(empty, MAPS[:1]) == (None,)
    assert rank_correlations(MAPS[:1], empty) == (0.0,)


def test_maps_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        rank_correlations(MAPS, MAPS[:, :4])


def test_maps_that_stay_fail() -> None:
    alike = np.stack([MAPS, MAPS + 0.01 * OTHER])
    found = sanity(MAPS, alike, alike)
    assert found.passes is False
    assert found.median is not None
    assert found.median > 0.99
    assert found.draws == 2


def test_maps_that_change_pass() -> None:
    found = sanity(MAPS, np.stack([MAPS]), np.stack([OTHER, OTHER[::-1]]))
    assert found.passes is True
    assert found.median is not None
    assert abs(found.median) < 0.3
    assert found.head_median == pytest.approx(1)


def test_the_cut_off_itself_fails() -> None:
    ranks = np.arange(5.0)
    other = np.array([0.0, 3.0, 1.0, 2.0, 4.0])
    at = float(spearmanr(ranks, other).statistic)
    one, two = np.tile(ranks, (4, 1))[:, None], np.tile(other, (4, 1))[:, None]
    assert sanity(one, one[None], two[None], cut_off=at).passes is False
    assert sanity(one, one[None], two[None], cut_off=at + 1e-6).passes is True
    assert CUT_OFF == 0.5


def test_an_image_s_figure_is_the_mean_over_draws() -> None:
    found = sanity(MAPS, np.stack([MAPS]), np.stack([MAPS, 1 - MAPS]))
    assert found.per_image == pytest.approx([0] * 6, abs=1e-9)


def test_too_few_maps_are_no_verdict() -> None:
    trained = MAPS.copy()
    trained[3:] = 0
    found = sanity(trained, OTHER[None], OTHER[None])
    assert found.passes is None
    assert found.reason == "3 of 6 images have a map; 4 are needed"
    assert found.per_image[3:] == (None, None, None)


def test_without_a_draw_there_is_no_verdict() -> None:
    none = np.zeros((0, *MAPS.shape))
    found = sanity(MAPS, none, none)
    assert (found.passes, found.median, found.reason) == (None, None, "no weights were randomised")


def test_the_share_inside_is_that_of_the_map_s_sum() -> None:
    maps, region = np.zeros((2, 4, 4)), np.zeros((2, 4, 4), bool)
    region[:, :2] = True
    maps[0, 0, 0], maps[0, 3, 3] = 3, 1
    maps[1] = 1
    found = inside(maps, region)
    assert found.per_image == (0.75, 0.5)
    assert (found.share, found.expected) == (0.625, 0.5)
    assert (found.above, found.images) == (1, 2)


def test_empty_maps_lie_nowhere() -> None:
    found = inside(np.zeros((2, 4, 4)), np.ones((2, 4, 4), bool))
    assert (found.per_image, found.share, found.images) == ((None, None), None, 0)


def test_a_region_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="differ"):
        inside(np.zeros((2, 4, 4)), np.ones((2, 4, 5), bool))

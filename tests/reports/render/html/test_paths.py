"""Paths and axes of charts."""

from __future__ import annotations

import re

import pytest

from reports.render.html.paths import SIDE, ordinates, path, shares, whole_numbers


def corners(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", text)]


def test_a_path_keeps_its_corners_and_leaves_out_repetitions_and_points_on_straight_lines() -> None:
    steps = [(0, 0), (0, 0), (0, 10), (0, 20), (0, 20), (5, 20), (10, 20), (10, 20), (10, 30)]
    assert path(steps) == "M0.0 0.0L0.0 20.0L10.0 20.0L10.0 30.0"
    assert corners(path([(0, 0), (10, 0), (4, 0)])) == [(0, 0), (10, 0), (4, 0)], "a way back is a corner"
    assert path([(1, 2)]) == "M1.0 2.0"
    assert path([]) == ""


def test_a_curve_of_small_steps_stays_a_curve() -> None:
    points = [(x / 10, (x / 10) ** 2 / 100) for x in range(1000)]
    assert len(corners(path(points))) == 1000


@pytest.mark.parametrize(("values", "logarithmic"), [([0.5, 0.9], False), ([0.01, 8.0], True), ([0.0, 8.0], False)])
def test_a_scale_contains_its_values_and_has_round_ticks(values: list[float], logarithmic: bool) -> None:
    scale = ordinates(values, 200)
    assert scale.logarithmic is logarithmic
    assert 0 <= scale.at(max(values)) < scale.at(min(values)) <= 200
    assert 2 <= len(scale.ticks) <= 6
    for tick in scale.ticks:
        assert 0 <= tick.at <= 200
        assert scale.at(float(tick.text)) == pytest.approx(tick.at)


def test_a_scale_of_equal_values_has_a_height() -> None:
    scale = ordinates([0.7, 0.7], 200)
    assert 0 < scale.at(0.7) < 200


def test_ticks_of_shares_and_epochs() -> None:
    assert [(tick.at, tick.text) for tick in shares()][::4] == [(0, "0"), (SIDE, "1")]
    assert [(tick.at, tick.text) for tick in shares(upward=True)][::4] == [(SIDE, "0"), (0, "1")]
    assert whole_numbers(1, 1) == [1]
    assert all(1 <= epoch <= 14 for epoch in whole_numbers(1, 14))

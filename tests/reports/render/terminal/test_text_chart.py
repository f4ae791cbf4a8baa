"""Charts in characters: marks, missing values, widths."""

from __future__ import annotations

import math

import pytest

from reports.render.terminal.text_chart import text_chart


def test_series_are_told_apart_by_mark_and_shared_places_by_a_third() -> None:
    lines = text_chart({"train": [1.0, 0.5, 0.0], "val": [1.0, 0.0, None]}, "tv", width=40, height=3)
    assert lines == [
        "  1.000 |#",
        "  0.500 |    t",
        "  0.000 |    v   t",
        "        +---------",
        "         1       3",
    ]


def test_a_new_phase_is_marked_on_the_axis() -> None:
    lines = text_chart({"a": [0.0, 1.0, 2.0, 3.0]}, "a", width=40, height=3, breaks=[1, 3])
    assert lines[-2] == "        +|-------|----"


@pytest.mark.parametrize("width", [10, 30, 80, 200])
@pytest.mark.parametrize("places", [1, 7, 500])
def test_no_line_is_wider_than_asked(width: int, places: int) -> None:
    lines = text_chart({"a": [math.sin(i) for i in range(places)]}, "a", width=width)
    assert max(map(len, lines)) <= width
    assert sum("a" in line for line in lines) > 0


def test_what_is_not_finite_is_left_out() -> None:
    drawn = "".join(text_chart({"a": [1.0, math.inf, math.nan, None, 2.0]}, "a", width=40))
    assert drawn.count("a") == 2
    assert text_chart({"a": [None, math.nan]}, "a", width=40) == []


def test_a_constant_series_has_one_label() -> None:
    lines = text_chart({"a": [0.5, 0.5]}, "a", width=40, height=5)
    assert [line for line in lines if "0.500" in line] == ["  0.500 |a   a"]


def test_a_chart_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="9 x 8"):
        text_chart({"a": [1.0]}, "a", width=9)

"""Stored levels become grey levels by one scale for all files of a depth, which is a unit and no fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmark.data.levels import LARGEST, Stored, levels_line, levels_of, range_of, scaled

DEPTHS = st.sampled_from(["16-bit", "32-bit", "float"])
REALS = st.floats(-LARGEST, LARGEST)


def stored(depth: str, low: float, high: float) -> Stored:
    return Stored("PNG", "I;16", depth, low, high, 8, 8, reoriented=False, more=False, colour=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("depth", "low", "high", "ends"),
    [
        pytest.param("16-bit", 0, 1, (0, 255), id="a mask"),
        pytest.param("16-bit", 0, 255, (0, 255), id="8-bit levels in 16 bits"),
        pytest.param("16-bit", 7, 256, (0, 1023), id="10 bits"),
        pytest.param("16-bit", 0, 1700, (0, 4095), id="12 bits, not all used"),
        pytest.param("16-bit", 0, 4095, (0, 4095), id="12 bits"),
        pytest.param("16-bit", 0, 4096, (0, 16383), id="14 bits"),
        pytest.param("16-bit", 0, 65535, (0, 65535), id="16 bits"),
        pytest.param("32-bit", 0, 70_000, (0, 131_071), id="17 bits"),
        pytest.param("32-bit", -1024, 3071, (-1024, 4096), id="Hounsfield units"),
        pytest.param("float", 0, 0.7, (0, 1), id="shares of white"),
        pytest.param("float", 0, 201.5, (0, 255), id="8-bit levels as floats"),
        pytest.param("float", 0, 1700.5, (0, 4095), id="12-bit levels as floats"),
        pytest.param("float", -0.8, 1, (-1, 1), id="around zero"),
        pytest.param("float", -3.2, -2, (-4, 0), id="below zero"),
    ],
)
def test_the_range_is_the_unit_that_holds_the_levels(
    depth: str, low: float, high: float, ends: tuple[float, float]
) -> None:
    assert range_of(depth, low, high) == ends


@example("16-bit", 0.0, float(2**49))
@given(DEPTHS, REALS, REALS)
def test_every_range_holds_its_levels_and_is_finite(depth: str, a: float, b: float) -> None:
    low, high = sorted((a, b))
    start, end = range_of(depth, low, high)
    assert np.isfinite([start, end]).all()
    assert start <= low
    assert end >= high


@pytest.mark.parametrize("ends", [(0, 4095), (-1000, 1), (65535, 65535)])
def test_large_images_become_the_same_grey_levels_as_small_ones(ends: tuple[float, float]) -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    large = np.tile(levels, (3, 2))[:, 1:]  # not a whole number of blocks, nor contiguous
    assert large.size % 65536
    assert (scaled(large, *ends) == np.tile(scaled(levels, *ends), (3, 2))[:, 1:]).all()


@given(DEPTHS, st.lists(REALS, min_size=1, max_size=8), REALS, REALS)
def test_scaled_levels_keep_their_order_and_are_bytes(depth: str, values: list[float], a: float, b: float) -> None:
    levels = np.sort(np.array(values))
    grey = scaled(levels, *range_of(depth, min(a, b), max(a, b)))
    assert grey.dtype == np.uint8
    assert (np.diff(grey.astype(int)) >= 0).all()


@given(st.integers(9, 16))
def test_deep_levels_give_what_their_upper_bits_give(bits: int) -> None:
    bits += bits % 2
    levels = np.arange(2**bits, dtype=np.uint16)
    grey = scaled(levels, *range_of("16-bit", 0, levels.max())).astype(int)
    assert np.abs(grey - (levels >> (bits - 8)).astype(int)).max() <= 1
    assert (grey.min(), grey.max()) == (0, 255)


def test_one_range_for_each_depth_of_a_source() -> None:
    files = [stored("16-bit", 0, 900), stored("16-bit", 2, 1700), stored("float", 0, 1), stored("8-bit", 0, 99)]
    assert levels_of(files) == {"16-bit": (0, 4095), "8-bit": (0, 255), "float": (0, 1)}
    assert levels_line(levels_of(files)) == (
        "16-bit levels 0..4095 and float levels 0..1 are read as 0..255, one scale for all files of a depth"
    )


def test_a_source_of_eight_bits_has_no_scale() -> None:
    assert levels_of([stored("8-bit", 0, 200), stored("8-bit", 5, 90)]) == {}
    assert levels_of([stored("16-bit colour", 0, 200)]) == {}
    assert levels_line({}) is None

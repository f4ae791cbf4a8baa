"""A picture's hash survives what does not change the picture; different pictures stay apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fftpack import dct
from scipy.spatial.distance import pdist, squareform

from benchmark.data.checks.near_duplicates import (
    BITS,
    EXPECTED,
    SIDE,
    choose_cutoff,
    count_distances,
    hashes,
    is_flat,
    pairs_within,
    thumbnails,
)
from tests.support.pictures import COPIES, picture, stack


def random_bits(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, BITS)) < 0.5


def halving(start: int, per_half: int, bulk: int = 10_000) -> np.ndarray:
    """Counts of distances: 50 pairs up to `start`, half as many for each `per_half` bits less, and `bulk` above."""
    below = np.floor(50 * 2.0 ** ((np.arange(BITS + 1) - start) / per_half) + 1e-9)
    below[start:] = 50
    counts = np.diff(below, prepend=0).astype(np.int64)
    counts[start + 8] += bulk
    return counts


def test_a_hash_says_which_low_frequencies_are_above_their_median() -> None:
    """As the library imagehash computes phash(hash_size=16): one transform along each axis, image by image."""
    grey = thumbnails(stack([picture(seed) for seed in range(3)]))
    for levels, bits in zip(grey, hashes(grey), strict=True):
        waves = dct(dct(levels.astype(float), axis=0), axis=1)[:16, :16]
        assert np.array_equal(bits, (waves > np.median(waves)).ravel())


def test_hashes_are_the_same_in_any_company() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (700, SIDE, SIDE), dtype=np.uint8)
    assert np.array_equal(hashes(grey)[[0, 511, 512, 699]], hashes(grey[[0, 511, 512, 699]]))


@pytest.mark.parametrize("shape", [(2, 96, 96, 1), (2, 30, 30, 3), (2, SIDE, SIDE, 1)])
def test_thumbnails_are_grey_and_of_one_size(shape: tuple[int, ...]) -> None:
    pixels = np.full(shape, 77, np.uint8)
    small = thumbnails(pixels)
    assert small.shape == (2, SIDE, SIDE)
    assert (small == 77).all()


def test_a_thumbnail_of_its_own_size_is_the_image() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 1), dtype=np.uint8)
    assert np.array_equal(thumbnails(pixels), pixels[..., 0])


def test_an_image_that_shows_nothing_is_flat() -> None:
    grey = np.stack([np.full((SIDE, SIDE), 9, np.uint8), thumbnails(stack([picture(0)]))[0]])
    assert is_flat(grey).tolist() == [True, False]
    assert is_flat(grey[:0]).shape == (0,)


@pytest.mark.parametrize("count", [0, 1, 2, 600, 1100])
def test_distances_are_those_of_scipy(count: int) -> None:
    """Blocks of rows are put together without a gap or an overlap."""
    bits, groups = random_bits(count), np.arange(count) // 3
    expected = np.zeros(BITS + 1, int)
    if count > 1:
        between = np.rint(squareform(pdist(bits, "hamming")) * BITS).astype(int)
        different = np.triu(groups[:, None] != groups[None, :])
        expected = np.bincount(between[different], minlength=BITS + 1)
    assert np.array_equal(count_distances(bits, groups), expected)


@given(st.integers(2, 30), st.integers(0, BITS), st.integers(0, 2**16))
@settings(max_examples=40, deadline=None)
def test_pairs_are_those_that_scipy_finds(count: int, distance: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    bits = generator.random((count, BITS)) < generator.random((count, 1))
    one, other = generator.integers(0, 3, count), generator.integers(0, 3, count)
    between = np.rint(squareform(pdist(bits, "hamming")) * BITS).astype(int)
    wanted = sorted(
        (between[i, j], i, j)
        for i in range(count)
        for j in range(i + 1, count)
        if between[i, j] <= distance and one[i] != one[j] and other[i] != other[j]
    )
    assert [(d, i, j) for i, j, d in pairs_within(bits, distance, one, other).tolist()] == wanted


@pytest.mark.parametrize(("start", "per_half", "expected"), [(60, 4, 20), (60, 3, 30), (70, 4, 30), (80, 5, 30)])
def test_the_cutoff_is_where_a_falling_tail_would_hold_too_few_pairs(start: int, per_half: int, expected: int) -> None:
    """50 pairs that halve every k bits are fewer than 0.05 after k log2(50 / 0.05) = 9.97 k bits."""
    assert EXPECTED == 0.05
    cutoff = choose_cutoff(halving(start, per_half))
    assert cutoff.distance == expected
    assert (cutoff.typical, cutoff.reason) == (start + 8, None)


def test_near_duplicates_do_not_move_the_cutoff_they_are_measured_by() -> None:
    counts = halving(60, 4)
    planted = counts.copy()
    planted[[0, 2, 6, 10]] += 30
    assert choose_cutoff(planted).distance == choose_cutoff(counts).distance


@given(st.lists(st.integers(0, 40), max_size=20))
def test_close_pairs_never_raise_the_cutoff(places: list[int]) -> None:
    """As long as they are fewer than half of the tail it is read off."""
    counts = halving(60, 4)
    planted = counts + np.bincount(places, minlength=BITS + 1)
    found = choose_cutoff(planted).distance
    assert found is None or found <= 20


def test_a_lower_half_of_distances_is_not_taken_for_near_duplicates() -> None:
    """Images of two kinds: those of one kind are closer to each other than to the others, and not the same."""
    counts = np.zeros(BITS + 1, np.int64)
    counts[60:68], counts[120:128] = 1000, 2000
    cutoff = choose_cutoff(counts)
    assert cutoff.distance is None or cutoff.distance < 60


def test_few_pairs_give_no_cutoff() -> None:
    cutoff = choose_cutoff(count_distances(random_bits(20), np.arange(20)))
    assert (cutoff.distance, cutoff.pairs) == (None, 190)
    assert cutoff.reason is not None
    assert "190 pairs" in cutoff.reason
    assert "undetermined" in cutoff.line()


def test_patients_who_all_look_alike_give_no_cutoff() -> None:
    bits = np.tile(random_bits(1), (60, 1))
    for row in range(60):
        bits[row, 4 * row : 4 * row + 4] ^= True
    cutoff = choose_cutoff(count_distances(bits, np.arange(60)))
    assert cutoff.distance is None
    assert cutoff.reason is not None
    assert "too similar" in cutoff.reason


def test_different_pictures_are_no_near_duplicates() -> None:
    """In 40 sets of 60 pictures fewer than 2 pairs are expected, 0.05 a set."""
    found = 0
    for start in range(0, 2400, 60):
        bits = hashes(thumbnails(stack([picture(seed) for seed in range(start, start + 60)])))
        cutoff = choose_cutoff(count_distances(bits, np.arange(60)))
        assert cutoff.distance is not None
        found += len(pairs_within(bits, cutoff.distance))
    assert found <= 4


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("copied", [1, 60])
def test_copies_are_near_duplicates_of_their_pictures(name: str, copied: int) -> None:
    """One copy is found, and so are copies of everything."""
    originals = [picture(seed) for seed in range(60)]
    copies = [COPIES[name](image) for image in originals[:copied]]
    bits = np.concatenate([hashes(thumbnails(stack(originals))), hashes(thumbnails(stack(copies)))])
    cutoff = choose_cutoff(count_distances(bits, np.arange(len(bits))))
    assert cutoff.distance is not None
    pairs = pairs_within(bits, cutoff.distance)
    assert {(i, 60 + i) for i in range(copied)} <= {(i, j) for i, j, _ in pairs.tolist()}
    assert len(pairs) <= copied + 1

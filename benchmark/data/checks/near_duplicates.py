"""Which images look the same: a perceptual hash, and pairs whose hashes are closer than those of different patients.

The hash is pHash (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions"): whether each of
the lowest frequencies of the image is above their median. Brightness, contrast, size and compression hardly move it;
a crop of more than a hundredth or a turn by a degree does, and such copies are found in small data sets alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from scipy.fft import dctn

from benchmark.data.dataset import Pixels
from benchmark.data.decoding.pixels import resize

SIDE = 64
"""The side of the grey thumbnail, in pixels, that an image is hashed and described at."""

BITS = 256
EXPECTED = 0.05
"""How many pairs of different patients may fall within the cut-off, in expectation. One would do for a list that a
person reads; a warning that says nothing when nothing is wrong needs less."""

_KEPT = 16
_ROWS = 512
_FLAT = 1.0
_FEWEST_TAIL = 50
_GAP = 12

Hashes = npt.NDArray[np.bool_]
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cutoff:
    """The largest distance, in bits, at which two images count as near duplicates.

    It comes from `pairs` pairs of different patients, whose median distance is `typical`. `distance` is None, and
    `reason` says why, where they do not allow one. `unit` is what the pairs are of: images where patients are not
    known.
    """

    distance: int | None
    typical: int | None
    pairs: int
    reason: str | None
    unit: str = "patients"

    def line(self) -> str:
        """The cut-off and where it comes from, in a line."""
        if self.distance is None:
            return f"near duplicates cannot be told: {self.reason}"
        return (
            f"near duplicates: hashes at most {self.distance} of {BITS} bits apart, where fewer than {EXPECTED} of the "
            f"{self.pairs:,} pairs of different {self.unit} are expected by chance; their median is {self.typical}"
        )


def thumbnails(pixels: Pixels) -> Pixels:
    """Grey images uint8 (n, SIDE, SIDE) of `pixels`, uint8 (n, height, width, channels)."""
    small = np.empty((len(pixels), SIDE, SIDE), np.uint8)
    for index, image in enumerate(pixels):
        grey = Pillow.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("L")
        small[index] = resize(grey, SIDE, 1)[..., 0]
    return small


def hashes(grey: Pixels) -> Hashes:
    """The hash of each of `grey`, uint8 (n, SIDE, SIDE): bits (n, BITS)."""
    bits = np.empty((len(grey), BITS), bool)
    for start in range(0, len(grey), _ROWS):
        levels = grey[start : start + _ROWS].astype(np.float32)
        waves = dctn(levels, axes=(1, 2))[:, :_KEPT, :_KEPT].reshape(len(levels), BITS)
        bits[start : start + _ROWS] = waves > np.median(waves, axis=1, keepdims=True)
    return bits


def is_flat(grey: Pixels) -> Flags:
    """Which of `grey` (n, height, width) show nothing: their grey levels have a standard deviation below 1."""
    return np.array([image.std() < _FLAT for image in grey], dtype=np.bool_)


def count_distances(bits: Hashes, groups: Codes) -> npt.NDArray[np.int64]:
    """How many pairs of different `groups` (n,) are at each distance 0..BITS."""
    counts = np.zeros(BITS + 1, np.int64)
    for rows, columns, distances in _blocks(bits):
        different = (groups[rows, None] != groups[None, columns]) & _each_once(distances)
        counts += np.bincount(distances[different], minlength=BITS + 1)
    return counts


def choose_cutoff(counts: npt.NDArray[np.int64], unit: str = "patients") -> Cutoff:
    """The distance within which fewer than `EXPECTED` pairs of different patients fall by chance; `counts` (BITS + 1,)
    are those of `count_distances`.

    It is read off their closest pairs, as many as a tenth of the images and at least 50. Going down from there, the
    number of pairs is taken to go on falling as an exponential, at the rate at which it falls to a half (peaks over
    threshold, Pickands 1975, for a light tail); a tail that falls ever faster makes the cut-off err on the small side.
    Near duplicates under two patients' names are among these pairs. Where they are no more than the images, and a gap
    of 12 bits parts them from the others, they are not counted; else they make the cut-off smaller.
    """
    pairs = int(counts.sum())
    if pairs < 10 * _FEWEST_TAIL:
        reason = f"{pairs} pairs of different {unit} are too few to say how alike those are"
        return Cutoff(None, None, pairs, reason, unit)
    typical = int(np.searchsorted(np.cumsum(counts), pairs / 2))
    images = np.sqrt(2 * pairs)
    places = np.flatnonzero(counts)
    within = np.cumsum(counts[places]).astype(np.float64)
    after_gap = 1 + np.flatnonzero((np.diff(places) >= _GAP) & (within[:-1] <= images))
    if len(after_gap):
        places = places[after_gap[-1] :]
        within = within[after_gap[-1] :] - within[after_gap[-1] - 1]
    tail = int(np.searchsorted(within, max(_FEWEST_TAIL, images / 10)))
    start, number = float(places[tail]), within[tail]
    half = float(np.interp(np.log(number / 2), np.log(within[: tail + 1]), places[: tail + 1]))
    distance = int(np.floor(start - (start - half) / np.log(2) * np.log(number / EXPECTED)))
    if distance < 0 or half == start:
        reason = f"different {unit} look too much alike to tell near duplicates from them"
        return Cutoff(None, typical, pairs, reason, unit)
    return Cutoff(distance, typical, pairs, None, unit)


def pairs_within(bits: Hashes, distance: int, *apart: Codes) -> npt.NDArray[np.int64]:
    """Pairs no further than `distance` apart that differ in each of `apart` (n,): rows (first, second, distance), the
    first before the second, the closest pair first."""
    found = [np.zeros((0, 3), np.int64)]
    for rows, columns, distances in _blocks(bits):
        near = (distances <= distance) & _each_once(distances)
        for codes in apart:
            near &= codes[rows, None] != codes[None, columns]
        i, j = np.nonzero(near)
        found.append(np.stack([i + rows.start, j + columns.start, distances[i, j]], axis=1))
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0], pairs[:, 2]))]


def _blocks(bits: Hashes) -> Iterator[tuple[slice, slice, npt.NDArray[np.int16]]]:
    """The distances of some rows from themselves and all that follow, block by block, so that memory stays small.

    With bits as signs a distance is a scalar product, exact in float32 and faster than counting bits.
    """
    signs = np.where(bits, np.float32(1), np.float32(-1))
    for start in range(0, len(bits), _ROWS):
        rows, columns = slice(start, min(start + _ROWS, len(bits))), slice(start, len(bits))
        yield rows, columns, ((BITS - signs[rows] @ signs[columns].T) / 2).astype(np.int16)


def _each_once(distances: npt.NDArray[np.int16]) -> Flags:
    """Where a block's column comes after its row."""
    return np.arange(distances.shape[0])[:, None] < np.arange(distances.shape[1])[None, :]

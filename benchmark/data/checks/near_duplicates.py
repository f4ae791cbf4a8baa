"""Which images look the same: a perceptual hash, and pairs whose hashes are closer than those of different patients.

The hash is pHash (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions"): whether each of
the lowest frequencies of the image is above their median. It is `phash(image, hash_size=16)` of the package imagehash,
but for the resampling of the thumbnail. Brightness, contrast, size and compression hardly change it. A crop of more
than a hundredth or a rotation by a degree does; such copies are found only in small data sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy
from PIL import Image as Pillow

from benchmark.data.dataset import Pixels
from benchmark.data.decoding.pixels import resize

SIDE = 64
"""Side in pixels of the grey thumbnail from which an image is hashed and described."""

BITS = 256
EXPECTED = 0.05
"""Expected number of pairs of different patients within the cut-off. One would do for a list that a person reads; a
warning that is silent if nothing is wrong needs fewer."""

_FREQUENCIES = 16
_ROWS = 512
_BLOCK = 2**24
"""The most pairs that are compared at once."""

_FLAT_SD = 1.0
_MIN_TAIL = 50
_GAP = 12

Hashes = npt.NDArray[np.bool_]
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cutoff:
    """The largest distance at which two images count as near duplicates.

    Attributes:
        distance: In bits; None if the pairs of different patients do not allow one.
        typical: Median distance of those pairs, in bits.
        pairs: Number of those pairs.
        reason: Why `distance` is None, else None.
        unit: "images" if patients are not known.
    """

    distance: int | None
    typical: int | None
    pairs: int
    reason: str | None
    unit: str = "patients"

    def line(self) -> str:
        """Describe the cut-off and its origin in one line."""
        if self.distance is None:
            return f"near duplicates are undetermined: {self.reason}"
        return (
            f"near duplicates: hashes at most {self.distance} of {BITS} bits apart, where fewer than {EXPECTED} of the "
            f"{self.pairs:,} pairs of different {self.unit} are expected by chance; their median is {self.typical}"
        )


def thumbnails(pixels: Pixels) -> Pixels:
    """Make grey thumbnails, uint8 (n, SIDE, SIDE), of `pixels`, uint8 (n, height, width, channels)."""
    small = np.empty((len(pixels), SIDE, SIDE), np.uint8)
    for index, image in enumerate(pixels):
        grey = Pillow.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("L")
        small[index] = resize(grey, SIDE, 1)[..., 0]
    return small


def hashes(grey: Pixels) -> Hashes:
    """Hash thumbnails.

    Args:
        grey: uint8 (n, SIDE, SIDE).

    Returns:
        Bits, bool (n, BITS).
    """
    bits = np.empty((len(grey), BITS), bool)
    for start in range(0, len(grey), _ROWS):
        levels = grey[start : start + _ROWS].astype(np.float32)
        frequencies = scipy.fft.dctn(levels, axes=(1, 2))[:, :_FREQUENCIES, :_FREQUENCIES].reshape(len(levels), BITS)
        bits[start : start + _ROWS] = frequencies > np.median(frequencies, axis=1, keepdims=True)
    return bits


def is_flat(grey: Pixels) -> Flags:
    """Find images that show nothing: grey levels (n, height, width) with a standard deviation below 1."""
    return np.array([image.std() < _FLAT_SD for image in grey], dtype=np.bool_)


def count_distances(bits: Hashes, groups: Codes) -> npt.NDArray[np.int64]:
    """Count the pairs of different groups at each distance.

    Args:
        bits: Hashes (n, BITS).
        groups: Equal for images that belong together, int64 (n,).

    Returns:
        Number of pairs at each distance, int64 (BITS + 1,).
    """
    counts = _histogram(bits)
    order = np.argsort(groups, kind="stable")
    for members in np.split(order, 1 + np.flatnonzero(np.diff(groups[order]))):
        if len(members) > 1:
            counts -= _histogram(bits[members])
    return counts


def _histogram(bits: Hashes) -> npt.NDArray[np.int64]:
    """Number of all pairs at each distance."""
    counts = np.zeros(BITS + 1, np.int64)
    for rows, _, products in _blocks(bits):
        distances = ((BITS - products) / 2).astype(np.int16)
        width = rows.stop - rows.start
        counts += np.bincount(distances[:, :width][np.triu_indices(width, 1)], minlength=BITS + 1)
        counts += np.bincount(distances[:, width:].ravel(), minlength=BITS + 1)
    return counts


def choose_cutoff(counts: npt.NDArray[np.int64], unit: str = "patients") -> Cutoff:
    """Choose the distance within which fewer than `EXPECTED` pairs of different patients are expected by chance.

    It is extrapolated from their closest pairs, as many as a tenth of the images and at least 50. Below these, the
    number of pairs is assumed to fall exponentially, at the rate at which it falls to a half (peaks over threshold,
    Pickands 1975, for a light tail); a tail that falls ever faster makes the cut-off too small rather than too large.
    Near duplicates under two patients' names are among these pairs. If they are at most as many as the images and
    separated from the others by a gap of 12 bits, they are not counted; else they make the cut-off smaller.

    Args:
        counts: Number of pairs at each distance (BITS + 1,), from `count_distances`.
        unit: "images" if patients are not known.

    Returns:
        The cut-off, or the reason for none.
    """
    pairs = int(counts.sum())
    if pairs < 10 * _MIN_TAIL:
        reason = f"{pairs} pairs of different {unit} are too few to estimate how similar they are"
        return Cutoff(None, None, pairs, reason, unit)
    typical = int(np.searchsorted(np.cumsum(counts), pairs / 2))
    images = np.sqrt(2 * pairs)
    distances = np.flatnonzero(counts)
    within = np.cumsum(counts[distances]).astype(np.float64)
    after_gap = 1 + np.flatnonzero((np.diff(distances) >= _GAP) & (within[:-1] <= images))
    if len(after_gap):
        distances = distances[after_gap[-1] :]
        within = within[after_gap[-1] :] - within[after_gap[-1] - 1]
    tail = int(np.searchsorted(within, max(_MIN_TAIL, images / 10)))
    start, number = float(distances[tail]), within[tail]
    half = float(np.interp(np.log(number / 2), np.log(within[: tail + 1]), distances[: tail + 1]))
    distance = int(np.floor(start - (start - half) / np.log(2) * np.log(number / EXPECTED)))
    if distance < 0 or half == start:
        reason = f"different {unit} look too similar to detect near duplicates"
        return Cutoff(None, typical, pairs, reason, unit)
    return Cutoff(distance, typical, pairs, None, unit)


def pairs_within(bits: Hashes, distance: int, *apart: Codes) -> npt.NDArray[np.int64]:
    """Find near pairs that differ in every one of some groupings.

    Args:
        bits: Hashes (n, BITS).
        distance: The largest distance in bits.
        apart: Groupings, int64 (n,) each.

    Returns:
        Rows (first, second, distance), int64 (pairs, 3): `first` before `second`, the closest pair first.
    """
    blocks = [np.zeros((0, 3), np.int64)]
    for rows, columns, products in _blocks(bits):
        i, j = np.nonzero(products >= BITS - 2 * distance)
        distances = ((BITS - products[i, j]) / 2).astype(np.int64)
        i, j = i + rows.start, j + columns.start
        wanted = i < j
        for codes in apart:
            wanted &= codes[i] != codes[j]
        blocks.append(np.stack([i, j, distances], axis=1)[wanted])
    pairs = np.concatenate(blocks)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0], pairs[:, 2]))]


def _blocks(bits: Hashes) -> Iterator[tuple[slice, slice, npt.NDArray[np.float32]]]:
    """Scalar products of some rows with themselves and all that follow, in blocks that limit memory.

    With bits as signs, two hashes at a distance d have the product BITS - 2 d, exact in float32. Products are faster
    than counting bits.
    """
    signs = np.where(bits, np.float32(1), np.float32(-1))
    height = max(1, min(_ROWS, _BLOCK // max(1, len(bits))))
    for start in range(0, len(bits), height):
        rows, columns = slice(start, min(start + height, len(bits))), slice(start, len(bits))
        yield rows, columns, signs[rows] @ signs[columns].T

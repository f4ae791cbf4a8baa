"""Stored levels of images and how they become grey levels 0..255: one scale for all files of a bit depth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Depth = Literal["8-bit", "16-bit colour", "16-bit", "32-bit", "float"]
"""How levels are stored. The decoder gives the upper 8 bits of 16-bit colour."""

Levels = Mapping[str, tuple[float, float]]
"""The levels that become 0 and 255, by depth. Empty if all images have 8 bits, which are read as they are."""

LARGEST = 1e30
"""Levels beyond it count as infinite."""

DEEP: tuple[Depth, ...] = ("16-bit", "32-bit", "float")
"""The depths whose levels need a scale."""

_BLOCK = 65536  # levels that are looked up at a time

LOSSLESS = frozenset({"BMP", "PNG", "PPM"})
"""Formats whose decoded pixels are those that were saved and carry no trace of the format. TIFF, WebP, DICOM and GIF
can lose something."""


@dataclass(frozen=True, slots=True)
class Stored:
    """How a file stores its image.

    Attributes:
        format: Pillow's name of the file format.
        mode: Pillow's name of the pixel mode.
        depth: How levels are stored.
        low: The smallest level as stored.
        high: The largest level as stored.
        width: In pixels, as the image is displayed.
        height: In pixels, as the image is displayed.
        reoriented: Whether an EXIF orientation was applied.
        more: Whether the file has frames or pages after the one that is read.
        colour: Whether red, green and blue differ in any pixel.
        file_bytes: Size of the file in bytes; None if the image has no file of its own.
    """

    format: str
    mode: str
    depth: Depth
    low: float
    high: float
    width: int
    height: int
    reoriented: bool
    more: bool
    colour: bool
    file_bytes: int | None = None


def range_of(depth: str, low: float, high: float) -> tuple[float, float]:
    """Choose the levels that become 0 and 255.

    Levels up to 255 are grey levels already, and floats up to 1 are shares of white. Beyond that, white is the largest
    number of 10, 12, 14 or 16 bits, whichever contains `high`. With levels below 0, both ends are powers of two. The
    scale is a unit, like the bit depth of a detector: it changes only if a level crosses a power of two.

    Args:
        depth: How the levels are stored.
        low: The smallest stored level.
        high: The largest stored level.

    Returns:
        The levels that become 0 and 255.
    """
    low, high = float(low), float(high)
    if low < 0:
        ends = [math.ldexp(1.0, math.ceil(math.log2(x))) if x > 0 else 0.0 for x in (-low, high)]
        return -ends[0], ends[1]
    if high <= 255:
        return 0.0, 1.0 if depth == "float" and high <= 1 else 255.0
    bits = math.ceil(high).bit_length()
    return 0.0, math.ldexp(1.0, bits + bits % 2 if bits < 16 else bits) - 1


def levels_of(files: Iterable[Stored]) -> dict[str, tuple[float, float]]:
    """Choose one range for each depth of a source.

    Args:
        files: How its files store their images.

    Returns:
        The levels that become 0 and 255, by depth; empty if all files have 8 bits.
    """
    ends: dict[str, tuple[float, float]] = {}
    for file in files:
        low, high = ends.get(file.depth, (file.low, file.high))
        ends[file.depth] = (min(low, file.low), max(high, file.high))
    if not any(depth in DEEP for depth in ends):
        return {}
    return {depth: range_of(depth, *ends[depth]) if depth in DEEP else (0.0, 255.0) for depth in sorted(ends)}


def scaled(levels: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.uint8]:
    """Scale levels to grey levels; levels outside the range are clipped.

    Args:
        levels: Stored levels of any shape.
        low: The level that becomes 0.
        high: The level that becomes 255.

    Returns:
        Grey levels, uint8 of the same shape.
    """
    if levels.dtype == np.uint16 and levels.size > 65536:
        return _looked_up(scaled(np.arange(65536, dtype=np.uint16), low, high), levels)
    with np.errstate(over="ignore"):  # a level far above a tiny range is white
        steps = (levels.astype(np.float64) - low) / ((high - low) / 255 or 1.0)
    return np.clip(np.rint(steps), 0, 255).astype(np.uint8)


def _looked_up(table: npt.NDArray[np.uint8], levels: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """`table[levels]`, block by block: NumPy widens the indices to 64 bits, and those of a block stay in the cache."""
    indices = levels.reshape(-1)
    grey = np.empty(indices.size, np.uint8)
    for start in range(0, indices.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        np.take(table, indices[block], out=grey[block], mode="clip")  # "raise" would write to a copy
    return grey.reshape(levels.shape)


def check_finite(levels: npt.NDArray[Any]) -> None:
    """Raise ValueError if a level is NaN, infinite, or beyond LARGEST."""
    if levels.dtype.kind == "f" and not (np.abs(levels) <= LARGEST).all():
        raise ValueError("contains levels that are NaN or infinite")


def levels_line(levels: Levels) -> str | None:
    """Say in one line how levels become grey levels; None if all are read as they are."""
    deep = [f"{depth} levels {low:g}..{high:g}" for depth, (low, high) in levels.items() if depth in DEEP]
    return f"{' and '.join(deep)} are read as 0..255, one scale for all files of a depth" if deep else None

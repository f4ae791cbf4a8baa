"""What range the stored levels of images have, and how they become grey levels 0..255: one scale for all
files of a bit depth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Depth = Literal["8-bit", "16-bit colour", "16-bit", "32-bit", "float"]
"""How levels are stored. Of 16-bit colour the decoder gives the upper 8 bits."""

Levels = Mapping[str, tuple[float, float]]
"""By depth the levels that become 0 and 255. It is empty where all images hold 8 bits, which are read as they are."""

LARGEST = 1e30
"""A level beyond it counts as infinite."""

DEEP: tuple[Depth, ...] = ("16-bit", "32-bit", "float")
"""The depths whose levels need a scale."""


@dataclass(frozen=True, slots=True)
class Stored:
    """How a file stores its image.

    `format` and `mode` are Pillow's names. `low` and `high` are the smallest and largest level as stored. `width` and
    `height`, in pixels, are those of the picture as it is shown. `turned`: an EXIF orientation was applied. `more`:
    other frames or pages follow the one that is read. `colour`: red, green and blue are not the same everywhere.
    """

    format: str
    mode: str
    depth: Depth
    low: float
    high: float
    width: int
    height: int
    turned: bool
    more: bool
    colour: bool


def range_of(depth: str, low: float, high: float) -> tuple[float, float]:
    """The levels that become 0 and 255 where the stored ones of `depth` lie in low..high.

    Up to 255 they are grey levels already, and floats up to 1 shares of white. Beyond that white is the largest number
    of 10, 12, 14 or 16 bits, whichever holds `high`; with levels below 0 both ends are powers of two. So the scale is a
    unit, like the bit depth of a detector: it moves only where a level crosses a power of two.
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
    """The levels of a source that holds `files`: one range for each depth; nothing where all hold 8 bits."""
    ends: dict[str, tuple[float, float]] = {}
    for each in files:
        low, high = ends.get(each.depth, (each.low, each.high))
        ends[each.depth] = (min(low, each.low), max(high, each.high))
    if not any(depth in DEEP for depth in ends):
        return {}
    return {depth: range_of(depth, *ends[depth]) if depth in DEEP else (0.0, 255.0) for depth in sorted(ends)}


def scaled(levels: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.uint8]:
    """`levels` of any shape as grey levels: `low` and below becomes 0, `high` and above 255."""
    if levels.dtype == np.uint16 and levels.size > 65536:
        table = scaled(np.arange(65536, dtype=np.uint16), low, high)
        return np.take(table, levels)
    with np.errstate(over="ignore"):  # a level far above a tiny range is white
        steps = (levels.astype(np.float64) - low) / ((high - low) / 255 or 1.0)
    return np.clip(np.rint(steps), 0, 255).astype(np.uint8)


def check_finite(levels: npt.NDArray[Any]) -> None:
    """Raises ValueError where a level is NaN, infinite, or beyond LARGEST."""
    if levels.dtype.kind == "f" and not (np.abs(levels) <= LARGEST).all():
        raise ValueError("holds levels that are NaN or infinite")


def levels_line(levels: Levels) -> str | None:
    """How levels become grey levels, in words; None where all are read as they are."""
    deep = [f"{depth} levels {low:g}..{high:g}" for depth, (low, high) in levels.items() if depth in DEEP]
    return f"{' and '.join(deep)} are read as 0..255, one scale for all files of a depth" if deep else None

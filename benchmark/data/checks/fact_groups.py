"""Facts about images that do not need their content: how they are stored, how large they are, how bright."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from benchmark.data.checks.batch_effect import FEATURES, Floats, intensities
from benchmark.data.dataset import Image, Pixels
from benchmark.data.levels import DEEP, LOSSLESS, Stored, range_of

FactName = Literal[
    "grey levels",
    "borders",
    "image size",
    "aspect ratio",
    "file format",
    "bit depth",
    "colour channels",
    "file size",
]
"""The groups of facts, each of which is judged alone."""

FACTS: tuple[FactName, ...] = get_args(FactName)
OF_CONTENT: tuple[FactName, ...] = ("grey levels", "borders", "file size")
"""The groups that depend on what an image shows, too."""

_AGAINST_CENTRE = "border against centre"
_LEVELS = tuple(name for name in FEATURES if name != _AGAINST_CENTRE)
_SIDES = ("top", "bottom", "left", "right")
_BORDER = 1 / 16
_COMMON = 0.02  # a kind with a smaller share of the images counts as another


@dataclass(frozen=True, eq=False)
class FactGroup:
    """One group of facts about n images.

    Attributes:
        name: The name of the group.
        numbers: Facts that are numbers (n, d), with the names of the d columns in `columns`.
        columns: The names of the numbers, with their units.
        kinds: A fact that is a kind, per image (n,); None if the group has none.
        reason: Why the facts are not known; None if they are.
        in_pixels: Whether decoded pixels can carry a trace of the facts.
    """

    name: FactName
    numbers: Floats
    columns: tuple[str, ...]
    kinds: tuple[str, ...] | None = None
    reason: str | None = None
    in_pixels: bool = True

    @property
    def varies(self) -> bool:
        """Whether the images differ in any of the facts."""
        numbers = bool(self.numbers.size) and bool((np.ptp(self.numbers, axis=0) > 0).any())
        return numbers or (self.kinds is not None and len(set(self.kinds)) > 1)

    def take(self, rows: npt.NDArray[np.int64]) -> FactGroup:
        """The facts of some images."""
        kinds = None if self.kinds is None else tuple(self.kinds[row] for row in rows)
        return replace(self, numbers=self.numbers[rows], kinds=kinds)


@dataclass(frozen=True, eq=False)
class PixelFacts:
    """Facts about the pixels of n images.

    Attributes:
        levels: Their grey levels (n, len(FEATURES)), from `intensities`.
        borders: Mean and standard deviation of the grey levels at each side (n, 8).
    """

    levels: Floats
    borders: Floats

    @classmethod
    def of(cls, grey: Pixels) -> PixelFacts:
        """Measure thumbnails, uint8 (n, h, w). A border is a sixteenth of the image."""
        return cls(intensities(grey), _borders(grey))

    @classmethod
    def joined(cls, parts: Sequence[PixelFacts]) -> PixelFacts:
        """Put the facts of several sets of images together."""
        return cls(np.concatenate([part.levels for part in parts]), np.concatenate([part.borders for part in parts]))

    def take(self, rows: npt.NDArray[np.int64]) -> PixelFacts:
        """The facts of some images."""
        return PixelFacts(self.levels[rows], self.borders[rows])


def _borders(grey: Pixels) -> Floats:
    height, width = grey.shape[1:]
    rows, columns = max(1, round(height * _BORDER)), max(1, round(width * _BORDER))
    sides = (grey[:, :rows], grey[:, -rows:], grey[:, :, :columns], grey[:, :, -columns:])
    flat = [side.reshape(len(grey), -1).astype(np.float64) for side in sides]
    return np.stack([*(each.mean(axis=1) for each in flat), *(each.std(axis=1) for each in flat)], axis=1)


def fact_groups(
    images: Sequence[Image], stored: Mapping[str, Stored], pixels: PixelFacts | None
) -> tuple[FactGroup, ...]:
    """Group the facts about images.

    Args:
        images: The images (n,).
        stored: How each image is stored, by name, as far as the source knows it.
        pixels: Facts about their pixels; None to leave out the groups that need them.

    Returns:
        The groups in the order of `FACTS`. A group whose facts the source does not know has a reason instead.
    """
    groups = []
    if pixels is not None:
        levels = pixels.levels[:, [FEATURES.index(name) for name in _LEVELS]]
        names = (*(f"mean at the {side}" for side in _SIDES), *(f"standard deviation at the {side}" for side in _SIDES))
        groups += [FactGroup("grey levels", levels, _LEVELS), FactGroup("borders", pixels.borders, names)]
    known = [stored.get(image.name) for image in images]
    files = [each for each in known if each is not None]
    if len(files) < len(known) or not files:
        nothing = np.zeros((len(images), 0))
        return (*groups, *(FactGroup(name, nothing, (), None, "the source has no files") for name in FACTS[2:]))
    return (*groups, *(make(images, files) for make in _OF_FILES))


def _size(images: Sequence[Image], files: Sequence[Stored]) -> FactGroup:
    sides = np.array([(each.width, each.height) for each in files], dtype=np.float64)
    columns = ("width in pixels", "height in pixels")
    return FactGroup("image size", sides, columns, _common([f"{each.width} x {each.height} px" for each in files]))


def _aspect(images: Sequence[Image], files: Sequence[Stored]) -> FactGroup:
    ratio = np.array([[each.width / each.height] for each in files])
    return FactGroup("aspect ratio", ratio, ("width by height",))


def _format(images: Sequence[Image], files: Sequence[Stored]) -> FactGroup:
    kinds = [f"{each.format} {PurePosixPath(of.name).suffix}".strip() for of, each in zip(images, files, strict=True)]
    formats = {each.format for each in files}
    return replace(_of_kinds("file format", _common(kinds)), in_pixels=len(formats) > 1 and not formats <= LOSSLESS)


def _depth(images: Sequence[Image], files: Sequence[Stored]) -> FactGroup:
    return _of_kinds("bit depth", _common([_depth_in_use(each) for each in files]))


def _depth_in_use(file: Stored) -> str:
    """The depth with the levels in use, since files of 16 bits may contain 8, 10 or 12."""
    if file.depth not in DEEP:
        return file.depth
    low, high = range_of(file.depth, file.low, file.high)
    return f"{file.depth} with levels {low:g}..{high:g}"


def _channels(images: Sequence[Image], files: Sequence[Stored]) -> FactGroup:
    kinds = [f"mode {each.mode}, {'colour' if each.colour else 'grey'}" for each in files]
    return _of_kinds("colour channels", _common(kinds))


def _bytes(images: Sequence[Image], files: Sequence[Stored]) -> FactGroup:
    sizes = [each.file_bytes for each in files if each.file_bytes is not None]
    if len(sizes) < len(files):
        return FactGroup("file size", np.zeros((len(files), 0)), (), None, "the images have no files of their own")
    area = np.array([each.width * each.height for each in files], dtype=np.float64)
    size = np.array(sizes, dtype=np.float64)
    return FactGroup("file size", np.stack([size, size / area], axis=1), ("bytes", "bytes per pixel"))


def _of_kinds(name: FactName, kinds: tuple[str, ...]) -> FactGroup:
    return FactGroup(name, np.zeros((len(kinds), 0)), (), kinds)


def _common(kinds: Sequence[str]) -> tuple[str, ...]:
    """`kinds` with one name for all that are rare."""
    counts = Counter(kinds)
    return tuple(kind if counts[kind] >= _COMMON * len(kinds) else "other" for kind in kinds)


_OF_FILES: tuple[Callable[[Sequence[Image], Sequence[Stored]], FactGroup], ...] = (
    _size,
    _aspect,
    _format,
    _depth,
    _channels,
    _bytes,
)

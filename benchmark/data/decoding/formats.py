"""Summary of how the files of a source store their images, with warnings about misleading files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.data.dataset import Dataset, Image
from benchmark.data.levels import DEEP, LOSSLESS, Levels, Stored, levels_line, range_of

_FEW = 0.1  # up to this share of files are named as exceptions
_MAX_DIFFERENCE = 0.1  # between the classes' shares of a kind of file; above it, a network could learn the kind
_EXAMPLES = 3


@dataclass(frozen=True)
class FormatCell:
    """The files of one part and class.

    Attributes:
        part: The part.
        label: The name of the class.
        files: Number of files.
        formats: Number of files by format.
        depths: Number of files by depth.
        modes: Number of files by Pillow's mode.
        levels: The smallest and largest level as stored, by depth.
        widths: The smallest and largest width in pixels.
        heights: The smallest and largest height in pixels.
        turned: Number of files with an EXIF orientation.
        more_frames: Number of files with frames other than the one that is read.
        colour: Number of files in colour.
    """

    part: str
    label: str
    files: int
    formats: dict[str, int]
    depths: dict[str, int]
    modes: dict[str, int]
    levels: dict[str, tuple[float, float]]
    widths: tuple[int, int]
    heights: tuple[int, int]
    turned: int
    more_frames: int
    colour: int

    @property
    def kinds(self) -> tuple[frozenset[str], ...]:
        """The formats, depths and modes, without numbers of files."""
        return frozenset(self.formats), frozenset(self.depths), frozenset(self.modes)

    def line(self) -> str:
        """Describe the cell in one line, without its part and label."""
        sides = [f"{a}" if a == b else f"{a}-{b}" for a, b in (self.widths, self.heights)]
        colour = "colour" if self.colour == self.files else f"{self.colour} in colour" if self.colour else "grey"
        levels = [
            f"{low:.4g}..{high:.5g}" + (f" ({depth})" * (len(self.levels) > 1))
            for depth, (low, high) in self.levels.items()
        ]
        return (
            f"{_mix(self.formats)}; {_mix(self.depths)}, mode {_mix(self.modes)}; {colour}; "
            f"levels {', '.join(levels)}; {sides[0]} x {sides[1]} px"
        )


@dataclass(frozen=True)
class Formats:
    """How the files of a source store their images.

    Attributes:
        cells: One per part and class.
        levels: The stored levels that become 0 and 255, by depth; empty if all files have 8 bits.
        warnings: What is misleading, one line each.
    """

    cells: tuple[FormatCell, ...]
    levels: Levels
    warnings: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """Describe the files: one line for each group of cells with the same kinds of files, one for the scale."""
        groups: dict[tuple[frozenset[str], ...], list[FormatCell]] = defaultdict(list)
        for cell in self.cells:
            groups[cell.kinds].append(cell)
        labels = {
            _together(cells).line(): [c.label if c.part == "all" else f"{c.part}/{c.label}" for c in cells]
            for cells in groups.values()
        }
        lines = [
            f"files: {text}" if len(labels) == 1 else f"files of {', '.join(of)}: {text}" for text, of in labels.items()
        ]
        scale = levels_line(self.levels)
        return (*lines, *([f"grey levels: {scale}"] if scale else []))


def formats(dataset: Dataset) -> Formats | None:
    """Summarise how the files of `dataset` store their images; None for a source without files."""
    rows = [(image, dataset.stored[image.name]) for image in dataset.images if image.name in dataset.stored]
    if not rows:
        return None
    cells: dict[tuple[str, int], list[Stored]] = defaultdict(list)
    for image, stored in rows:
        cells[image.part, image.label].append(stored)
    order = {"train": 0, "val": 1, "test": 2, "all": 3}
    keys = sorted(cells, key=lambda key: (order[key[0]], key[1]))
    return Formats(
        cells=tuple(_cell(part, dataset.classes[label], cells[part, label]) for part, label in keys),
        levels=dict(dataset.levels),
        warnings=tuple(_warnings(dataset, rows)),
    )


def _cell(part: str, label: str, files: Sequence[Stored]) -> FormatCell:
    return FormatCell(
        part=part,
        label=label,
        files=len(files),
        formats=_counts(each.format for each in files),
        depths=_counts(each.depth for each in files),
        modes=_counts(each.mode for each in files),
        levels={
            depth: _ends(each for each in files if each.depth == depth) for depth in sorted({x.depth for x in files})
        },
        widths=(min(each.width for each in files), max(each.width for each in files)),
        heights=(min(each.height for each in files), max(each.height for each in files)),
        turned=sum(each.reoriented for each in files),
        more_frames=sum(each.more for each in files),
        colour=sum(each.colour for each in files),
    )


def _together(cells: Sequence[FormatCell]) -> FormatCell:
    """Join cells into one, under the part and label of the first."""
    counts = [[getattr(cell, name) for cell in cells] for name in ("formats", "depths", "modes")]
    sums = [dict(sum(map(Counter, each), Counter[str]()).most_common()) for each in counts]
    return FormatCell(
        part=cells[0].part,
        label=cells[0].label,
        files=sum(cell.files for cell in cells),
        formats=sums[0],
        depths=sums[1],
        modes=sums[2],
        levels={depth: _outer(cell.levels[depth] for cell in cells) for depth in cells[0].levels},
        widths=_outer(cell.widths for cell in cells),
        heights=_outer(cell.heights for cell in cells),
        turned=sum(cell.turned for cell in cells),
        more_frames=sum(cell.more_frames for cell in cells),
        colour=sum(cell.colour for cell in cells),
    )


def _outer(pairs: Iterable[tuple[Any, Any]]) -> tuple[Any, Any]:
    lows, highs = zip(*pairs, strict=True)
    return min(lows), max(highs)


def _ends(files: Iterable[Stored]) -> tuple[float, float]:
    return _outer((each.low, each.high) for each in files)


def _warnings(dataset: Dataset, rows: Sequence[tuple[Image, Stored]]) -> Iterator[str]:
    yield from _depths(rows)
    yield from _ranges(dataset.levels, rows)
    colour = [image.name for image, stored in rows if stored.colour]
    if dataset.channels == 3 and len(colour) <= _FEW * len(rows):
        yield f"channels: 3 because of colour in {_of(colour, len(rows))}"
    reoriented = [image.name for image, stored in rows if stored.reoriented]
    if reoriented:
        yield f"an EXIF orientation, which is applied, in {_of(reoriented, len(rows))}"
    more = [image.name for image, stored in rows if stored.more]
    if more:
        yield f"several frames or pages, of which the first is read, in {_of(more, len(rows))}"
    yield from _between_classes(dataset.classes, rows)


def _depths(rows: Sequence[tuple[Image, Stored]]) -> Iterator[str]:
    """Name the files whose depth differs from that of most."""
    common = Counter(stored.depth for _, stored in rows).most_common(1)[0][0]
    for depth in sorted({stored.depth for _, stored in rows}):
        names = [image.name for image, stored in rows if stored.depth == depth]
        if depth != common:
            yield f"stored as {depth}, others as {common}: {_of(names, len(rows))}"
        if depth == "16-bit colour":
            yield f"stored as {depth}, of which only the upper 8 bits are read: {_of(names, len(rows))}"


def _ranges(levels: Levels, rows: Sequence[tuple[Image, Stored]]) -> Iterator[str]:
    """Name the files whose range differs from the others of their depth.

    These are few files that set the scale for all, and files with levels so small that the scale makes them nearly
    black.
    """
    for depth, (low, high) in levels.items():
        if depth not in DEEP:
            continue
        files = [(image.name, stored) for image, stored in rows if stored.depth == depth]
        ranges = [(name, range_of(depth, stored.low, stored.high)) for name, stored in files]
        setting = [name for name, (start, end) in ranges if start == low < 0 or end == high]
        if len(setting) <= _FEW * len(files):
            yield (
                f"few {depth} files set the scale {low:g}..{high:g} for all, the others have smaller levels: "
                f"{_of(setting, len(files))}"
            )
        dark = [name for name, (start, end) in ranges if low == start == 0 and end < high / 15]
        if dark:
            yield (
                f"{depth} levels far below the scale {low:g}..{high:g}, so that the image is nearly black, in "
                f"{_of(dark, len(files))}"
            )


def _between_classes(classes: tuple[str, ...], rows: Sequence[tuple[Image, Stored]]) -> Iterator[str]:
    """Warn if a network could separate the classes by how their files are stored."""
    properties: Mapping[str, Callable[[Stored], str]] = {
        "depth": lambda stored: stored.depth,
        "format": lambda stored: stored.format,
    }
    shares: dict[str, list[dict[str, int]]] = {}
    for name, value in properties.items():
        counts = [
            _counts(value(stored) for image, stored in rows if image.label == label) for label in range(len(classes))
        ]
        totals = [sum(each.values()) for each in counts]
        if all(totals) and any(
            _spread([each.get(kind, 0) / total for each, total in zip(counts, totals, strict=True)]) > _MAX_DIFFERENCE
            for kind in set().union(*counts)
        ):
            shares[name] = counts
    if shares:
        mixes = "; ".join(
            f"{label} {', '.join(_mix(counts[i]) for counts in shares.values())}" for i, label in enumerate(classes)
        )
        verb = "differ" if len(shares) > 1 else "differs"
        formats = {stored.format for _, stored in rows}
        meaning = (
            "these formats are lossless, so decoded pixels do not carry it; the classes may have other sources"
            if list(shares) == ["format"] and formats <= LOSSLESS
            else "a network may separate them by that alone"
        )
        yield f"{' and '.join(shares)} {verb} between the classes ({mixes}): {meaning}"


def _spread(shares: Sequence[float]) -> float:
    return max(shares) - min(shares)


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _mix(counts: Mapping[str, int]) -> str:
    """Name one kind, or list several with their counts."""
    return next(iter(counts)) if len(counts) == 1 else " + ".join(f"{count} {kind}" for kind, count in counts.items())


def _of(names: Sequence[str], total: int) -> str:
    """Say how many of `total` files, with a few names."""
    more = f" and {len(names) - _EXAMPLES} more" if len(names) > _EXAMPLES else ""
    return f"{len(names)} of {total} files: {', '.join(names[:_EXAMPLES])}{more}"

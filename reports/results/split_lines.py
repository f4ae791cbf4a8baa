"""How many images go where, before anything is trained: the header of a bench, and the end of its dry run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from benchmark.evidence.diagnosis.causes import Finding, class_count_faults

if TYPE_CHECKING:
    from benchmark.runs.plan import PlannedSplit
    from benchmark.runs.run import SplitFacts

_SHOWN = 3
"""Splits of different sizes that have a line each."""


def split_lines(splits: Sequence[PlannedSplit], classes: tuple[str, str], images: int) -> list[str]:
    """Images of each part and class, how many of the source's `images` are left out and why, and faults that the counts
    alone show. Splits of the same sizes share a line."""
    together: dict[str, list[int]] = {}
    for split in splits:
        together.setdefault(_sizes(split.facts, classes, images), []).extend(split.seeds)
    if len(together) == 1:
        every = f"; another draw for each of {len(splits)} splits" if len(splits) > 1 else ""
        lines = [f"split: {sizes}{every}" for sizes in together]
    else:
        lines = [f"split of seed {', '.join(map(str, seeds))}: {sizes}" for sizes, seeds in together.items()]
        if len(lines) > _SHOWN:
            lines[_SHOWN:] = [f"{len(lines) - _SHOWN} more splits of other sizes"]
    return [*lines, *(f"warning: {fault.title}: {fault.evidence}" for fault in _faults(splits, classes))]


def split_notes(splits: Sequence[PlannedSplit]) -> list[str]:
    """What to know of how the splits were drawn: the notes of the first, and those of others that say another thing."""
    said: dict[str, str] = {}
    for split in splits:
        for note in split.facts.notes:
            said.setdefault("".join(letter for letter in note if not letter.isdigit()), note)
    return list(said.values())


def _sizes(facts: SplitFacts, classes: tuple[str, str], images: int) -> str:
    parts = [f"{name} {size:,} ({_by_class(facts.classes, name, classes)})" for name, size in facts.sizes.items()]
    left_out = images - sum(facts.sizes.values())
    return ", ".join(parts) + (f"; {left_out:,} of {images:,} images left out" if left_out else "")


def _by_class(counts: Mapping[str, tuple[int, int]], name: str, classes: tuple[str, str]) -> str:
    """The first part names the classes, the others follow its order."""
    named = classes if name == "train" else ("", "")
    return " + ".join(f"{count:,} {label}".rstrip() for count, label in zip(counts[name], named, strict=True))


def _faults(splits: Sequence[PlannedSplit], classes: tuple[str, str]) -> Iterator[Finding]:
    said = set()
    for split in splits:
        for fault in class_count_faults(split.facts.classes, classes):
            if fault.code not in said:
                said.add(fault.code)
                yield fault

"""The sizes of splits in lines, for the header of a bench and for its dry run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from benchmark.evidence.diagnosis.diagnoses import Finding, class_count_faults
from benchmark.evidence.diagnosis.faults import count_of
from reports.results.guarantee_text import shortage_warning
from reports.text import plural, seed_list, span

if TYPE_CHECKING:
    from benchmark.runs.plan import PlannedSplit
    from benchmark.runs.protocol import Protocol
    from benchmark.runs.run import SplitFacts

_SHOWN = 3
"""The largest number of lines for splits of different sizes."""


def split_lines(
    splits: Sequence[PlannedSplit], classes: tuple[str, ...], images: int, protocol: Protocol | None = None
) -> list[str]:
    """Lines with the sizes of splits, and warnings about faults that the counts show.

    Args:
        splits: The planned splits. Splits of the same sizes share a line.
        classes: The names of the classes; of two, the positive one is last.
        images: The number of images in the source.
        protocol: The protocol, whose rule may need more validation images than there are; None leaves that out.

    Returns:
        The lines.
    """
    warnings = [f"warning: {fault.title}: {fault.evidence}" for fault in _faults(splits, classes)]
    if protocol is not None:
        short = (shortage_warning(protocol, split.facts.classes["val"], classes) for split in splits)
        warnings += [f"warning: {line}" for line in filter(None, short)][:1]
    if splits and splits[0].fold is not None:
        lines = _fold_lines(splits, classes, images)
        return [*lines, *warnings]
    seeds_by_sizes: dict[str, list[int]] = {}
    for split in splits:
        seeds_by_sizes.setdefault(_sizes(split.facts, classes, images), []).extend(split.seeds)
    if len(seeds_by_sizes) == 1:
        every = f"; drawn anew for each of {len(splits)} splits" if len(splits) > 1 else ""
        lines = [f"split: {sizes}{every}" for sizes in seeds_by_sizes]
    else:
        lines = [f"split of {seed_list(seeds)}: {sizes}" for sizes, seeds in seeds_by_sizes.items()]
        if len(lines) > _SHOWN:
            lines[_SHOWN:] = [f"{plural(len(lines) - _SHOWN, 'more split')} of different sizes"]
    return [*lines, *warnings]


def split_notes(splits: Sequence[PlannedSplit]) -> list[str]:
    """Notes on how the splits were drawn; notes that differ only in numbers are given once."""
    notes: dict[str, str] = {}
    for split in splits:
        for note in split.facts.notes[split.fold is not None :]:  # the first one names the fold, the lines name all
            notes.setdefault("".join(letter for letter in note if not letter.isdigit()), note)
    return list(notes.values())


def _fold_lines(splits: Sequence[PlannedSplit], classes: tuple[str, ...], images: int) -> list[str]:
    """The number of images that the folds test together, and the range of the sizes of each part."""
    first = splits[0]
    assert first.fold is not None
    folds = splits[: first.fold[0]]
    counts = [sum(of_class) for of_class in zip(*(split.facts.classes["test"] for split in folds), strict=True)]
    tested = " + ".join(f"{count:,} {name}" for count, name in zip(counts, classes, strict=True))
    sizes = {part: [split.facts.sizes[part] for split in folds] for part in first.facts.sizes}
    ranges = ", ".join(f"{part} {span(of_part)}" for part, of_part in sizes.items())
    anew = "; the folds are drawn anew for each seed" if len(splits) > len(folds) else ""
    left_out = f"; {images - sum(counts):,} of {images:,} images left out" if images > sum(counts) else ""
    return [
        f"{len(folds)}-fold cross-validation: each of {sum(counts):,} images is tested once ({tested}){left_out}",
        f"each fold: {ranges}{anew}",
    ]


def _sizes(facts: SplitFacts, classes: tuple[str, ...], images: int) -> str:
    parts = [f"{name} {size:,} ({_by_class(facts.classes, name, classes)})" for name, size in facts.sizes.items()]
    left_out = images - sum(facts.sizes.values())
    return ", ".join(parts) + (f"; {left_out:,} of {images:,} images left out" if left_out else "")


def _by_class(counts: Mapping[str, tuple[int, ...]], name: str, classes: tuple[str, ...]) -> str:
    """The numbers of images per class; only the first part names the classes."""
    named = classes if name == "train" else ("",) * len(classes)
    if len(classes) > 2:
        return " + ".join(count_of(count, label).rstrip() for count, label in zip(counts[name], named, strict=True))
    return " + ".join(f"{count:,} {label}".rstrip() for count, label in zip(counts[name], named, strict=True))


def _faults(splits: Sequence[PlannedSplit], classes: tuple[str, ...]) -> Iterator[Finding]:
    codes = set()
    for split in splits:
        for fault in class_count_faults(split.facts.classes, classes):
            if fault.code not in codes:
                codes.add(fault.code)
                yield fault

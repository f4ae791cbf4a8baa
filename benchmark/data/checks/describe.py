"""What a data set contains, as plain data."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmark.data.checks.batch_effect import BatchEffect, Floats, batch_effects
from benchmark.data.checks.fact_groups import PixelFacts
from benchmark.data.checks.leakage import Leakage, find_leaks
from benchmark.data.checks.near_duplicates import SIDE, Flags, Hashes, hashes, is_flat, thumbnails
from benchmark.data.checks.shortcuts import Shortcut
from benchmark.data.dataset import Dataset, Ignored, Image, PatientFacts, Problem
from benchmark.data.decoding.formats import Formats, formats
from benchmark.data.positive_class import positive_warning
from benchmark.data.text import plural

_AT_A_TIME = 512
_SMALL_VAL = 100
_MIXTURES = 3
MOST_GROUPS = 12
"""A fact with more values, such as an age, is only counted."""


@dataclass(frozen=True)
class Cell:
    """Images of one part and class.

    Attributes:
        part: The part.
        label: The name of the class.
        images: Number of images.
        patients: Number of patients.
        mean_grey: Mean of their grey levels, 0..255.
        sd_grey: Standard deviation of their grey levels.
    """

    part: str
    label: str
    images: int
    patients: int
    mean_grey: float
    sd_grey: float


@dataclass(frozen=True)
class Group:
    """Images with one value of a further fact.

    Attributes:
        attribute: Name of the fact.
        value: The value; empty where it is not known.
        images: Number of images of each class, in the order of the classes.
        patients: Number of patients.
        mean_grey: Mean of their grey levels, 0..255.
    """

    attribute: str
    value: str
    images: tuple[int, ...]
    patients: int
    mean_grey: float


@dataclass(frozen=True)
class DataSummary:
    """Everything that `zoo data` reports.

    Attributes:
        source: The source string.
        title: What it is, for people.
        synthetic: Whether the images are drawn by a program.
        fingerprint: SHA-256 of everything that can decide a result.
        channels: 1 if every image is grey, else 3.
        classes: Names of the classes; of two, the positive one is last.
        cells: One per part and class.
        shared_patients: Number of patients in both of two parts, by "train and test".
        shared_images: Number of identical images in both of two parts, likewise.
        duplicate_groups: Number of groups of identical images.
        images_under_both_labels: Number of images with an identical one of another class.
        problems: Files that were left out.
        warnings: What a reader should know, one line each.
        leakage: What the parts share, image by image.
        batch_effects: Whether intensity distinguishes the parts.
        ignored: Entries of the source that are not read as images.
        patients: Whether patients are known.
        test_names: Digest of the names in the test part (`Dataset`).
        identity: How the test part is recognised, in one line.
        formats: How the files store their images.
        ordered: Whether the order of the classes is a scale.
        attributes: Number of values of each further fact about images, by its name.
        shortcuts: How well facts that need no content distinguish the classes, without the test part of the source.
        groups: The images by value of each fact with at most 12 values.
    """

    source: str
    title: str
    synthetic: bool
    fingerprint: str
    channels: int
    classes: tuple[str, ...]
    cells: tuple[Cell, ...]
    shared_patients: dict[str, int]
    shared_images: dict[str, int]
    duplicate_groups: int
    images_under_both_labels: int
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    leakage: Leakage | None = None
    batch_effects: tuple[BatchEffect, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    patients: PatientFacts | None = None
    test_names: str | None = None
    identity: str | None = None
    formats: Formats | None = None
    ordered: bool = False
    attributes: dict[str, int] = field(default_factory=dict)
    shortcuts: tuple[Shortcut, ...] = ()
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, eq=False)
class Measured:
    """What is measured of the pixels of n images, in the order of the data set.

    Attributes:
        bits: Hashes (n, BITS).
        flat: Which images show nothing (n,).
        facts: Their grey levels and borders.
    """

    bits: Hashes
    flat: Flags
    facts: PixelFacts


def describe(dataset: Dataset, measured: Measured | None = None) -> DataSummary:
    """Count and compare the images of a data set, reading each once.

    Args:
        dataset: The data set.
        measured: What `measure` returned for it, if that is known.

    Returns:
        The summary; `identity` and `shortcuts` are left to the caller.
    """
    cells: dict[tuple[str, int], list[int]] = defaultdict(list)
    digests: dict[str, list[Image]] = defaultdict(list)
    for index, image in enumerate(dataset.images):
        cells[image.part, image.label].append(index)
        digests[image.digest].append(image)
    order = {"train": 0, "val": 1, "test": 2, "all": 3}
    keys = sorted(cells, key=lambda key: (order[key[0]], key[1]))
    groups = [group for group in digests.values() if len(group) > 1]
    contradictions = [group for group in groups if len({image.label for image in group}) > 1]
    both = sum(map(len, contradictions))
    patients = _shared(dataset, "patient")
    images = _shared(dataset, "digest")
    measured = measured or measure(dataset)
    bits, flat, levels = measured.bits, measured.flat, measured.facts.levels
    unit = f"{dataset.unit}s"
    leakage = find_leaks(dataset.images, [image.part for image in dataset.images], bits, flat, unit)
    effects = batch_effects(dataset.images, levels, unit=unit)
    files = formats(dataset)
    return DataSummary(
        source=dataset.source,
        title=dataset.title,
        synthetic=dataset.synthetic,
        fingerprint=dataset.fingerprint,
        channels=dataset.channels,
        classes=dataset.classes,
        cells=tuple(_cell(dataset, levels, cells[key]) for key in keys),
        shared_patients=patients,
        shared_images=images,
        duplicate_groups=len(groups),
        images_under_both_labels=both,
        problems=dataset.problems,
        warnings=(
            *filter(None, [positive_warning(dataset.classes, dataset.positive)]),
            *dataset.notes,
            *_warnings(dataset, patients, images, len(groups), contradictions),
            *_near_duplicate_warnings(leakage),
            *(effect.line() for effect in effects if effect.significant),
            *(files.warnings if files else ()),
        ),
        leakage=leakage,
        batch_effects=effects,
        ignored=dataset.ignored,
        patients=dataset.patients,
        test_names=dataset.test_names,
        formats=files,
        ordered=dataset.ordered,
        attributes={name: len(set(values.values())) for name, values in dataset.attributes.items()},
        groups=tuple(_groups(dataset, levels)),
    )


def measure(dataset: Dataset) -> Measured:
    """Measure the pixels of a data set, a few hundred images at a time. Raises DataError."""
    bits, flat, facts = [], [], []
    for start in range(0, len(dataset.images), _AT_A_TIME):
        grey = thumbnails(dataset.read(dataset.images[start : start + _AT_A_TIME], SIDE))
        bits.append(hashes(grey))
        flat.append(is_flat(grey))
        facts.append(PixelFacts.of(grey))
    return Measured(np.concatenate(bits), np.concatenate(flat), PixelFacts.joined(facts))


def _cell(dataset: Dataset, levels: Floats, members: list[int]) -> Cell:
    images = [dataset.images[index] for index in members]
    mean, sd = levels[members, 0], levels[members, 1]
    return Cell(
        part=images[0].part,
        label=dataset.classes[images[0].label],
        images=len(images),
        patients=len({image.patient for image in images}),
        mean_grey=float(mean.mean()),
        sd_grey=float(np.sqrt((sd**2).mean() + mean.var())),
    )


def _groups(dataset: Dataset, levels: Floats) -> Iterator[Group]:
    """The images by value of each fact that has few values, in the order of the facts, values sorted."""
    for name, of_image in dataset.attributes.items():
        members: dict[str, list[int]] = defaultdict(list)
        for index, image in enumerate(dataset.images):
            members[of_image.get(image.name, "")].append(index)
        if len(members) > MOST_GROUPS:
            continue
        for value, indices in sorted(members.items()):
            labels = Counter(dataset.images[index].label for index in indices)
            yield Group(
                attribute=name,
                value=value,
                images=tuple(labels[label] for label in range(len(dataset.classes))),
                patients=len({dataset.images[index].patient for index in indices}),
                mean_grey=float(levels[indices, 0].mean()),
            )


def _shared(dataset: Dataset, field: str) -> dict[str, int]:
    """Count the values of `field` in both of two parts, for each pair of parts that share any."""
    parts: dict[str, set[str]] = defaultdict(set)
    for image in dataset.images:
        parts[image.part].add(getattr(image, field))
    names = [name for name in ("train", "val", "test") if name in parts]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return {f"{a} and {b}": len(parts[a] & parts[b]) for a, b in pairs if parts[a] & parts[b]}


def _warnings(
    dataset: Dataset,
    patients: dict[str, int],
    images: dict[str, int],
    groups: int,
    contradictions: Sequence[Sequence[Image]],
) -> tuple[str, ...]:
    warnings = []
    if dataset.synthetic:
        warnings.append("SYNTHETIC: the images are drawn by the program")
    val = sum(image.part == "val" for image in dataset.images)
    if 0 < val < _SMALL_VAL:
        warnings.append(f"val has {val} images: too few to choose on; protocols set it aside and re-split train")
    warnings += [f"{pair} share {plural(count, 'patient')}" for pair, count in patients.items()]
    warnings += [f"{pair} share {plural(count, 'identical image')}" for pair, count in images.items()]
    if groups:
        warnings.append(f"{plural(groups, 'group')} of byte-identical images; each stays on one side of a split")
    if contradictions:
        both = sum(map(len, contradictions))
        which = (
            "both labels" if len(dataset.classes) == 2 else f"different labels ({_mixtures(dataset, contradictions)})"
        )
        warnings.append(f"{both} identical images have {which}; they are left out of train and val")
    if dataset.problems:
        warnings.append(f"left out {plural(len(dataset.problems), 'file')} that could not be read")
    return tuple(warnings)


def _mixtures(dataset: Dataset, contradictions: Sequence[Sequence[Image]]) -> str:
    """Count the images by the classes that their identical images have, the most first: "A and B 8, B and C 4"."""
    counts: Counter[tuple[str, ...]] = Counter()
    for group in contradictions:
        counts[tuple(dataset.classes[label] for label in sorted({image.label for image in group}))] += len(group)
    mixtures = [f"{' and '.join(names)} {count}" for names, count in counts.most_common(_MIXTURES)]
    return ", ".join(mixtures) + (", ..." if len(counts) > _MIXTURES else "")


def _near_duplicate_warnings(leakage: Leakage) -> list[str]:
    warnings = [
        f"{plural(overlap.near_duplicate, 'image')} of {overlap.part} with a near duplicate in {overlap.other}"
        for overlap in leakage.overlaps
        if overlap.near_duplicate and overlap.part != overlap.other
    ]
    if leakage.near_pairs_under_both_labels:
        warnings.append(
            f"{plural(leakage.near_pairs_under_both_labels, 'pair')} of near duplicates with different labels"
        )
    return warnings

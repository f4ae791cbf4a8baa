"""What a data set holds, as plain data."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from benchmark.data.dataset import Dataset, Image, Problem

SAMPLE = 64
_SIDE = 64
_SMALL_VAL = 100


@dataclass(frozen=True)
class Cell:
    """Images of one part and class; grey levels 0..255 are the mean and standard deviation over a sample."""

    part: str
    label: str
    images: int
    patients: int
    mean_grey: float
    sd_grey: float


@dataclass(frozen=True)
class DataSummary:
    """Everything `zoo data` shows. `shared_patients` and `shared_images` count those that stand in two parts."""

    source: str
    title: str
    synthetic: bool
    fingerprint: str
    channels: int
    classes: tuple[str, str]
    cells: tuple[Cell, ...]
    shared_patients: dict[str, int]
    shared_images: dict[str, int]
    duplicate_groups: int
    images_under_both_labels: int
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def describe(dataset: Dataset) -> DataSummary:
    """Count, compare and sample `dataset`."""
    cells: dict[tuple[str, int], list[Image]] = defaultdict(list)
    digests: dict[str, list[Image]] = defaultdict(list)
    for image in dataset.images:
        cells[image.part, image.label].append(image)
        digests[image.digest].append(image)
    order = {"train": 0, "val": 1, "test": 2, "all": 3}
    keys = sorted(cells, key=lambda key: (order[key[0]], key[1]))
    groups = [group for group in digests.values() if len(group) > 1]
    both = sum(len(group) for group in groups if len({image.label for image in group}) > 1)
    patients = _shared(dataset, "patient")
    images = _shared(dataset, "digest")
    return DataSummary(
        source=dataset.source,
        title=dataset.title,
        synthetic=dataset.synthetic,
        fingerprint=dataset.fingerprint,
        channels=dataset.channels,
        classes=dataset.classes,
        cells=tuple(_cell(dataset, part, label, cells[part, label]) for part, label in keys),
        shared_patients=patients,
        shared_images=images,
        duplicate_groups=len(groups),
        images_under_both_labels=both,
        problems=dataset.problems,
        warnings=_warnings(dataset, patients, images, len(groups), both),
    )


def _cell(dataset: Dataset, part: str, label: int, images: list[Image]) -> Cell:
    step = max(1, len(images) // SAMPLE)
    pixels = dataset.read(images[::step][:SAMPLE], _SIDE).astype(np.float64)
    return Cell(
        part=part,
        label=dataset.classes[label],
        images=len(images),
        patients=len({image.patient for image in images}),
        mean_grey=float(pixels.mean()),
        sd_grey=float(pixels.std()),
    )


def _shared(dataset: Dataset, field: str) -> dict[str, int]:
    """How many values of `field` stand in two parts, for each pair of parts that share any."""
    parts: dict[str, set[str]] = defaultdict(set)
    for image in dataset.images:
        parts[image.part].add(getattr(image, field))
    names = [name for name in ("train", "val", "test") if name in parts]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return {f"{a} and {b}": len(parts[a] & parts[b]) for a, b in pairs if parts[a] & parts[b]}


def _warnings(
    dataset: Dataset, patients: dict[str, int], images: dict[str, int], groups: int, both: int
) -> tuple[str, ...]:
    found = []
    if dataset.synthetic:
        found.append("SYNTHETIC: the images are drawn by the program")
    val = sum(image.part == "val" for image in dataset.images)
    if 0 < val < _SMALL_VAL:
        found.append(f"val has {val} images: too few to choose on; protocols set it aside and re-split train")
    found += [f"{count} patients stand in {pair}" for pair, count in patients.items()]
    found += [f"{count} images stand in {pair}, byte for byte" for pair, count in images.items()]
    if groups:
        found.append(f"{groups} groups of byte-identical images; each stays on one side of a split")
    if both:
        found.append(f"{both} images stand under both labels; they are left out of train and val")
    if dataset.problems:
        found.append(f"{len(dataset.problems)} files could not be read and are left out")
    return tuple(found)

"""What the parts of a data set, or the splits of a bench, share: patients, identical images and near duplicates.

A part is here either of the two: where the source put an image, or the split a protocol drew it for. A leak is told of
the later part, in the order train, val, test: it is a test image that has a relative in train.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np

from benchmark.data.checks.near_duplicates import (
    Codes,
    Cutoff,
    Flags,
    Hashes,
    choose_cutoff,
    count_distances,
    hashes,
    is_flat,
    pairs_within,
    thumbnails,
)
from benchmark.data.dataset import Dataset, Image, Part
from benchmark.data.decoding.prepared import SPLITS, load, prepare
from benchmark.data.splits import Split, groups

Reason = Literal["same patient", "identical", "near duplicate"]
REASONS: tuple[Reason, ...] = ("same patient", "identical", "near duplicate")
MOST_LISTED = 1000
_ORDER: tuple[Part, ...] = ("train", "val", "test", "all")


@dataclass(frozen=True)
class Leak:
    """The image `name` of `part` has a relative in the earlier part `other_part`: the image `other`.

    `distance` is that of the hashes of near duplicates, in bits; None for other reasons.
    """

    name: str
    part: Part
    other: str
    other_part: Part
    reason: Reason
    distance: int | None


@dataclass(frozen=True)
class NearPair:
    """Two images that are not identical but look the same; `distance` is that of their hashes, in bits."""

    first: str
    second: str
    distance: int
    same_patient: bool
    same_class: bool


@dataclass(frozen=True)
class Overlap:
    """How many of the `images` of `part` have a relative in `other`, for each reason.

    With `part` equal to `other` it is another image of the same part; `same_patient` is None then, as a patient may
    well have several images there. `near_duplicate` is None where near duplicates cannot be told.
    """

    part: Part
    other: Part
    images: int
    same_patient: int | None
    identical: int
    near_duplicate: int | None


@dataclass(frozen=True)
class Leakage:
    """What parts share.

    `leaks` has an entry for each image, earlier part and reason, those of test first. `near_pairs` counts all pairs of
    near duplicates, `near_pairs_under_both_labels` those of two classes, and `closest` lists up to 1,000 of them, the
    closest first; images of one patient, part and class are no such pair. `flat` images show nothing and are not
    compared.
    """

    overlaps: tuple[Overlap, ...]
    leaks: tuple[Leak, ...]
    cutoff: Cutoff
    near_pairs: int
    near_pairs_under_both_labels: int
    closest: tuple[NearPair, ...]
    flat: int

    def lines(self) -> tuple[str, ...]:
        """One line for each pair of parts and reason by which images leak, test first; empty when none do."""
        found: dict[tuple[Part, Part, Reason], list[Leak]] = defaultdict(list)
        for leak in self.leaks:
            found[leak.part, leak.other_part, leak.reason].append(leak)
        return tuple(_line(members) for members in found.values())


def leaks(dataset: Dataset, split: Split, size: int, root: Path | None = None) -> Leakage:
    """What train, val and test of `split` share.

    Images are compared as the runs at `size` px see them: their pixels are prepared on first use, for those runs too.
    `root` is the folder of prepared pixels, in the cache by default. Raises DataError and OSError as `prepare` does.
    """
    try:
        return _prepared_leaks(prepare(dataset, split, size, root))
    except FileNotFoundError:  # the cache was cleared between the two
        return _prepared_leaks(prepare(dataset, split, size, root))


def related_test_images(folder: Path) -> dict[str, tuple[str, ...]]:
    """The test images, by name, that a prepared `folder` holds a relative of: by REASONS one in train or val, and
    under "repeated" an identical image before them in test. Reasons without an image are left out."""
    found: dict[str, set[str]] = {reason: set() for reason in (*REASONS, "repeated")}
    for leak in _prepared_leaks(folder).leaks:
        if leak.part == "test":
            found[leak.reason].add(leak.name)
    test, seen = load(folder, "test"), set[str]()
    for name, digest in zip(test.names, test.digests, strict=True):
        if digest in seen:
            found["repeated"].add(name)
        seen.add(digest)
    return {reason: tuple(sorted(names)) for reason, names in found.items() if names}


def _prepared_leaks(folder: Path) -> Leakage:
    splits = [load(folder, name) for name in SPLITS]
    grey = np.concatenate([thumbnails(held.pixels) for held in splits])
    images = [
        Image(name, held.split, label, patient, digest)
        for held in splits
        for name, label, patient, digest in zip(
            held.names, held.labels.tolist(), held.patients, held.digests, strict=True
        )
    ]
    return find_leaks(images, [image.part for image in images], hashes(grey), is_flat(grey))


def find_leaks(
    images: Sequence[Image], parts: Sequence[Part], bits: Hashes, flat: Flags, unit: str = "patients"
) -> Leakage:
    """What `parts` (n,) of `images` (n,) share; `bits` (n, BITS) are the images' hashes, and those that are `flat`
    (n,) are not compared by them. `unit` is what is known to be independent: patients, or images."""
    shown = np.flatnonzero(~flat)
    cutoff = choose_cutoff(count_distances(bits[shown], _related(images)[shown]), unit)
    near = np.zeros((0, 3), np.int64)
    if cutoff.distance is not None:
        content = _codes([image.digest for image in images])
        series = _codes([(image.patient, part, image.label) for image, part in zip(images, parts, strict=True)])
        near = pairs_within(bits[shown], cutoff.distance, content[shown], series[shown])
        near[:, :2] = shown[near[:, :2]]
    found = [*_shared(images, parts, "same patient"), *_shared(images, parts, "identical"), *_near(images, parts, near)]
    found.sort(key=lambda leak: (-_ORDER.index(leak.part), leak.name, leak.other_part, REASONS.index(leak.reason)))
    return Leakage(
        overlaps=_overlaps(images, parts, found, near, cutoff.distance is not None),
        leaks=tuple(found),
        cutoff=cutoff,
        near_pairs=len(near),
        near_pairs_under_both_labels=sum(images[i].label != images[j].label for i, j, _ in near.tolist()),
        closest=tuple(
            NearPair(
                first=images[i].name,
                second=images[j].name,
                distance=distance,
                same_patient=images[i].patient == images[j].patient,
                same_class=images[i].label == images[j].label,
            )
            for i, j, distance in near[:MOST_LISTED].tolist()
        ),
        flat=int(flat.sum()),
    )


def _line(found: Sequence[Leak]) -> str:
    first, count = found[0], len(found)
    images = f"{count} {first.part} {'images' if count > 1 else 'image'}"
    what = {
        "same patient": f"{images} of patients who are in {first.other_part} too",
        "identical": f"{images} identical to images of {first.other_part}",
        "near duplicate": f"{images} nearly the same as images of {first.other_part}",
    }
    return f"{what[first.reason]}, such as {first.name} and {first.other}"


def _shared(images: Sequence[Image], parts: Sequence[Part], reason: Literal["same patient", "identical"]) -> list[Leak]:
    """Leaks of images that have the same patient, or the same content, in an earlier part."""
    field = "patient" if reason == "same patient" else "digest"
    holders: dict[str, dict[Part, str]] = defaultdict(dict)
    for image, part in zip(images, parts, strict=True):
        holders[getattr(image, field)].setdefault(part, image.name)
    return [
        Leak(image.name, part, holder, other, reason, None)
        for image, part in zip(images, parts, strict=True)
        for other, holder in holders[getattr(image, field)].items()
        if _ORDER.index(other) < _ORDER.index(part)
    ]


def _near(images: Sequence[Image], parts: Sequence[Part], near: Codes) -> list[Leak]:
    """Leaks of images that have a near duplicate in an earlier part, with the closest one; `near` has the closest pair
    first."""
    found: dict[tuple[int, Part], Leak] = {}
    for i, j, distance in near.tolist():
        later, earlier = (i, j) if _ORDER.index(parts[i]) > _ORDER.index(parts[j]) else (j, i)
        if parts[later] != parts[earlier]:
            leak = Leak(
                images[later].name, parts[later], images[earlier].name, parts[earlier], "near duplicate", distance
            )
            found.setdefault((later, parts[earlier]), leak)
    return list(found.values())


def _overlaps(
    images: Sequence[Image], parts: Sequence[Part], found: Sequence[Leak], near: Codes, told: bool
) -> tuple[Overlap, ...]:
    """Every part with itself, then with each earlier one."""
    sizes = Counter(parts)
    across = Counter((leak.part, leak.other_part, leak.reason) for leak in found)
    copies = Counter((part, image.digest) for image, part in zip(images, parts, strict=True))
    twins = {index for i, j, _ in near.tolist() if parts[i] == parts[j] for index in (i, j)}
    present = [part for part in _ORDER if part in sizes]
    inside = [
        Overlap(
            part=part,
            other=part,
            images=sizes[part],
            same_patient=None,
            identical=sum(count for (where, _), count in copies.items() if where == part and count > 1),
            near_duplicate=sum(parts[index] == part for index in twins) if told else None,
        )
        for part in present
    ]
    between = [
        Overlap(
            part=part,
            other=other,
            images=sizes[part],
            same_patient=across[part, other, "same patient"],
            identical=across[part, other, "identical"],
            near_duplicate=across[part, other, "near duplicate"] if told else None,
        )
        for other, part in combinations(present, 2)
    ]
    return (*inside, *between)


def _related(images: Sequence[Image]) -> Codes:
    """Equal numbers for images that are of one patient or of one content."""
    number = {image.name: code for code, members in enumerate(groups(images)) for image in members}
    return np.array([number[image.name] for image in images], dtype=np.int64)


def _codes(values: Sequence[object]) -> Codes:
    """Equal numbers for equal values."""
    number: dict[object, int] = {}
    return np.array([number.setdefault(value, len(number)) for value in values], dtype=np.int64)

"""What the parts of a data set, or the splits of a bench, share: patients, identical images and near duplicates.

A part is either where the source has an image, or the split for which a protocol drew it. A leak is reported for the
later part, in the order train, val, test: a test image with a relative in train.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from benchmark.data.cache import read_json, write_json
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
MAX_LISTED = 1000
_ORDER: tuple[Part, ...] = ("train", "val", "test", "all")
_REPEATED = "repeated"
_METHOD = 1
"""Version of the comparison. Stored results of another version are not used."""


@dataclass(frozen=True)
class Leak:
    """An image with a relative in an earlier part.

    Attributes:
        name: The image.
        part: Its part.
        other: The relative.
        other_part: The part of the relative.
        reason: How they are related.
        distance: Distance of the hashes of near duplicates in bits; None for other reasons.
    """

    name: str
    part: Part
    other: str
    other_part: Part
    reason: Reason
    distance: int | None


@dataclass(frozen=True)
class NearPair:
    """Two images that look the same without being identical; `distance` is that of their hashes, in bits."""

    first: str
    second: str
    distance: int
    same_patient: bool
    same_class: bool


@dataclass(frozen=True)
class Overlap:
    """Number of images of `part` with a relative in `other`, by reason.

    If both are the same part, the relative is another image of it, and `same_patient` is None, since a patient may have
    several images in a part.

    Attributes:
        part: The part.
        other: The same or an earlier part.
        images: Number of images of `part`.
        same_patient: Images of a patient with images in `other`.
        identical: Images with an identical image in `other`.
        near_duplicate: Images with a near duplicate in `other`; None if near duplicates are undetermined.
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

    Attributes:
        overlaps: Counts by pair of parts.
        leaks: One entry per image, earlier part and reason; test first.
        cutoff: The largest distance of near duplicates.
        near_pairs: Number of pairs of near duplicates, without those of one patient, part and class.
        near_pairs_under_both_labels: Number of those pairs with different labels.
        closest: Up to 1,000 of those pairs, the closest first.
        flat: Number of images that show nothing and are not compared.
    """

    overlaps: tuple[Overlap, ...]
    leaks: tuple[Leak, ...]
    cutoff: Cutoff
    near_pairs: int
    near_pairs_under_both_labels: int
    closest: tuple[NearPair, ...]
    flat: int

    def lines(self) -> tuple[str, ...]:
        """Describe the leaks in one line per pair of parts and reason, test first; empty without leaks."""
        by_reason: dict[tuple[Part, Part, Reason], list[Leak]] = defaultdict(list)
        for leak in self.leaks:
            by_reason[leak.part, leak.other_part, leak.reason].append(leak)
        return tuple(_line(leaks) for leaks in by_reason.values())


def leaks(dataset: Dataset, split: Split, size: int, root: Path | None = None) -> Leakage:
    """Find what train, val and test of a split share.

    Images are compared as runs at this size see them. Their pixels are prepared on first use, and runs reuse them.

    Args:
        dataset: The images.
        split: Their parts.
        size: Side in pixels.
        root: Parent of prepared pixels; by default in the cache.

    Returns:
        What the parts share.

    Raises:
        DataError: An image can no longer be read.
        OSError: The pixels cannot be written.
    """
    try:
        return _prepared_leaks(prepare(dataset, split, size, root))
    except FileNotFoundError:  # the cache was cleared between the two
        return _prepared_leaks(prepare(dataset, split, size, root))


def related_test_images(folder: Path) -> dict[str, tuple[str, ...]]:
    """Find the test images of a prepared split with a relative.

    The result is stored beside the folder, since every run on the split needs it. If the file is lost or damaged, the
    images are compared again.

    Args:
        folder: The folder of prepared pixels.

    Returns:
        Names of test images by REASONS, for a relative in train or val, and by "repeated", for an identical test image
        before them. Reasons without images are left out.

    Raises:
        FileNotFoundError: There is no stored result, and the folder was cleared from the cache.
    """
    file = folder.with_name(f"{folder.name}-related.json")
    related = _stored_relatives(file)
    if related is None:
        related = _relatives(folder)
        write_json(file, {"method": _METHOD, "related": related})
    return related


def _stored_relatives(file: Path) -> dict[str, tuple[str, ...]] | None:
    """What `related_test_images` stored; None if the file is missing, damaged or of another version."""
    stored = read_json(file)
    try:
        related = TypeAdapter(dict[str, tuple[str, ...]]).validate_python(stored.get("related"))
    except ValidationError:
        return None
    whole = stored.get("method") == _METHOD and related.keys() <= {*REASONS, _REPEATED}
    return related if whole else None


def _relatives(folder: Path) -> dict[str, tuple[str, ...]]:
    related: dict[str, set[str]] = {reason: set() for reason in (*REASONS, _REPEATED)}
    for leak in _prepared_leaks(folder).leaks:
        if leak.part == "test":
            related[leak.reason].add(leak.name)
    test, earlier = load(folder, "test"), set[str]()
    for name, digest in zip(test.names, test.digests, strict=True):
        if digest in earlier:
            related[_REPEATED].add(name)
        earlier.add(digest)
    return {reason: tuple(sorted(names)) for reason, names in related.items() if names}


def _prepared_leaks(folder: Path) -> Leakage:
    splits = [load(folder, name) for name in SPLITS]
    grey = np.concatenate([thumbnails(part.pixels) for part in splits])
    images = [image for part in splits for image in part.images]
    return find_leaks(images, [image.part for image in images], hashes(grey), is_flat(grey))


def find_leaks(
    images: Sequence[Image], parts: Sequence[Part], bits: Hashes, flat: Flags, unit: str = "patients"
) -> Leakage:
    """Find what parts share.

    Args:
        images: The images (n,).
        parts: The part of each (n,).
        bits: Their hashes (n, BITS).
        flat: Which show nothing (n,); they are not compared by hash.
        unit: "images" if patients are not known.

    Returns:
        What the parts share.
    """
    textured = np.flatnonzero(~flat)
    cutoff = choose_cutoff(count_distances(bits[textured], _related(images)[textured]), unit)
    near = np.zeros((0, 3), np.int64)
    if cutoff.distance is not None:
        content = _codes([image.digest for image in images])
        series = _codes([(image.patient, part, image.label) for image, part in zip(images, parts, strict=True)])
        near = pairs_within(bits[textured], cutoff.distance, content[textured], series[textured])
        near[:, :2] = textured[near[:, :2]]
    leaks = [*_shared(images, parts, "same patient"), *_shared(images, parts, "identical"), *_near(images, parts, near)]
    leaks.sort(key=lambda leak: (-_ORDER.index(leak.part), leak.name, leak.other_part, REASONS.index(leak.reason)))
    return Leakage(
        overlaps=_overlaps(images, parts, leaks, near, cutoff.distance is not None),
        leaks=tuple(leaks),
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
            for i, j, distance in near[:MAX_LISTED].tolist()
        ),
        flat=int(flat.sum()),
    )


def _line(leaks: Sequence[Leak]) -> str:
    first, count = leaks[0], len(leaks)
    images = f"{count} {first.part} {'images' if count > 1 else 'image'}"
    what = {
        "same patient": f"{images} of patients who are also in {first.other_part}",
        "identical": f"{images} identical to images of {first.other_part}",
        "near duplicate": f"{images} nearly identical to images of {first.other_part}",
    }
    return f"{what[first.reason]}, such as {first.name} and {first.other}"


def _shared(images: Sequence[Image], parts: Sequence[Part], reason: Literal["same patient", "identical"]) -> list[Leak]:
    """Leaks of images whose patient or content is in an earlier part, too."""
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
    """Leaks of images with a near duplicate in an earlier part, with the closest one; `near` is sorted by distance."""
    leaks: dict[tuple[int, Part], Leak] = {}
    for i, j, distance in near.tolist():
        later, earlier = (i, j) if _ORDER.index(parts[i]) > _ORDER.index(parts[j]) else (j, i)
        if parts[later] != parts[earlier]:
            leak = Leak(
                images[later].name, parts[later], images[earlier].name, parts[earlier], "near duplicate", distance
            )
            leaks.setdefault((later, parts[earlier]), leak)
    return list(leaks.values())


def _overlaps(
    images: Sequence[Image], parts: Sequence[Part], leaks: Sequence[Leak], near: Codes, determined: bool
) -> tuple[Overlap, ...]:
    """Count relatives of each part in itself, then in each earlier part."""
    sizes = Counter(parts)
    across = Counter((leak.part, leak.other_part, leak.reason) for leak in leaks)
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
            near_duplicate=sum(parts[index] == part for index in twins) if determined else None,
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
            near_duplicate=across[part, other, "near duplicate"] if determined else None,
        )
        for other, part in combinations(present, 2)
    ]
    return (*inside, *between)


def _related(images: Sequence[Image]) -> Codes:
    """Equal numbers for images of one patient or content."""
    number = {image.name: code for code, members in enumerate(groups(images)) for image in members}
    return np.array([number[image.name] for image in images], dtype=np.int64)


def _codes(values: Sequence[object]) -> Codes:
    """Equal numbers for equal values."""
    number: dict[object, int] = {}
    return np.array([number.setdefault(value, len(number)) for value in values], dtype=np.int64)

"""Train, validation and test images: by patient, reproducibly, the test part untouched."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from sklearn.model_selection import StratifiedGroupKFold

from benchmark.data.dataset import DataError, Dataset, Image

_STREAMS = {"test": 1, "val": 2, "train": 3, "fold": 4}
Seed = int | tuple[int, int]
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(gt=0, le=1_000_000_000)]


class Sampling(BaseModel):
    """How many images each part gets; None takes all there are.

    `balanced` draws the same number of each class. `val_fraction` is the share of the training part's patients that
    validation gets when `val` is None. `test_fraction` is for sources without a test part. A source's validation
    part with fewer than `min_val` images is set aside.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: Count | None = None
    val: Count | None = None
    test: Count | None = None
    balanced: bool = False
    val_fraction: Share = 0.2
    test_fraction: Share = 0.2
    min_val: Annotated[int, Field(ge=0, le=1_000_000_000)] = 100


@dataclass(frozen=True)
class Split:
    """Images of each part, sorted by name, and what a reader should know about how they were drawn."""

    train: tuple[Image, ...]
    val: tuple[Image, ...]
    test: tuple[Image, ...]
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of the names in each part."""
        parts = ("\n".join(image.name for image in part) for part in (self.train, self.val, self.test))
        return hashlib.sha256("\n\n".join(parts).encode()).hexdigest()


def make_split(dataset: Dataset, sampling: Sampling, seed: Seed) -> Split:
    """Draw the split of `dataset` that `seed` stands for.

    No patient and no content stands in two parts. The source's test part is all that test is drawn from; where
    training images share a patient or content with it, they are left out. Raises DataError when a part would lack a
    class.
    """
    notes: list[str] = []
    by_part: dict[str, list[Image]] = defaultdict(list)
    for image in sorted(dataset.images, key=lambda image: image.name):
        by_part[image.part].append(image)
    pool = _without_contradictions(by_part["train"] or by_part["all"], notes)
    val_pool, test_pool = _without_contradictions(by_part["val"], notes), by_part["test"]
    if by_part["all"]:
        test_pool, pool = _take_share(pool, sampling.test_fraction, seed, "test")
        notes.append(f"the source has no test part: {len(test_pool)} images are drawn from it by patient")
    elif not test_pool:
        test_pool, pool = _take_share(pool, sampling.test_fraction, seed, "test")
        notes.append(f"the source has no test part: {len(test_pool)} images are drawn from train by patient")
    if val_pool and len(val_pool) < sampling.min_val:
        notes.append(
            f"the source's val part has {len(val_pool)} images, fewer than {sampling.min_val}: it is set aside and "
            "validation is drawn from train by patient"
        )
        val_pool = []
    pool = _apart(pool, test_pool, "train", "test", notes)
    if val_pool:
        val_pool = _apart(val_pool, test_pool, "val", "test", notes)
        pool = _apart(pool, val_pool, "train", "val", notes)
        val = _draw(val_pool, sampling.val, sampling.balanced, seed, "val", notes)
    elif sampling.val is None:
        val_pool, pool = _take_share(pool, sampling.val_fraction, seed, "val")
        val = _draw(val_pool, None, sampling.balanced, seed, "val", notes)
    else:
        val = _draw(pool, sampling.val, sampling.balanced, seed, "val", notes)
        pool = _apart(pool, val, "train", "val", [])
    train = _draw(pool, sampling.train, sampling.balanced, seed, "train", notes)
    test = _draw(test_pool, sampling.test, sampling.balanced, seed, "test", notes)
    for name, part in (("train", train), ("val", val), ("test", test)):
        if len({image.label for image in part}) < 2:
            raise DataError(
                f"{dataset.source}: the {name} split would hold {len(part)} images, not of both classes; more patients "
                "of both classes are needed, or a protocol with a smaller sampling"
            )
    return Split(_by_name(train), _by_name(val), _by_name(test), tuple(notes))


def make_fold(split: Split, folds: int, index: int, seed: Seed) -> Split:
    """Fold `index` of `folds` of the train and val images of `split`: its images are val, the others train.

    Patients and byte-identical images stay together, classes keep their share (scikit-learn's StratifiedGroupKFold).
    Test is what it was. Raises DataError when there are not enough patients.
    """
    pool = sorted((*split.train, *split.val), key=lambda image: image.name)
    group = {image.name: number for number, members in enumerate(groups(pool)) for image in members}
    labels, keys = [image.label for image in pool], [group[image.name] for image in pool]
    state = int(np.random.default_rng([*np.atleast_1d(seed), _STREAMS["fold"]]).integers(2**31))
    try:
        chosen = list(StratifiedGroupKFold(folds, shuffle=True, random_state=state).split(labels, labels, keys))[index]
    except ValueError as error:
        raise DataError(f"folds: {folds} folds of {len(set(keys))} patients cannot be made: {error}") from error
    train, val = (tuple(pool[i] for i in part) for part in chosen)
    if len({image.label for image in val}) < 2 or len({image.label for image in train}) < 2:
        raise DataError(f"folds: fold {index + 1} of {folds} would lack a class; fewer folds are needed")
    note = f"fold {index + 1} of {folds} of the train and val images, by patient"
    return Split(train, val, split.test, (*split.notes, note))


def groups(images: Iterable[Image]) -> list[list[Image]]:
    """Images that must stay together: of one patient, or of one content, in sorted order."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    listed = sorted(images, key=lambda image: image.name)
    for image in listed:
        a, b = sorted((root(f"p{image.patient}"), root(f"d{image.digest}")))
        parent[b] = a
    found: dict[str, list[Image]] = defaultdict(list)
    for image in listed:
        found[root(f"p{image.patient}")].append(image)
    return list(found.values())


def _draw(
    images: Sequence[Image], count: int | None, balanced: bool, seed: Seed, part: str, notes: list[str]
) -> list[Image]:
    """`count` of `images`, whole patients first, each class in its share."""
    held = [sum(image.label == label for image in images) for label in (0, 1)]
    if balanced:
        asked = sum(held) // 2 if count is None else count // 2
        quota = min(asked, *held)
        if count is not None and quota < asked:
            notes.append(f"{part}: {2 * quota} images instead of {count}: a class has no more than {quota}")
        quotas = [quota, quota]
    elif count is None or count >= len(images):
        if count is not None and count > len(images):
            notes.append(f"{part}: {len(images)} images instead of {count}: there are no more")
        quotas = held
    else:
        positive = min(held[1], max(1, min(count - 1, round(count * held[1] / len(images)))))
        quotas = [min(held[0], count - positive), positive]
    chosen: list[Image] = []
    left = list(quotas)
    for group in _shuffled(groups(images), seed, part):
        for image in group:
            if left[image.label]:
                left[image.label] -= 1
                chosen.append(image)
    return chosen


def _take_share(images: Sequence[Image], share: float, seed: Seed, part: str) -> tuple[list[Image], list[Image]]:
    """Whole patients with about `share` of each class's images, and the rest."""
    totals = [sum(image.label == label for image in images) for label in (0, 1)]
    wanted = [max(1, round(share * total)) if total > 1 else 0 for total in totals]
    taken: list[Image] = []
    rest: list[Image] = []
    for group in _shuffled(groups(images), seed, part):
        needed = any(wanted[image.label] > 0 for image in group)
        (taken if needed else rest).extend(group)
        if needed:
            for image in group:
                wanted[image.label] -= 1
    return taken, rest


def _shuffled(found: list[list[Image]], seed: Seed, part: str) -> list[list[Image]]:
    order = np.random.default_rng([*np.atleast_1d(seed), _STREAMS[part]]).permutation(len(found))
    return [found[index] for index in order]


def _apart(images: Sequence[Image], others: Sequence[Image], name: str, other: str, notes: list[str]) -> list[Image]:
    """`images` without those that share a patient or content with `others`."""
    patients = {image.patient for image in others}
    digests = {image.digest for image in others}
    same_content = sum(image.digest in digests for image in images)
    kept = [image for image in images if image.patient not in patients and image.digest not in digests]
    if len(kept) < len(images):
        notes.append(
            f"{len(images) - len(kept)} {name} images left out: their patient is in {other} too, or they are the same "
            f"image ({same_content})"
        )
    return kept


def _without_contradictions(images: Sequence[Image], notes: list[str]) -> list[Image]:
    """`images` without those that stand under both labels."""
    labels: dict[str, set[int]] = defaultdict(set)
    for image in images:
        labels[image.digest].add(image.label)
    kept = [image for image in images if len(labels[image.digest]) == 1]
    if len(kept) < len(images):
        notes.append(f"{len(images) - len(kept)} images left out: the same content stands under both labels")
    return kept


def _by_name(images: Iterable[Image]) -> tuple[Image, ...]:
    return tuple(sorted(images, key=lambda image: image.name))

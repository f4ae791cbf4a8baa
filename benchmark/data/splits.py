"""Splits into train, validation and test images: by patient, reproducible, with the source's test part unchanged."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import scipy
from pydantic import Field

from benchmark.data.dataset import DataError, Dataset, Image
from benchmark.data.quotas import (
    Counts,
    Shares,
    count_classes,
    even,
    fraction_of_each,
    least,
    minus,
    pick,
    requested_of_each,
    share_out,
    take_groups,
)
from benchmark.data.split_log import SplitLog, check_classes, check_patients, lack, note_shares
from benchmark.data.text import plural
from zoo.config.strict import Strict

_STREAMS = {"test": 1, "val": 2, "train": 3, "fold": 4}
Seed = int | tuple[int, int]
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(gt=0, le=1_000_000_000)]


class Sampling(Strict):
    """How many images each part gets.

    Sizes are targets. Of the images from which several parts are drawn, train keeps half of each class, or its request
    if that is less; val and test share the rest, in proportion to their requests if it is too small.
    """

    train: Count | None = Field(default=None, description="images to train on; null: all that the other parts leave")
    val: Count | None = Field(
        default=None,
        description="images to choose thresholds and epochs on; null: val_fraction of the training images",
    )
    test: Count | None = Field(
        default=None,
        description="images to measure on; null: the test part of the source, or test_fraction of all images",
    )
    balanced: bool = Field(
        default=False, description="whether each class gets the same number of images; else classes keep their shares"
    )
    val_fraction: Share = Field(
        default=0.2, description="share of the training images, by patient, that becomes validation if val is null"
    )
    test_fraction: Share = Field(
        default=0.2, description="share of the images, by patient, that becomes test if the source has no test part"
    )
    min_val: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        default=100, description="a validation part of the source with fewer images is set aside"
    )


@dataclass(frozen=True)
class Split:
    """Images of each part, sorted by name.

    Attributes:
        train: Images to train on.
        val: Images to choose on.
        test: Images to measure on.
        notes: How the parts were drawn, and why and how many images of the source are in none.
    """

    train: tuple[Image, ...]
    val: tuple[Image, ...]
    test: tuple[Image, ...]
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the names in each part, in hexadecimal."""
        parts = ("\n".join(image.name for image in part) for part in (self.train, self.val, self.test))
        return hashlib.sha256("\n\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def by_class(self) -> dict[str, Counts]:
        """Number of images of each class, by part; classes after the last one with images are left out."""
        parts = {"train": self.train, "val": self.val, "test": self.test}
        classes = max((1 + image.label for part in parts.values() for image in part), default=0)
        return {name: count_classes(part, max(2, classes)) for name, part in parts.items()}


def make_split(dataset: Dataset, sampling: Sampling, seed: Seed) -> Split:
    """Draw a split.

    No patient and no content is in two parts. Test is drawn from the source's test part, if there is one; training
    images that share a patient or content with it are left out. Parts drawn from the same images get what the protocol
    requests, as far as training keeps half of each class (`benchmark.data.quotas`).

    Args:
        dataset: The images.
        sampling: The size of each part.
        seed: Decides the draw.

    Returns:
        The split.

    Raises:
        DataError: A part would lack a class.
    """
    try:
        result = _draw_parts(dataset, sampling, seed, limited=False)
    except DataError:
        return _draw_parts(dataset, sampling, seed, limited=True).split
    return result.split if result.met(sampling) else _draw_parts(dataset, sampling, seed, limited=True).split


@dataclass(frozen=True)
class _DrawnSplit:
    """A split, the parts that were drawn from the same images, and the number of those images by class."""

    split: Split
    parts: tuple[str, ...]
    pool: Counts

    def met(self, sampling: Sampling) -> bool:
        """Whether these parts have what the protocol requests; training has half of each class if it requests all."""
        for name in self.parts:
            classes = len(self.pool)
            requested, present = getattr(sampling, name), count_classes(getattr(self.split, name), classes)
            whole = requested is None or not sampling.balanced
            if requested is not None and sum(present) < (requested if whole else requested // classes * classes):
                return False
            pool = even(self.pool) if sampling.balanced else self.pool
            if requested is None and name == "train" and any(2 * present[c] < pool[c] for c in range(classes)):
                return False
        return True


def _draw_parts(dataset: Dataset, sampling: Sampling, seed: Seed, limited: bool) -> _DrawnSplit:
    """Draw test, validation and training in this order; with `limited`, each part leaves the others their shares."""
    log = SplitLog(dataset.classes)
    nothing = (0,) * len(dataset.classes)
    by_part: dict[str, list[Image]] = defaultdict(list)
    for image in sorted(dataset.images, key=lambda image: image.name):
        by_part[image.part].append(image)
    pool = _without_contradictions(by_part["train"] or by_part["all"], log)
    val_pool, test_pool = _without_contradictions(by_part["val"], log), by_part["test"]
    apart = bool(val_pool) and len(val_pool) >= sampling.min_val
    if val_pool and not apart:
        log.leave_out(
            len(val_pool),
            f"the source's val part has {len(val_pool)} images, fewer than {sampling.min_val} (min_val): it is set "
            "aside and validation is drawn from train by patient",
        )
        val_pool = []
    parts = ("train",) if apart else ("train", "val")
    shared, of_train = log.count(pool), nothing
    if by_part["all"] or not test_pool:
        parts = (*parts, "test")
        requested, limit = fraction_of_each(shared, sampling.test_fraction), shared
        if limited:
            check_patients(dataset, groups(pool), parts, log)
            shares, requested = _shares_with_test(shared, sampling, "val" in parts)
            note_shares(dataset, shared, shares, parts, _requests(sampling), log)
            of_train, limit = shares.train, minus(minus(shared, shares.train), shares.val)
        shuffled = _shuffled(groups(pool), seed, "test")
        test_groups, rest = take_groups(shuffled, requested, limit, len(parts) - 1 if limited else 0)
        test_pool, pool = _flat(test_groups), _flat(rest)
        origin = "" if by_part["all"] else "of train "
        log.notes.append(
            f"the source has no test part: {plural(len(test_pool), 'image')} {origin}are set aside for test at random, "
            "by patient"
        )
    pool = _apart(pool, test_pool, "train", "test", log)
    if val_pool:
        val_pool = _apart(val_pool, test_pool, "val", "test", log)
        pool = _apart(pool, val_pool, "train", "val", log)
        val = _draw(val_pool, sampling.val, sampling.balanced, seed, "val", log)
    else:
        if "test" not in parts:
            shared = log.count(pool)
        if limited and "test" not in parts:
            check_patients(dataset, groups(pool), parts, log)
            shares = share_out(shared, _train_request(shared, sampling), _val_request(shared, sampling), nothing)
            note_shares(dataset, shared, shares, parts, _requests(sampling), log)
            of_train = shares.train
        val, pool = _take_val(pool, sampling, of_train, 1 if limited else 0, seed, log)
    train = _draw(pool, sampling.train, sampling.balanced, seed, "train", log)
    test = _draw(test_pool, sampling.test, sampling.balanced, seed, "test", log)
    for name, part in (("train", train), ("val", val), ("test", test)):
        check_classes(dataset, name, part, getattr(sampling, name), log)
    undrawn = len(dataset.images) - len(train) - len(val) - len(test) - log.left_out
    log.leave_out(undrawn, f"{plural(undrawn, 'image')} not drawn: the protocol asks for {_requests(sampling)}")
    notes = tuple(note.replace("by patient", f"by {dataset.unit}") for note in log.notes)
    split = Split(_by_name(train), _by_name(val), _by_name(test), notes)
    return _DrawnSplit(split, parts, shared)


def make_fold(split: Split, folds: int, index: int, seed: Seed) -> Split:
    """Make one fold of cross-validation over the train and val images of a split.

    Patients and byte-identical images stay together; classes keep their shares (scikit-learn's StratifiedGroupKFold).

    Args:
        split: The split; its test images stay as they are.
        folds: Number of folds.
        index: The fold whose images become val, from 0; all others become train.
        seed: Decides the draw.

    Returns:
        The split of this fold.

    Raises:
        DataError: There are too few patients.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # here, because it loads slowly

    pool = sorted((*split.train, *split.val), key=lambda image: image.name)
    group = {image.name: number for number, members in enumerate(groups(pool)) for image in members}
    labels, keys = [image.label for image in pool], [group[image.name] for image in pool]
    state = int(np.random.default_rng([*np.atleast_1d(seed), _STREAMS["fold"]]).integers(2**31))
    try:
        chosen = list(StratifiedGroupKFold(folds, shuffle=True, random_state=state).split(labels, labels, keys))[index]
    except ValueError as error:
        raise DataError(f"folds: {folds} folds of {len(set(keys))} patients cannot be made: {error}") from error
    train, val = (tuple(pool[i] for i in part) for part in chosen)
    classes = len(set(labels))
    if len({image.label for image in val}) < classes or len({image.label for image in train}) < classes:
        raise DataError(f"folds: fold {index + 1} of {folds} would lack a class; fewer folds are needed")
    note = f"fold {index + 1} of {folds} of the train and val images, by patient"
    return Split(train, val, split.test, (*split.notes, note))


def groups(images: Iterable[Image]) -> list[list[Image]]:
    """Group images that must stay in one part: those of one patient or with the same content, also through others.

    Args:
        images: Images in any order.

    Returns:
        Groups in the order of their first image; images sorted by name.
    """
    by_name = _by_name(images)
    linked = scipy.cluster.hierarchy.DisjointSet(
        key for image in by_name for key in (("patient", image.patient), ("digest", image.digest))
    )
    for image in by_name:
        linked.merge(("patient", image.patient), ("digest", image.digest))
    members: dict[object, list[Image]] = defaultdict(list)
    for image in by_name:
        members[linked["patient", image.patient]].append(image)
    return list(members.values())


def _draw(
    images: Sequence[Image], count: int | None, balanced: bool, seed: Seed, part: str, log: SplitLog
) -> list[Image]:
    """Draw `count` of `images`, whole patients first, each class in its share."""
    present = log.count(images)
    requested = present if count is None else requested_of_each(present, count, balanced)
    quotas = even(least(requested, present)) if balanced else requested
    if count is not None and part not in log.explained:
        if balanced and not quotas[0]:
            log.notes.append(f"{part}: {lack(present, log.classes)}")
        elif balanced and quotas[0] < count // len(present):
            log.notes.append(f"{part}: {sum(quotas)} images instead of {count}: a class has no more than {quotas[0]}")
        elif not balanced and count > len(images):
            log.notes.append(f"{part}: {len(images)} images instead of {count}: there are no more")
    return pick(_shuffled(groups(images), seed, part), quotas)


def _shares_with_test(present: Counts, sampling: Sampling, with_val: bool) -> tuple[Shares, Counts]:
    """Share `present` images of each class between test, validation and training, and say how many to set aside for
    test.

    A source without a test part sets `test_fraction` aside even if fewer are requested, as long as the other parts get
    what they request.
    """
    share = fraction_of_each(present, sampling.test_fraction)
    requested = share if sampling.test is None else requested_of_each(present, sampling.test, sampling.balanced)
    aside = tuple(max(pair) for pair in zip(share, requested, strict=True))
    val = _val_request(minus(present, share), sampling) if with_val else (0,) * len(present)
    train = _train_request(present, sampling)
    shares = share_out(present, train, val, aside)
    if not shares.scaled:
        return shares, aside
    shares = share_out(present, train, val, requested)
    return shares, even(shares.test) if sampling.balanced and sampling.test is not None else shares.test


def _train_request(present: Counts, sampling: Sampling) -> Counts | None:
    return None if sampling.train is None else requested_of_each(present, sampling.train, sampling.balanced)


def _val_request(present: Counts, sampling: Sampling) -> Counts:
    if sampling.val is None:
        return fraction_of_each(present, sampling.val_fraction)
    return requested_of_each(present, sampling.val, sampling.balanced)


def _take_val(
    pool: list[Image], sampling: Sampling, of_train: Counts, parts_left: int, seed: Seed, log: SplitLog
) -> tuple[list[Image], list[Image]]:
    """Split `pool` into validation images and those to train on: at least `of_train` of each class, if whole patients
    allow it."""
    present = log.count(pool)
    limit = tuple(max(1, count) for count in minus(present, of_train))
    shuffled = _shuffled(groups(pool), seed, "val")
    if sampling.val is None:
        requested = least(fraction_of_each(present, sampling.val_fraction), limit)
        val_groups, others = take_groups(shuffled, requested, limit, parts_left)
        return _draw(_flat(val_groups), None, sampling.balanced, seed, "val", log), _flat(others)
    requested = requested_of_each(present, sampling.val, sampling.balanced)
    quotas = least(least(requested, present), limit)
    if sampling.balanced:
        quotas = even(quotas)
    val_groups, _ = take_groups(shuffled, quotas, limit, parts_left)
    val = pick(val_groups, quotas)
    if sampling.balanced:
        val = pick([val], even(log.count(val)))
    if len(val) < sum(requested) and "val" not in log.explained:
        log.notes.append(f"val: {len(val)} images instead of {sampling.val}: by patient, no more are left for it")
    rest = _apart(pool, val, "train", "val", SplitLog(log.classes))
    siblings = len(pool) - len(val) - len(rest)
    log.leave_out(siblings, f"{plural(siblings, 'image')} left out: val contains other images of their patients")
    return val, rest


def _shuffled(grouped: list[list[Image]], seed: Seed, part: str) -> list[list[Image]]:
    order = np.random.default_rng([*np.atleast_1d(seed), _STREAMS[part]]).permutation(len(grouped))
    return [grouped[index] for index in order]


def _apart(images: Sequence[Image], others: Sequence[Image], name: str, other: str, log: SplitLog) -> list[Image]:
    """Leave out images that share a patient or content with `others`."""
    patients = {image.patient for image in others}
    digests = {image.digest for image in others}
    same_content = sum(image.digest in digests for image in images)
    clear = [image for image in images if image.patient not in patients and image.digest not in digests]
    log.leave_out(
        len(images) - len(clear),
        f"{plural(len(images) - len(clear), f'{name} image')} left out: their patient is in {other} too, or they are "
        f"identical to an image of it ({same_content})",
    )
    return clear


def _without_contradictions(images: Sequence[Image], log: SplitLog) -> list[Image]:
    """Leave out images whose content has different labels."""
    labels: dict[str, set[int]] = defaultdict(set)
    for image in images:
        labels[image.digest].add(image.label)
    clear = [image for image in images if len(labels[image.digest]) == 1]
    both = len(images) - len(clear)
    labelled = "both labels" if len(log.classes) == 2 else "different labels"
    log.leave_out(both, f"{plural(both, 'image')} left out: identical images have {labelled}")
    return clear


def _requests(sampling: Sampling) -> str:
    """The requested sizes, in words."""
    sizes = [f"{name} {size:,}" for name in ("train", "val", "test") if (size := getattr(sampling, name)) is not None]
    even = ["as many of each class"] if sampling.balanced else []
    return ", ".join((*sizes, *even)) or "whole patients"


def _flat(grouped: Iterable[list[Image]]) -> list[Image]:
    return [image for group in grouped for image in group]


def _by_name(images: Iterable[Image]) -> tuple[Image, ...]:
    return tuple(sorted(images, key=lambda image: image.name))

"""Whether intensity alone distinguishes the parts of a data set, as it does for images of another device or batch.

This describes the data. No card's model is fitted here, and none sees the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy
from pydantic import TypeAdapter, ValidationError

from benchmark.data.cache import read_json, write_json
from benchmark.data.checks.near_duplicates import thumbnails
from benchmark.data.dataset import Dataset, Image, Part, Pixels
from benchmark.data.decoding.prepared import SPLITS, load, prepare
from benchmark.data.splits import Split
from benchmark.data.text import plural

Floats = npt.NDArray[np.float64]
LEVEL = 0.01
_QUANTILES = (1, 5, 25, 50, 75, 95, 99)
FEATURES = (
    "mean",
    "standard deviation",
    *(f"{quantile}% quantile" for quantile in _QUANTILES),
    "border against centre",
    "share of black",
    "share of white",
)
_BORDER = 1 / 8
_BLACK, _WHITE = 16, 240
_FOLDS = 5
_SHUFFLES = 199
_MIN_PATIENTS = 5
_METHOD = 1
"""Version of the comparison. Stored results of another version are not used."""


@dataclass(frozen=True)
class BatchEffect:
    """How well intensities distinguish images of `part` from those of `other`.

    All figures are None, and `reason` says why, if there are too few patients.

    Attributes:
        part: The later part.
        other: The part that it is compared with.
        auc: AUC of a cross-validated linear classifier, among images of one class.
        chance: The AUC that 95 of 100 data sets do not exceed if their patients are shuffled between the parts.
        p: Share of shuffles that reach `auc`.
        strongest: The feature with the AUC farthest from 0.5.
        strongest_auc: Its AUC; above 0.5, the feature is higher in `part`.
        reason: Why there are no figures, else None.
        unit: What was shuffled: "images" if patients are not known.
    """

    part: Part
    other: Part
    auc: float | None
    chance: float | None
    p: float | None
    strongest: str | None
    strongest_auc: float | None
    reason: str | None
    unit: str = "patients"

    @property
    def significant(self) -> bool:
        """Whether the parts differ at the 1% level."""
        return self.p is not None and self.p <= LEVEL

    def line(self) -> str:
        """Describe the result in one line."""
        if self.auc is None or self.chance is None or self.strongest_auc is None:
            return f"whether intensity distinguishes {self.part} from {self.other} is unknown: {self.reason}"
        if not self.significant:
            return f"intensity does not distinguish {self.part} from {self.other}: AUC {self.auc:.2f}, p {self.p:.2f}"
        way = "higher" if self.strongest_auc > 0.5 else "lower"
        return (
            f"intensity alone distinguishes {self.part} from {self.other}: AUC {self.auc:.2f}, shuffled "
            f"{self.unit} {self.chance:.2f}; most by a {way} {self.strongest} in {self.part}"
        )


def intensities(grey: Pixels) -> Floats:
    """Describe the grey levels of images, whatever they show.

    Args:
        grey: uint8 (n, h, w).

    Returns:
        (n, len(FEATURES)): levels 0..255, shares 0..1. The border is an eighth of the image on each side.
    """
    levels = grey.reshape(len(grey), -1).astype(np.float64)
    height, width = grey.shape[1:]
    top, left = max(1, round(height * _BORDER)), max(1, round(width * _BORDER))
    inside = np.zeros((height, width), bool)
    inside[top:-top, left:-left] = True
    middle = inside.ravel()
    columns = [
        levels.mean(axis=1),
        levels.std(axis=1),
        *np.percentile(levels, _QUANTILES, axis=1),
        levels[:, ~middle].mean(axis=1) - levels[:, middle].mean(axis=1),
        (levels < _BLACK).mean(axis=1),
        (levels > _WHITE).mean(axis=1),
    ]
    return np.stack(columns, axis=1)


def effects_of_split(dataset: Dataset, split: Split, size: int, root: Path | None = None) -> tuple[BatchEffect, ...]:
    """Compare val and test of a split with its train part.

    Images are compared as runs at this size see them. Their pixels are prepared on first use, and runs reuse them.

    Args:
        dataset: The images.
        split: Their parts.
        size: Side in pixels.
        root: Parent of prepared pixels; by default in the cache.

    Returns:
        As `batch_effects`.

    Raises:
        DataError: An image can no longer be read.
        OSError: The pixels cannot be written.
    """
    unit = f"{dataset.unit}s"
    try:
        return prepared_effects(prepare(dataset, split, size, root), unit)
    except FileNotFoundError:  # the cache was cleared between the two
        return prepared_effects(prepare(dataset, split, size, root), unit)


def prepared_effects(folder: Path, unit: str = "patients") -> tuple[BatchEffect, ...]:
    """Compare val and test of a prepared split with its train part.

    The result is stored beside the folder, since every run on the split needs it. If the file is lost or damaged, the
    images are compared again.

    Args:
        folder: The folder of prepared pixels.
        unit: "images" if patients are not known.

    Returns:
        As `batch_effects`.

    Raises:
        FileNotFoundError: There is no stored result, and the folder was cleared from the cache.
    """
    file = folder.with_name(f"{folder.name}-intensities-of-{unit}.json")
    effects = _stored_effects(file)
    if effects is None:
        parts = [load(folder, name) for name in SPLITS]
        features = np.concatenate([intensities(thumbnails(part.pixels)) for part in parts])
        effects = batch_effects([image for part in parts for image in part.images], features, unit=unit)
        write_json(file, {"method": _METHOD, "effects": [asdict(effect) for effect in effects]})
    return effects


def _stored_effects(file: Path) -> tuple[BatchEffect, ...] | None:
    """What `prepared_effects` stored; None if the file is missing, damaged or of another version."""
    stored = read_json(file)
    try:
        effects = TypeAdapter(tuple[BatchEffect, ...]).validate_python(stored.get("effects"))
    except ValidationError:
        return None
    whole = stored.get("method") == _METHOD and tuple(effect.part for effect in effects) == SPLITS[1:]
    return effects if whole else None


def batch_effects(
    images: Sequence[Image], features: Floats, seed: int = 0, unit: str = "patients"
) -> tuple[BatchEffect, ...]:
    """Compare val and test with train, as far as the images have these parts.

    Of three or more classes, those with fewer than five patients in either part are left out.

    Args:
        images: The images.
        features: Their intensities (n, len(FEATURES)), from `intensities`.
        seed: Decides folds and shuffles.
        unit: "images" if patients are not known.

    Returns:
        One result per later part.
    """
    parts = np.array([image.part for image in images])
    later: tuple[Part, ...] = ("val", "test")
    return tuple(
        _effect(images, features, part, "train", seed, unit)
        for part in later
        if (parts == part).any() and "train" in parts
    )


def _effect(images: Sequence[Image], features: Floats, part: Part, other: Part, seed: int, unit: str) -> BatchEffect:
    indices = [index for index, image in enumerate(images) if image.part in (part, other)]
    classes = max(2, 1 + max(image.label for image in images))
    rare: dict[int, str] = {}
    for name in (part, other):
        for label in range(classes):
            patients = {
                image.patient for image in (images[i] for i in indices) if image.part == name and image.label == label
            }
            if len(patients) < _MIN_PATIENTS:
                reason = (
                    f"{name} has {plural(len(patients), unit.removesuffix('s'))} of a class; {_MIN_PATIENTS} are needed"
                )
                rare.setdefault(label, reason)
    if rare and (classes == 2 or len(rare) == classes):
        return BatchEffect(part, other, None, None, None, None, None, next(iter(rare.values())), unit)
    indices = [index for index in indices if images[index].label not in rare]
    compared = [images[index] for index in indices]
    labels = np.array([image.label for image in compared])
    groups = np.unique([image.patient for image in compared], return_inverse=True)[1]
    standard = _standard(features[indices], labels)
    # Squares detect levels that vary more around the same mean.
    inputs = _standard(np.hstack([standard, standard**2]), labels)
    membership = _shuffled(compared, part, seed)
    from sklearn.linear_model import Ridge  # here, because it loads slowly
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed).split(inputs, labels, groups)
    predicted = cross_val_predict(Ridge(), inputs, _centred(membership, labels), cv=list(folds))
    auc, *by_chance = _auc(predicted, membership, labels)
    alone = _auc(standard, np.broadcast_to(membership[:, :1], standard.shape), labels)
    best = int(np.argmax(np.abs(alone - 0.5)))
    return BatchEffect(
        part=part,
        other=other,
        auc=float(auc),
        chance=float(np.quantile(by_chance, 0.95)),
        p=float(1 + sum(value >= auc for value in by_chance)) / (1 + len(by_chance)),
        strongest=FEATURES[best],
        strongest_auc=float(alone[best]),
        reason=None,
        unit=unit,
    )


def _shuffled(images: Sequence[Image], part: Part, seed: int) -> Floats:
    """1 for images of `part`, else 0: (n, 1 + shuffles), first as observed, then with the patients of each class
    shuffled between the parts."""
    units: dict[tuple[str, Part, int], list[int]] = {}
    for index, image in enumerate(images):
        units.setdefault((image.patient, image.part, image.label), []).append(index)
    generator = np.random.default_rng(seed)
    membership = np.zeros((len(images), 1 + _SHUFFLES))
    for label in sorted({image.label for image in images}):
        members = [(unit[1] == part, rows) for unit, rows in units.items() if unit[2] == label]
        observed = np.array([inside for inside, _ in members])
        columns = np.stack([observed, *(generator.permutation(observed) for _ in range(_SHUFFLES))], axis=1)
        for values, (_, rows) in zip(columns, members, strict=True):
            membership[rows] = values
    return membership


def _centred(values: Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """Subtract the classes' means from each column, so that the share of ill patients does not distinguish parts."""
    present, index = np.unique(labels, return_inverse=True)
    means = np.stack([values[labels == label].mean(axis=0) for label in present])
    centred: Floats = values - means[index]
    return centred


def _standard(values: Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """Scale centred columns to standard deviation 1; constant columns stay 0."""
    centred = _centred(values, labels)
    spread = centred.std(axis=0)
    standard: Floats = centred / np.where(spread > 1e-9, spread, 1.0)
    return standard


def _auc(scores: Floats, membership: Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """AUC of each column of `scores` for the same column of `membership`, over pairs of images of one class."""
    above, pairs = np.zeros(scores.shape[1]), np.zeros(scores.shape[1])
    for label in np.unique(labels):
        members = membership[labels == label]
        inside = members.sum(axis=0)
        ranks = scipy.stats.rankdata(scores[labels == label], axis=0)
        above += (ranks * members).sum(axis=0) - inside * (inside + 1) / 2  # Mann-Whitney's U
        pairs += inside * (len(members) - inside)
    auc: Floats = above / pairs
    return auc

"""Whether the parts of a data set can be told apart by intensity alone, as images of another device or batch can.

This describes the data. No model of a bench is fitted here, and none sees what is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.linear_model import Ridge
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from benchmark.data.dataset import Image, Part, Pixels

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
_FEWEST = 5


@dataclass(frozen=True)
class BatchEffect:
    """How well images of `part` are told from those of `other` by their intensities.

    `auc` is that of a cross-validated linear classifier, among images of one class. `chance` is what it reaches at
    most in 95 of 100 data sets whose patients are shuffled between the two parts, and `p` the share of shuffles that
    reach `auc`. `strongest` is the feature that tells most by itself, `strongest_auc` its AUC: above 0.5 it is higher
    in `part`, below 0.5 lower. All are None, and `reason` says why, where patients are too few. `unit` is what was
    shuffled: images where patients are not known.
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
    def told(self) -> bool:
        """Whether the parts differ, at the 1% level."""
        return self.p is not None and self.p <= LEVEL

    def line(self) -> str:
        """What was found, in a line."""
        if self.auc is None or self.chance is None or self.strongest_auc is None:
            return f"whether intensity tells {self.part} from {self.other} is not known: {self.reason}"
        if not self.told:
            return f"intensity does not tell {self.part} from {self.other}: AUC {self.auc:.2f}, p {self.p:.2f}"
        way = "higher" if self.strongest_auc > 0.5 else "lower"
        return (
            f"{self.part} and {self.other} can be told apart by intensity alone: AUC {self.auc:.2f}, shuffled "
            f"{self.unit} {self.chance:.2f}; most by a {way} {self.strongest} in {self.part}"
        )


def intensities(grey: Pixels) -> Floats:
    """What an image's grey levels are like, whatever it shows: (n, len(FEATURES)) of uint8 `grey` (n, h, w).

    Levels are 0..255, shares 0..1; the border is an eighth of the image on each side.
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


def batch_effects(
    images: Sequence[Image], features: Floats, seed: int = 0, unit: str = "patients"
) -> tuple[BatchEffect, ...]:
    """val and test against train, those of them that `images` have; `features` are the images' intensities."""
    parts = np.array([image.part for image in images])
    later: tuple[Part, ...] = ("val", "test")
    return tuple(
        _effect(images, features, part, "train", seed, unit)
        for part in later
        if (parts == part).any() and "train" in parts
    )


def _effect(images: Sequence[Image], features: Floats, part: Part, other: Part, seed: int, unit: str) -> BatchEffect:
    chosen = [index for index, image in enumerate(images) if image.part in (part, other)]
    kept = [images[index] for index in chosen]
    for name in (part, other):
        for label in (0, 1):
            patients = {image.patient for image in kept if image.part == name and image.label == label}
            if len(patients) < _FEWEST:
                reason = f"{name} has {len(patients)} {unit} of a class; {_FEWEST} are needed"
                return BatchEffect(part, other, None, None, None, None, None, reason, unit)
    labels = np.array([image.label for image in kept])
    groups = np.unique([image.patient for image in kept], return_inverse=True)[1]
    own = _standard(features[chosen], labels)
    inputs = _standard(np.hstack([own, own**2]), labels)  # squares see levels that spread more around the same mean
    belongs = _shuffled(kept, part, seed)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed).split(inputs, labels, groups)
    told = cross_val_predict(Ridge(), inputs, _centred(belongs, labels), cv=list(folds))
    auc, *by_chance = _auc(told, belongs, labels)
    alone = _auc(own, np.broadcast_to(belongs[:, :1], own.shape), labels)
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
    """1 where an image is of `part`, else 0: (n, 1 + shuffles), first as it is, then with the patients of each class
    shuffled between the parts."""
    units: dict[tuple[str, Part, int], list[int]] = {}
    for index, image in enumerate(images):
        units.setdefault((image.patient, image.part, image.label), []).append(index)
    generator = np.random.default_rng(seed)
    belongs = np.zeros((len(images), 1 + _SHUFFLES))
    for label in (0, 1):
        members = [(unit[1] == part, where) for unit, where in units.items() if unit[2] == label]
        real = np.array([inside for inside, _ in members])
        columns = np.stack([real, *(generator.permutation(real) for _ in range(_SHUFFLES))], axis=1)
        for row, (_, where) in zip(columns, members, strict=True):
            belongs[where] = row
    return belongs


def _centred(values: Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """Columns without their classes' means, so that a part is not told by its share of ill patients."""
    means = np.stack([values[labels == label].mean(axis=0) for label in (0, 1)])
    centred: Floats = values - means[labels]
    return centred


def _standard(values: Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """Centred columns with standard deviation 1; constant ones stay 0."""
    centred = _centred(values, labels)
    spread = centred.std(axis=0)
    standard: Floats = centred / np.where(spread > 1e-9, spread, 1.0)
    return standard


def _auc(scores: Floats, belongs: Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """The AUC of every column of `scores` for the same column of `belongs`, over pairs of images of one class."""
    above, pairs = np.zeros(scores.shape[1]), np.zeros(scores.shape[1])
    for label in (0, 1):
        own = belongs[labels == label]
        inside = own.sum(axis=0)
        ranks = rankdata(scores[labels == label], axis=0)
        above += (ranks * own).sum(axis=0) - inside * (inside + 1) / 2  # Mann-Whitney's U
        pairs += inside * (len(own) - inside)
    auc: Floats = above / pairs
    return auc

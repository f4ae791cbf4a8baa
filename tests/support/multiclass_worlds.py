"""Worlds of several classes that test sets are drawn from, with the truth about every metric, for simulations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from benchmark.evidence.metrics.influence import ClassSizes, Floats, Labels
from benchmark.evidence.metrics.multiclass import argmax, multiclass_metrics
from benchmark.evidence.scores import MulticlassScores
from tests.support.worlds import PATIENT_SIZES

POPULATION = 250_000


@dataclass(frozen=True)
class MulticlassWorld:
    """Hidden scores per class, normal with variance 1. That of the true class is `shift` higher, of the first one less.

    `rare` is the share of the first class; the others have equal shares. With `class_sizes="fixed"` every test set has
    exactly these shares. Where `clustered`, the hidden scores of a patient's images correlate by `within`; a patient's
    images are of one class, and one in `mixed` of them of a class of its own.
    """

    images: int
    classes: int
    shift: float = 2.0
    rare: float | None = None
    clustered: bool = False
    class_sizes: ClassSizes = "drawn"
    within: float = 0.5
    mixed: float = 0.2
    overconfidence: float = 1.5

    @property
    def shares(self) -> Floats:
        """The share of each class (k,)."""
        first = 1 / self.classes if self.rare is None else self.rare
        shares = np.array([first, *[(1 - first) / (self.classes - 1)] * (self.classes - 1)])
        if self.class_sizes == "fixed":
            sizes = np.round(shares * self.images)
            sizes[-1] += self.images - sizes.sum()
            shares = sizes / self.images
        return shares

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(f"class {number}" for number in range(self.classes))


def draw(world: MulticlassWorld, generator: np.random.Generator) -> MulticlassScores:
    """One test set of `world`."""
    n = world.images
    patients = np.arange(n)
    if world.clustered:
        patients = np.repeat(np.arange(n), np.resize(PATIENT_SIZES, n))[:n]
    if world.class_sizes == "fixed":
        y_true = np.repeat(np.arange(world.classes), np.round(world.shares * n).astype(int))
    else:
        y_true = generator.choice(world.classes, size=n, p=world.shares)
        if world.clustered:
            own = generator.choice(world.classes, size=n, p=world.shares)[patients]
            y_true = np.where(generator.random(n) < world.mixed, y_true, own)
    hidden = generator.standard_normal((n, world.classes))
    if world.clustered:
        shared = generator.standard_normal((n, world.classes))[patients]
        hidden = np.sqrt(world.within) * shared + np.sqrt(1 - world.within) * hidden
    names = tuple(map(str, patients)) if world.clustered else None
    return MulticlassScores("test", y_true, _softmax(world, y_true, hidden), world.names, True, names)


def population(world: MulticlassWorld, keys: tuple[str, ...]) -> dict[str, float]:
    """What each metric of `keys` is in a test set of many images. Images are independent: it is the same by patient."""
    return _population(replace(world, clustered=False), keys)


@cache
def _population(world: MulticlassWorld, keys: tuple[str, ...]) -> dict[str, float]:
    generator = np.random.default_rng(20)
    y_true = np.repeat(np.arange(world.classes), np.round(world.shares * POPULATION).astype(int))
    scores = _softmax(world, y_true, generator.standard_normal((len(y_true), world.classes)))
    large = MulticlassScores("test", y_true, scores, world.names, True)
    metrics = multiclass_metrics(world.names, ordered=True)
    decided = argmax(large)
    values = {key: metrics[key].value(large, decided) for key in keys if key in metrics}
    return {key: value for key, value in values.items() if value is not None}


def _softmax(world: MulticlassWorld, y_true: Labels, hidden: Floats) -> Floats:
    each = np.arange(world.classes)
    shifts = world.shift * np.where(each == 0, 0.75, 1.0)
    logits = world.overconfidence * (hidden + shifts * (y_true[:, None] == each)) + np.log(world.shares)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores: Floats = raised / raised.sum(axis=1, keepdims=True)
    return scores

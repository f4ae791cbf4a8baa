"""Worlds of several classes that test sets are drawn from, with the truth about every metric, for simulations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.special import roots_hermitenorm

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
    images are of one class, and one in `mixed` of them of a class of its own. `seed_sd` is by how much seeds differ in
    `shift`.
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
    seed_sd: float = 0.0

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
    """One test set of `world`, with the scores of one card and one seed."""
    return draw_cards(world, generator, cards=1, seeds=1)[0][0]


def draw_cards(
    world: MulticlassWorld, generator: np.random.Generator, *, cards: int, seeds: int
) -> list[list[MulticlassScores]]:
    """One test set of `world` with the scores of equally good `cards`, by card and seed.

    On an image, the hidden scores of two cards correlate by 0.6, those of two seeds by 0.8.
    """
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
    hidden = _correlated(generator, cards, seeds, (n, world.classes))
    if world.clustered:
        shared = _correlated(generator, cards, seeds, (n, world.classes))[:, :, patients]
        hidden = np.sqrt(world.within) * shared + np.sqrt(1 - world.within) * hidden
    names = tuple(map(str, patients)) if world.clustered else None
    shifts = world.shift + world.seed_sd * generator.standard_normal((cards, seeds))
    return [
        [
            MulticlassScores(
                "test", y_true, _softmax(world, y_true, hidden[c, s], shifts[c, s]), world.names, True, names
            )
            for s in range(seeds)
        ]
        for c in range(cards)
    ]


def _correlated(generator: np.random.Generator, cards: int, seeds: int, shape: tuple[int, int]) -> Floats:
    """Standard normal (cards, seeds, *shape): what all cards share, what a card's seeds share, and the rest."""
    if cards == seeds == 1:
        return generator.standard_normal((1, 1, *shape))
    parts = [(0.6, (1, 1, *shape)), (0.2, (cards, 1, *shape)), (0.2, (cards, seeds, *shape))]
    total: Floats = sum(np.sqrt(variance) * generator.standard_normal(size) for variance, size in parts)
    return total


def population(world: MulticlassWorld, keys: tuple[str, ...]) -> dict[str, float]:
    """What each metric of `keys` is in a test set of many images; the mean over all seeds.

    Images are independent: it is the same by patient.
    """
    independent = replace(world, clustered=False, seed_sd=0.0)
    if not world.seed_sd:
        return _population(independent, keys)
    nodes, weights = roots_hermitenorm(5)
    by_seed = [_population(replace(independent, shift=world.shift + world.seed_sd * node), keys) for node in nodes]
    return {key: float(weights @ [one[key] for one in by_seed] / weights.sum()) for key in by_seed[0]}


@cache
def _population(world: MulticlassWorld, keys: tuple[str, ...]) -> dict[str, float]:
    generator = np.random.default_rng(20)
    y_true = np.repeat(np.arange(world.classes), np.round(world.shares * POPULATION).astype(int))
    scores = _softmax(world, y_true, generator.standard_normal((len(y_true), world.classes)), world.shift)
    large = MulticlassScores("test", y_true, scores, world.names, True)
    metrics = multiclass_metrics(world.names, ordered=True)
    decided = argmax(large)
    values = {key: metrics[key].value(large, decided) for key in keys if key in metrics}
    return {key: value for key, value in values.items() if value is not None}


def _softmax(world: MulticlassWorld, y_true: Labels, hidden: Floats, shift: float) -> Floats:
    each = np.arange(world.classes)
    shifts = shift * np.where(each == 0, 0.75, 1.0)
    logits = world.overconfidence * (hidden + shifts * (y_true[:, None] == each)) + np.log(world.shares)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores: Floats = raised / raised.sum(axis=1, keepdims=True)
    return scores

"""Worlds that test sets are drawn from, with the truth about every metric, for simulations of intervals and tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, roots_hermitenorm
from scipy.stats import norm

from benchmark.evidence.metrics.influence import ClassSizes, Floats, Labels
from benchmark.evidence.metrics.registry import measures
from benchmark.evidence.scores import CLIP
from benchmark.evidence.thresholds.cuts import Cuts, Objective
from benchmark.evidence.thresholds.rules import cost, f1, prevalence, youden

PATIENT_SIZES = (1, 2, 1, 3, 1, 5, 2, 1, 4, 2, 1, 3, 1, 2, 1, 4, 3, 1, 2, 5)
"""Images of one patient, over and over: 2.25 on average, about as in the pneumonia class of the chest set."""


def _normal_nodes(count: int) -> tuple[Floats, Floats]:
    nodes, weights = roots_hermitenorm(count)
    return nodes, weights / weights.sum()


NODES, WEIGHTS = _normal_nodes(200)
SEED_NODES, SEED_WEIGHTS = _normal_nodes(21)


OBJECTIVES: dict[str, Objective] = {"youden": youden, "f1": f1, "cost": cost, "prevalence": prevalence}
"""The rules that hold for shares of images as they do for their numbers."""


@dataclass(frozen=True)
class World:
    """Two normal distributions of a hidden score, of variance 1 and as far apart as the AUC says.

    `share` is that of positives; with `class_sizes="fixed"` every test set has exactly it. Images of one patient
    correlate by `within` where `clustered`. The threshold gives the `specificity`, or, where that is None, the same
    recall; each test set has its own, `jitter` around that, so that coverage is not that of one point of the lattice
    of k / n. `seed_sd` is by how much seeds differ in the distance of the two distributions.
    """

    auc: float
    share: float = 0.5
    clustered: bool = False
    class_sizes: ClassSizes = "drawn"
    specificity: float | None = None
    seed_sd: float = 0.0
    within: float = 0.5
    images: int = 468
    overconfidence: float = 1.5
    jitter: float = 0.15

    @property
    def shift(self) -> float:
        """Mean of the positives' hidden score; the negatives' is 0."""
        return float(np.sqrt(2) * norm.ppf(self.auc))

    @property
    def threshold(self) -> float:
        """The threshold on the hidden score, before its jitter."""
        return self.shift / 2 if self.specificity is None else float(norm.ppf(self.specificity))


@dataclass(frozen=True, eq=False)
class Drawn:
    """`y_true` (sets, n), probabilities (sets, cards, seeds, n), hidden `thresholds` (sets,) and what they are as a
    probability `cuts` (sets,), and the `patients` (n,), None where each image has its own."""

    y_true: Labels
    scores: Floats
    thresholds: Floats
    cuts: Floats
    patients: tuple[str, ...] | None


def draw(world: World, sets: int, seed: int, *, cards: int = 1, seeds: int = 1) -> Drawn:
    """Test sets of `world` with the scores of equally good `cards`; on an image those of two cards correlate by 0.6,
    those of two seeds by 0.8."""
    generator = np.random.default_rng(seed)
    patients, y_true = _labels(world, sets, generator)
    shape = (sets, cards, seeds)
    hidden = _correlated(generator, (*shape, world.images))
    if world.clustered:
        shared = _correlated(generator, (*shape, int(patients.max()) + 1))[..., patients]
        hidden = np.sqrt(world.within) * shared + np.sqrt(1 - world.within) * hidden
    shifts = world.shift + world.seed_sd * generator.standard_normal((*shape, 1))
    hidden = hidden + shifts * y_true[:, None, None, :]
    thresholds = world.threshold + world.jitter * generator.standard_normal(sets)
    names = tuple(str(patient) for patient in patients) if world.clustered else None
    return Drawn(y_true, to_score(world, hidden), thresholds, to_score(world, thresholds), names)


def to_score(world: World, hidden: Floats) -> Floats:
    """A probability that rises with the hidden score, too sure of itself by the factor `overconfidence`."""
    slope = world.overconfidence * max(world.shift, 0.5)
    found: Floats = expit(slope * (hidden - world.shift / 2) + logit(world.share))
    return found


def truth(world: World, thresholds: Floats) -> dict[str, Floats]:
    """What each metric is in a test set without end, at each of the hidden `thresholds`; the mean over all seeds."""
    if not world.seed_sd:
        return _truth(world, thresholds, world.shift)
    by_seed = [_truth(world, thresholds, world.shift + world.seed_sd * node) for node in SEED_NODES]
    return {metric: SEED_WEIGHTS @ np.stack([found[metric] for found in by_seed]) for metric in by_seed[0]}


def _truth(world: World, thresholds: Floats, shift: float) -> dict[str, Floats]:
    share = round(world.share * world.images) / world.images if world.class_sizes == "fixed" else world.share
    recall, fallout = norm.sf(thresholds, shift), norm.sf(thresholds)
    counts = np.stack([share * recall, (1 - share) * fallout, (1 - share) * (1 - fallout), share * (1 - recall)])
    found = {name: metric.ratio.of(counts) for name, metric in measures().items() if metric.ratio is not None}
    found["balanced_accuracy"] = (found["recall"] + found["specificity"]) / 2
    tp, fp, tn, fn = counts
    found["mcc"] = (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    negative, positive = to_score(world, NODES), to_score(world, shift + NODES)
    recall, fallout = norm.sf(shift + NODES, shift), norm.sf(shift + NODES)
    means = {
        "auc": norm.cdf(shift / np.sqrt(2)),
        "average_precision": WEIGHTS @ (share * recall / (share * recall + (1 - share) * fallout)),
        "brier": share * WEIGHTS @ (1 - positive) ** 2 + (1 - share) * WEIGHTS @ negative**2,
        "log_loss": -share * WEIGHTS @ np.log(np.clip(positive, CLIP, 1))
        - (1 - share) * WEIGHTS @ np.log1p(-np.clip(negative, 0, 1 - CLIP)),
    }
    return found | {name: np.full(len(thresholds), value) for name, value in means.items()}


def best_threshold(world: World, rule: str, value: float) -> float:
    """The threshold, as a probability, that `rule` finds best in scores without end."""
    if rule in ("sensitivity", "specificity"):
        hidden = norm.isf(value, world.shift) if rule == "sensitivity" else norm.ppf(value)
        return float(to_score(world, np.array(hidden)))
    hidden = np.linspace(-8, world.shift + 8, 40_001)
    tp, fp = world.share * norm.sf(hidden, world.shift), (1 - world.share) * norm.sf(hidden)
    cuts = Cuts(hidden, tp, fp, 1 - world.share - fp, world.share - tp)
    objective = _truth(world, hidden, world.shift)["mcc"] if rule == "mcc" else OBJECTIVES[rule](cuts, value)
    return float(to_score(world, hidden[np.nanargmax(objective)]))


def _labels(world: World, sets: int, generator: np.random.Generator) -> tuple[Labels, Labels]:
    """The patient of each image (n,) and the class of each image (sets, n); a patient is of one class."""
    n = world.images
    positives = round(world.share * n)
    patients = np.arange(n)
    if world.clustered:
        parts = [n - positives, positives] if world.class_sizes == "fixed" else [n]
        owners = [np.repeat(np.arange(part), np.resize(PATIENT_SIZES, part))[:part] for part in parts]
        patients = np.unique(
            np.concatenate([owner + n * number for number, owner in enumerate(owners)]), return_inverse=True
        )[1]
    if world.class_sizes == "fixed":
        return patients, np.tile((np.arange(n) >= n - positives).astype(np.int64), (sets, 1))
    ill = (generator.random((sets, int(patients.max()) + 1)) < world.share).astype(np.int64)
    return patients, ill[:, patients]


def _correlated(generator: np.random.Generator, shape: tuple[int, int, int, int]) -> Floats:
    """Standard normal (sets, cards, seeds, units): what all cards share, what a card's seeds share, and the rest."""
    sets, cards, _, units = shape
    parts = [(0.6, (sets, 1, 1, units)), (0.2, (sets, cards, 1, units)), (0.2, shape)]
    total: Floats = sum(np.sqrt(variance) * generator.standard_normal(size) for variance, size in parts)
    return total

"""Simulates cross-validations and single splits with a real learner: coverage and width of 95% intervals.

Run: nice python -m tests.perf.cross_validation_simulation [--replicates 1000] [--folds 5] [--differences]

A logistic regression learns from images of 20 simulated features, of which 5 separate the classes. A data set of n
images is divided once into 60 / 20 / 20% (single split), and into 5 folds. Each fold is tested by a model that was
trained on 64% of all images and chose its threshold on 16%. Both designs are by patient. As the features are normal,
the true AUC and accuracy of a trained model are known exactly. "Recipe" is their mean over data sets of n images, which
a reader takes from a paper. "Own" is the mean over the models that were trained.

With --differences, two learners of 10 features each, of which 3 separate the classes equally well, are compared: by
symmetry neither is better, so the share of p-values of at most 0.05 is that of false alarms.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from scipy.stats import norm

from benchmark.evidence.calibration.calibrators import Calibrator, calibrate
from benchmark.evidence.comparison.paired import difference
from benchmark.evidence.intervals.seeds import PairedScores, seed_figure
from benchmark.evidence.scores import TestScores, ValidationScores
from benchmark.evidence.thresholds.choice import choose

SIZES = (60, 100, 200, 400, 800)
FEATURES, USEFUL = 20, 5
HALF_OF_FEATURES, USEFUL_OF_HALF = 10, 3
HARD, EASY = 0.3, 0.55
"""Distance of a useful feature's class means from 0: the best possible AUC is .83 and .96."""

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """Images per data set and per patient, and how far the classes are apart."""

    images: int
    per_patient: int
    distance: float

    def draw(self, generator: np.random.Generator) -> tuple[Floats, Labels, Labels]:
        """Features (n, 20), labels (n,) and patients (n,); half of a feature's variance is between patients."""
        count = self.images // self.per_patient
        label = generator.permutation(np.arange(count) % 2)
        patient = np.repeat(np.arange(count), self.per_patient)
        shared = 0.5 if self.per_patient > 1 else 0.0
        noise = np.sqrt(shared) * generator.normal(size=(count, FEATURES))[patient]
        noise += np.sqrt(1 - shared) * generator.normal(size=(len(patient), FEATURES))
        return noise + np.where(label[patient] == 1, 1, -1)[:, None] * self.means, label[patient], patient

    @property
    def means(self) -> Floats:
        """The mean of each feature among the positives; its negative among the others."""
        return np.where(np.arange(FEATURES) < USEFUL, self.distance, 0.0)


def divided(y_true: Labels, patient: Labels, parts: int, generator: np.random.Generator) -> Labels:
    """The part of each image (n,): patients of each class in turn."""
    label = y_true[np.unique(patient, return_index=True)[1]]
    part, before = np.empty(len(label), dtype=np.int64), 0
    for of_class in (0, 1):
        members = generator.permutation(np.flatnonzero(label == of_class))
        part[members] = (np.arange(len(members)) + before) % parts
        before += len(members)
    return part[patient]


@dataclass(frozen=True)
class Fitted:
    """A model, the threshold and the calibrator that it chose on validation, and its true performance."""

    weights: Floats
    threshold: float
    calibrator: Calibrator | None
    truth: dict[str, float]

    def scores(self, x: Floats) -> Floats:
        """The score of each image (n,) with features (n, 20)."""
        return probabilities(self.weights, x)


def probabilities(weights: Floats, x: Floats) -> Floats:
    """Scores (n,) of features (n, 20) by weights (21,), the last of which is the intercept."""
    return expit(x @ weights[:-1] + weights[-1])


def logistic(x: Floats, y: Labels, penalty: float = 1.0) -> Floats:
    """Weights (21,) of a logistic regression with a ridge penalty, as scikit-learn's with C = 1, by Newton's method."""
    design = np.column_stack([x, np.ones(len(x))])
    ridge = penalty * np.append(np.ones(x.shape[1]), 1e-9)
    weights = np.zeros(design.shape[1])
    for _ in range(12):
        p = expit(design @ weights)
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + np.diag(ridge)
        weights -= np.linalg.solve(hessian, design.T @ (p - y) + ridge * weights)
    return weights


def fit(world: World, x: Floats, y: Labels, patient: Labels, val: Labels, calibrates: bool) -> Fitted:
    """Train on the images outside `val` (n,), 0 or 1; choose on those inside."""
    fitted = logistic(x[val == 0], y[val == 0])
    inside = val == 1
    scores = ValidationScores("val", y[inside], probabilities(fitted, x[inside]), names(patient[inside]))
    threshold = choose(scores).value
    weights, offset = fitted[:-1], float(fitted[-1])
    shift, spread = float(weights @ world.means), float(np.sqrt(weights @ weights))

    def balanced(cut: float) -> float:
        at = np.log(cut / (1 - cut)) - offset
        return float(norm.cdf((shift - at) / spread) + norm.cdf((shift + at) / spread)) / 2

    cut = 0.5 if threshold is None else float(np.clip(threshold, 1e-9, 1 - 1e-9))
    truth = {
        "auc": float(norm.cdf(np.sqrt(2) * shift / spread)),
        "accuracy": balanced(0.5),
        "balanced_accuracy": balanced(cut),
    }
    return Fitted(fitted, cut, calibrate(scores, "platt") if calibrates else None, truth)


def names(patient: Labels) -> tuple[str, ...]:
    """The patients as text."""
    return tuple(map(str, patient.tolist()))


Figures = dict[str, tuple[float, float | None, float | None]]


def estimated(scores: TestScores, cut: Any) -> Figures:
    """AUC and accuracy at 0.5, and balanced accuracy at the chosen threshold, each with its interval."""
    result = {}
    for metric, threshold in (("auc", 0.5), ("accuracy", 0.5), ("balanced_accuracy", cut)):
        got = seed_figure(metric, PairedScores((scores,), (threshold,)))
        if got.value is not None:
            result[metric] = (got.value, got.low, got.high)
    return result


def replicate(
    world: World, folds: int, generator: np.random.Generator, calibrates: bool
) -> Iterator[tuple[str, Figures, dict[str, float]]]:
    """One data set: design, figures, and the true performance of the models behind them."""
    x, y, patient = world.draw(generator)
    fold = divided(y, patient, folds, generator)
    y_score, cuts, calibrated, models = np.empty(len(y)), np.empty(len(y)), np.empty(len(y)), []
    for index in range(folds):
        test, rest = fold == index, np.flatnonzero(fold != index)
        val = (divided(y[rest], relabelled(patient[rest]), 5, generator) == 0).astype(np.int64)
        fitted = fit(world, x[rest], y[rest], patient[rest], val, calibrates)
        models.append(fitted)
        y_score[test], cuts[test] = fitted.scores(x[test]), fitted.threshold
        if fitted.calibrator is not None:
            part = TestScores("test", y[test], y_score[test])
            calibrated[test] = fitted.calibrator.apply(part).y_score
    truth = {metric: float(np.mean([each.truth[metric] for each in models])) for metric in models[0].truth}
    together = TestScores("test", y, y_score, names(patient), fold)
    yield f"{folds} folds", estimated(together, cuts), truth
    yield "raw scores pooled", {"auc": estimated(replace(together, fold=None), 0.5)["auc"]}, truth
    if calibrates:
        served = replace(together, y_score=calibrated, fold=None)
        yield "calibrated scores pooled", {"auc": estimated(served, 0.5)["auc"]}, truth
    part = divided(y, patient, 5, generator)
    outside, test = part != 0, part == 0
    val = (part[outside] == 1).astype(np.int64)
    fitted = fit(world, x[outside], y[outside], patient[outside], val, calibrates=False)
    alone = TestScores("test", y[test], fitted.scores(x[test]), names(patient[test]))
    yield "single split", estimated(alone, fitted.threshold), fitted.truth


def relabelled(patient: Labels) -> Labels:
    """Patients numbered from 0."""
    return np.unique(patient, return_inverse=True)[1].astype(np.int64)


class Mirrored(World):
    """Two halves of features that separate the classes in the same way."""

    @property
    def means(self) -> Floats:
        """The mean of each feature among the positives; its negative among the others."""
        return np.where(np.arange(FEATURES) % HALF_OF_FEATURES < USEFUL_OF_HALF, self.distance, 0.0)


def false_alarms(world: Mirrored, folds: int, replicates: int) -> dict[str, float]:
    """The share of data sets in which two equally good learners differ significantly, by metric."""
    generator = np.random.default_rng([world.images, world.per_patient, round(100 * world.distance), folds])
    alarms: dict[str, list[bool]] = {"auc": [], "accuracy": []}
    for _ in range(replicates):
        x, y, patient = world.draw(generator)
        fold = divided(y, patient, folds, generator)
        halves = x[:, :HALF_OF_FEATURES], x[:, HALF_OF_FEATURES:]
        y_score = np.empty((2, len(y)))
        for index in range(folds):
            test, rest = fold == index, np.flatnonzero(fold != index)
            train = rest[divided(y[rest], relabelled(patient[rest]), 5, generator) != 0]
            for of_learner, features in zip(y_score, halves, strict=True):
                of_learner[test] = probabilities(logistic(features[train], y[train]), features[test])
        cards = [PairedScores((TestScores("test", y, each, names(patient), fold),), (0.5,)) for each in y_score]
        for metric, of_metric in alarms.items():
            p_value = difference(metric, *cards).p_value
            of_metric.append(p_value is not None and p_value <= 0.05)
    return {metric: float(np.mean(of_metric)) for metric, of_metric in alarms.items()}


def rows(world: World, folds: int, replicates: int) -> Iterator[tuple[str, ...]]:
    """A row per metric and design: target, bias, coverage of recipe and own models, mean width."""
    generator = np.random.default_rng([world.images, world.per_patient, round(100 * world.distance)])
    figures: dict[tuple[str, str], list[tuple[float, float | None, float | None, float]]] = defaultdict(list)
    for number in range(replicates):
        for design, estimates, truth in replicate(world, folds, generator, calibrates=number % 20 == 0):
            for metric, (value, low, high) in estimates.items():
                figures[metric, design].append((value, low, high, truth[metric]))
    for (metric, design), of_design in sorted(figures.items()):
        own = np.array([truth for *_, truth in of_design])
        bounds = [(low, high, truth) for _, low, high, truth in of_design if low is not None and high is not None]
        recipe, bias = own.mean(), np.mean([value for value, *_ in of_design]) - own.mean()
        of_recipe = np.mean([low <= recipe <= high for low, high, _ in bounds])
        of_own = np.mean([low <= truth <= high for low, high, truth in bounds])
        width = np.mean([high - low for low, high, _ in bounds])
        yield (
            f"{world.images}",
            f"{world.per_patient}",
            f"{'hard' if world.distance == HARD else 'easy'}",
            metric,
            design,
            f"{recipe:.3f}",
            f"{bias:+.3f}",
            f"{100 * of_recipe:.1f}",
            f"{100 * of_own:.1f}",
            f"{width:.3f}",
        )


HEADS = (
    "images",
    "per patient",
    "classes",
    "metric",
    "design",
    "recipe",
    "bias",
    "covers recipe",
    "covers own",
    "width",
)


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--per-patient", type=int, nargs="*", default=[1, 3])
    parser.add_argument("--images", type=int, nargs="*", default=SIZES)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--differences", action="store_true")
    arguments = parser.parse_args()
    worlds = [
        (images // per_patient * per_patient, per_patient, distance)
        for per_patient in arguments.per_patient
        for distance in (HARD, EASY)
        for images in arguments.images
    ]
    if arguments.differences:
        print("| images | per patient | classes | false alarms: AUC | accuracy |\n|---|---|---|---|---|")
        for images, per_patient, distance in worlds:
            alarms = false_alarms(Mirrored(images, per_patient, distance), arguments.folds, arguments.replicates)
            shares = " | ".join(f"{100 * share:.1f}" for share in alarms.values())
            print(f"| {images} | {per_patient} | {'hard' if distance == HARD else 'easy'} | {shares} |", flush=True)
        return
    print(f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
    for world in worlds:
        for row in rows(World(*world), arguments.folds, arguments.replicates):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()

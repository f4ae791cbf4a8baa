"""Coverage of forecasts over training images, where the power law is true and where it is not.

python -m tests.perf.training_size_simulation [SETS]
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from benchmark.evidence.intervals.seeds import PairedScores
from benchmark.evidence.scores import TestScores
from benchmark.evidence.training_size.extrapolation import Extrapolation, extrapolate
from benchmark.evidence.training_size.figures import DrawnScores

Floats = npt.NDArray[np.float64]
World = Callable[[np.random.Generator], Extrapolation]
SIZES = (50, 100, 200, 400)
REPLICATES = 600


def power_law_world(limit: float, scale: float, exponent: float, draws: int = 5, patients: int = 200) -> World:
    """A metric that is exactly a - b n^-c on average; nested draws, and test patients that all sizes share."""
    sizes = np.array(SIZES, dtype=np.float64)
    truth = limit - scale * sizes**-exponent
    spread = 0.03 * (sizes / sizes[0]) ** -0.5
    nested = np.sqrt(np.minimum.outer(sizes, sizes) / np.maximum.outer(sizes, sizes))
    of_draws = np.linalg.cholesky(nested * np.outer(spread, spread))
    test_error = 0.02 * np.sqrt(truth * (1 - truth) / 0.09)
    shared = np.linalg.cholesky(0.81 + 0.19 * np.eye(len(sizes)))

    def make(rng: np.random.Generator) -> Extrapolation:
        of_patients = shared @ rng.standard_normal((len(sizes), patients))
        of_patients -= of_patients.mean(axis=1, keepdims=True)
        error = test_error * (shared @ rng.standard_normal(len(sizes)))
        values = truth + error + (of_draws @ rng.standard_normal((len(sizes), draws))).T
        deviations = of_patients * test_error[:, None] / np.sqrt(patients)
        seed = int(rng.integers(2**31))
        return extrapolate(
            SIZES, np.clip(values, 0, 1), deviations, tested=400, value_range=(0, 1), replicates=REPLICATES, seed=seed
        )

    return make


class Classifier:
    """Linear discriminant analysis of two Gaussian classes: its learning curve is no exact power law.

    Args:
        features: Number of features.
        distance: Distance of the class means.
        available: Number of training images, from which the draws are.
    """

    def __init__(self, features: int, distance: float, available: int) -> None:
        self.shift = np.full(features, distance / np.sqrt(features))
        self.available = available

    def auc(self, weights: Floats) -> float:
        """The AUC among all images of the world."""
        return float(norm.cdf(weights @ self.shift / np.sqrt(2 * weights @ weights)))

    def images(self, count: int, rng: np.random.Generator) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Features (count, features) and labels of random images, half of each class."""
        labels = np.arange(count) % 2
        return rng.standard_normal((count, len(self.shift))) + labels[:, None] * self.shift, labels

    def fitted(self, x: Floats, y: npt.NDArray[np.int64]) -> Floats:
        """The weights of ridge discriminant analysis."""
        means = np.stack([x[y == label].mean(axis=0) for label in (0, 1)])
        within = x - means[y]
        ridge = 5 / len(y) * np.eye(x.shape[1])
        return np.asarray(np.linalg.solve(within.T @ within / len(y) + ridge, means[1] - means[0]))

    def truth(self, size: int, rng: np.random.Generator, samples: int = 300) -> float:
        """The mean AUC of trainings on `size` images."""
        return float(np.mean([self.auc(self.fitted(*self.images(size, rng))) for _ in range(samples)]))

    def __call__(self, rng: np.random.Generator, draws: int = 5, tested: int = 300) -> Extrapolation:
        """One study: draws from the available images, scored on one test set."""
        (x, y), (tested_x, tested_y) = self.images(self.available, rng), self.images(tested, rng)
        scores: dict[int, list[TestScores]] = {size: [] for size in SIZES}
        for _ in range(draws):
            orders = [rng.permutation(np.flatnonzero(y == label)) for label in (0, 1)]
            for size in SIZES:
                rows = np.concatenate([order[: size // 2] for order in orders])
                margin = tested_x @ self.fitted(x[rows], y[rows])
                scores[size].append(TestScores("test", tested_y, 1 / (1 + np.exp(-margin / margin.std()))))
        by_size = [DrawnScores(PairedScores(tuple(s), (0.5,) * draws), tuple(range(draws))) for s in scores.values()]
        values = np.array([list(each.values("auc").values()) for each in by_size], dtype=np.float64).T
        deviations = [each.deviations("auc", "fixed", range(draws)) for each in by_size]
        return extrapolate(
            SIZES,
            values,
            np.stack([each for each in deviations if each is not None]),
            tested=tested,
            value_range=(0, 1),
            available=self.available,
            replicates=REPLICATES,
            seed=int(rng.integers(2**31)),
        )


def coverage(world: World, truth: Sequence[float], sets: int, seed: int) -> Counter[str]:
    """Count over `sets` studies: `given` forecasts, and those whose intervals contain the truth.

    Args:
        world: Makes the extrapolation of a random study.
        truth: The metric at the largest size, and at twice and four times of it.
        sets: Number of studies.
        seed: Seed of the random generator.

    Returns:
        Counts: `given`, `figure 2`, `figure 4`, `gain 2`, `gain 4`, and each reason why nothing was given.
    """
    rng, counts = np.random.default_rng(seed), Counter[str]()
    for _ in range(sets):
        outcome = world(rng)
        if outcome.reason is not None:
            counts[outcome.reason] += 1
            continue
        counts["given"] += 1
        for forecast, value in zip(outcome.forecasts, truth[1:], strict=True):
            for name, estimate, right in (
                ("figure", forecast.figure, value),
                ("gain", forecast.gain, value - truth[0]),
            ):
                low, high = estimate.bounds or (np.nan, np.nan)
                counts[f"{name} {forecast.factor}"] += low <= right <= high
    return counts


def at(limit: float, scale: float, exponent: float) -> list[float]:
    """The power law at the largest size, and at twice and four times of it."""
    return [limit - scale * float(factor * SIZES[-1]) ** -exponent for factor in (1, 2, 4)]


def main(sets: int) -> None:
    """Print the shares of intervals that contain the truth."""
    worlds: list[tuple[str, World, list[float]]] = [
        (f"{a} - {b} n^-{c}", power_law_world(a, b, c), at(a, b, c))
        for a, b, c in ((0.97, 1, 0.5), (0.99, 2, 0.7), (0.93, 0.6, 0.25), (0.98, 5, 1.0))
    ]
    for features, distance in ((30, 1.5), (60, 2.0)):
        for available in (4000, 400):
            model = Classifier(features, distance, available)
            truth = [model.truth(factor * SIZES[-1], np.random.default_rng(0)) for factor in (1, 2, 4)]
            worlds.append((f"classifier, {features} features, {available} images", model, truth))
    for name, world, truth in worlds:
        counts = coverage(world, truth, sets, seed=1)
        given = counts["given"]
        shares = {key: f"{counts[key] / given:.1%}" for key in ("figure 2", "figure 4", "gain 2", "gain 4")}
        print(name, f"given {given / sets:.1%}", shares, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 400)

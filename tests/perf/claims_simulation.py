"""Claims about recipes, gains on the same runs and separated classes, in simulations: tables of docs/simulation.md.

   python -m tests.perf.claims_simulation [--sets 1000] [--table recipe|gain|separated]

`recipe` compares a published figure of one training with trainings of the same recipe, and of a worse one. `gain` pairs
a chosen threshold with 0.5 on the same runs. `separated` has test sets of few images, of which many have an AUC of 1.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import norm, rankdata

from benchmark.evidence.comparison.paired import difference
from benchmark.evidence.comparison.verdict import Verdict, of_one_training, within
from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.formulas import mover, wilson_from_rate
from benchmark.evidence.intervals.seeds import PairedScores, seed_figure
from benchmark.evidence.intervals.uncertainty import interval
from benchmark.evidence.metrics.influence import Clusters, Floats
from benchmark.evidence.metrics.registry import value_of
from benchmark.evidence.scores import TestScores
from reports.results.comparison.published import minus_published
from tests.perf.simulation import Tally
from zoo.models.published import PublishedFigure

IMAGES = 468
LABELS = np.arange(IMAGES) % 2
MARGIN = 0.05
SPREADS = (0.0, 0.02, 0.04, 0.06, 0.08)
SEEDS = (1, 2, 3, 5)
GAPS = (0.1, 0.2, 0.3)
"""By how much the accuracy of a worse recipe is lower; claims have a margin of .05."""


def verdicts(
    spread: float, seeds: int, sets: int, seed: int, *, gap: float = 0.0, images_alone: bool = False
) -> Counter[Verdict]:
    """Count the verdicts on a published accuracy.

    The published training has 468 images of its own. The measured trainings share others, on which their errors agree
    in 70% of the images. The accuracy of a training is normal around .88.

    Args:
        spread: Standard deviation of the accuracy between trainings of a recipe.
        seeds: The number of measured trainings.
        sets: The number of simulated claims.
        seed: Of the random generator.
        gap: By how much the mean accuracy of the measured recipe is lower.
        images_alone: Whether the published interval accounts for its images alone, and one training may contradict.

    Returns:
        The number of claims by verdict.
    """
    generator, counts = np.random.default_rng(seed), Counter[Verdict]()
    for _ in range(sets):
        accuracy = min(0.999, generator.normal(0.88, spread))
        printed = round(generator.binomial(IMAGES, accuracy) / IMAGES, 4)
        own = wilson_from_rate(printed, IMAGES, 4)
        assert own is not None  # a count prints it
        shared = generator.random(IMAGES)
        runs = []
        for _ in range(seeds):
            difficulty = np.where(generator.random(IMAGES) < 0.7, shared, generator.random(IMAGES))
            right = difficulty < min(0.999, generator.normal(0.88 - gap, spread))
            runs.append(TestScores("test", LABELS, np.where(right == (LABELS == 1), 0.9, 0.1)))
        card = PairedScores(tuple(runs), (0.5,) * seeds)
        measured = SampleEstimate.of(seed_figure("accuracy", card, class_sizes="fixed"), IMAGES)
        if images_alone:
            assert measured.value is not None
            assert measured.bounds is not None
            low, high = mover((measured.value, printed), measured.bounds, own, 0.0)
            counts[within(SampleEstimate(measured.value - printed, low, high, IMAGES), MARGIN).verdict] += 1
            continue
        figure = PublishedFigure(split="test", metric="accuracy", value=printed, decimals=4, location="simulated")
        decision = within(minus_published(measured, figure, own), MARGIN)
        counts[(of_one_training(decision) if seeds == 1 else decision).verdict] += 1
    return counts


@dataclass(frozen=True)
class Trainings:
    """A world of trainings whose scores are shifted, so that a threshold chosen on validation helps.

    Attributes:
        quality: Standard deviation between trainings of the logarithm of the distance of the classes.
        shift: Standard deviation between trainings of the shift.
    """

    quality: float
    shift: float


COLUMNS = [f"{count} seed{'s' if count > 1 else ''}" for count in SEEDS]
WORLDS = (Trainings(0.0, 0.0), Trainings(0.3, 0.0), Trainings(0.5, 0.1), Trainings(0.2, 0.5))


def trained(world: Trainings, seeds: int, generator: np.random.Generator) -> tuple[PairedScores, PairedScores]:
    """Return the same runs at the chosen thresholds and at 0.5."""
    shared = generator.standard_normal(IMAGES)
    quality = np.exp(world.quality * generator.standard_normal(seeds))
    shift = 0.6 + world.shift * generator.standard_normal(seeds)
    cuts = expit(1.5 * (shift + 0.1 * generator.standard_normal(seeds)))
    noise = 0.8 * shared + 0.6 * generator.standard_normal((seeds, IMAGES))
    distance = math.sqrt(2) * norm.ppf(0.9)
    scores = expit(1.5 * (noise + (quality[:, None] * distance) * (LABELS - 0.5) + shift[:, None]))
    runs = tuple(TestScores("test", LABELS, row) for row in scores)
    return PairedScores(runs, tuple(map(float, cuts))), PairedScores(runs, (0.5,) * seeds)


def true_gain(world: Trainings, sets: int = 4000) -> float:
    """Return the mean gain in balanced accuracy, from as many trainings."""
    generator, gains = np.random.default_rng(0), []
    for _ in range(sets):
        after, before = trained(world, 1, generator)
        values = [value_of("balanced_accuracy", side.runs[0], side.thresholds[0]) for side in (after, before)]
        gains.append((values[0] or 0.0) - (values[1] or 0.0))
    return float(np.mean(gains))


def gain(world: Trainings, seeds: int, sets: int, seed: int, truth: float) -> dict[str, tuple[Tally, int]]:
    """Return intervals of the gain and how many lie above 0, paired by seed and with independent seeds."""
    generator = np.random.default_rng(seed)
    tallies = {"paired": Tally(), "independent": Tally()}
    shown: Counter[str] = Counter()
    for _ in range(sets):
        after, before = trained(world, seeds, generator)
        for name, tally in tallies.items():
            one = difference(
                "balanced_accuracy", after, before, class_sizes="fixed", same_runs=name == "paired", count=400
            )
            tally.interval(one.low, one.high, truth)
            shown[name] += one.low is not None and one.low > 0
    return {name: (tally, shown[name]) for name, tally in tallies.items()}


@dataclass(frozen=True)
class Separable:
    """Test sets of `positives` and `negatives`, whose AUC is often 1.

    A share of the positives ranks below all negatives, as mislabelled images do; the others are `distance` standard
    deviations above the negatives.
    """

    positives: int
    negatives: int
    mislabelled: float
    distance: float

    @property
    def auc(self) -> float:
        """The true AUC."""
        return float((1 - self.mislabelled) * norm.cdf(self.distance / math.sqrt(2)))


def aucs(world: Separable, sets: int, seed: int) -> Floats:
    """Return the AUC of each test set (sets,)."""
    generator = np.random.default_rng(seed)
    well = generator.standard_normal((sets, world.negatives))
    ill = generator.standard_normal((sets, world.positives)) + world.distance
    ill[generator.random(ill.shape) < world.mislabelled] = -100.0
    ranks = rankdata(np.concatenate([ill, well], axis=1), axis=1)[:, : world.positives].sum(axis=1)
    values: Floats = (ranks / world.positives - (world.positives + 1) / 2) / world.negatives
    return values


def lower_end(world: Separable) -> float:
    """Return the lower end of the interval of an AUC of 1 with so many images."""
    labels = np.repeat([0, 1], [world.negatives, world.positives])
    bounds = interval("auc", 1.0, labels.astype(float), 0.5, Clusters(labels)).bounds
    assert bounds is not None
    return bounds[0]


def missed(world: Separable, sets: int, seed: int) -> tuple[float, float]:
    """Return the share of test sets with an AUC of 1, and of those whose lower end is above the truth."""
    separated = float((aucs(world, sets, seed) == 1).mean())
    return separated, separated if lower_end(world) > world.auc else 0.0


def worst(positives: int, negatives: int) -> Separable:
    """Return the world with mislabelled positives whose AUC is just below the lower end for an AUC of 1."""
    end = lower_end(Separable(positives, negatives, 0.0, 8.0))
    return Separable(positives, negatives, 1 - (end - 1e-6) / norm.cdf(8 / math.sqrt(2)), 8.0)


def print_recipe(sets: int) -> None:
    print(f"### A published figure and the same recipe: verdict differs, % of {sets} claims\n")
    _head("spread between trainings", COLUMNS)
    for spread in SPREADS:
        print(f"| {spread:g} | " + " | ".join(_differing(spread, count, sets) for count in SEEDS) + " |", flush=True)
    print(f"\n### A published figure and a worse recipe: verdict differs, % of {sets // 2} claims\n")
    _head("lower by, spread", COLUMNS)
    for gap in GAPS:
        for spread in SPREADS[::2]:
            cells = [_differing(spread, count, sets // 2, gap) for count in SEEDS]
            print(f"| {gap:g}, {spread:g} | " + " | ".join(cells) + " |", flush=True)
    print()


def _differing(spread: float, seeds: int, sets: int, gap: float = 0.0) -> str:
    """The percentage of verdicts `differs` with the images alone, and with trainings."""
    shares = [
        100 * verdicts(spread, seeds, sets, 3, gap=gap, images_alone=alone)["differs"] / sets for alone in (True, False)
    ]
    return " / ".join(f"{share:.1f}" for share in shares)


def print_gain(sets: int) -> None:
    print(f"### Gain of a threshold on the same runs: balanced accuracy, % of {sets} test sets\n")
    _head("spread of quality, of shift; true gain; seeds", ["coverage", "gain above 0"])
    for world in WORLDS:
        truth = true_gain(world)
        for seeds in SEEDS[1:]:
            tallies = gain(world, seeds, sets, 6, truth)
            sides = [tallies[name] for name in ("independent", "paired")]
            covered = " / ".join(f"{100 - 100 * tally.missed:.1f}" for tally, _ in sides)
            shown = " / ".join(f"{100 * above / sets:.0f}" for _, above in sides)
            print(f"| {world.quality:g}, {world.shift:g}; {truth:.3f}; {seeds} | {covered} | {shown} |", flush=True)
    print()


def print_separated(sets: int) -> None:
    print("### AUC of separated classes\n")
    _head("images, distance", ["true AUC", "lower end at 1", "sets with AUC 1, %", "of them above the truth, % of all"])
    sizes: Sequence[tuple[int, int]] = ((5, 95), (20, 80), (50, 50), (234, 234))
    for positives, negatives in sizes:
        worlds = [Separable(positives, negatives, 0.0, distance) for distance in (2.0, 3.0, 4.0)]
        for world in (*worlds, worst(positives, negatives)):
            share, above = missed(world, 10 * sets, 9)
            name = "mislabelled" if world.mislabelled else f"{world.distance:g}"
            row = (f"{world.auc:.3f}", f"{lower_end(world):.3f}", f"{100 * share:.1f}", f"{100 * above:.1f}")
            print(f"| {positives} + {negatives}, {name} | " + " | ".join(row) + " |", flush=True)
    print()


def _head(first: str, others: Sequence[str]) -> None:
    print(f"| {first} | " + " | ".join(others) + " |\n|---|" + "---|" * len(others))


TABLES = {"recipe": print_recipe, "gain": print_gain, "separated": print_separated}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--table", choices=TABLES)
    parsed = parser.parse_args()
    for name, print_table in TABLES.items():
        if parsed.table in (None, name):
            print_table(parsed.sets)


if __name__ == "__main__":
    main()

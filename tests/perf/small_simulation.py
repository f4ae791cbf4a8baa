"""Coverage of 95% intervals of two classes where data are few or clustered: tables of docs/simulation.md.

   python -m tests.perf.small_simulation [--sets 1000] [--worlds WORD ...] [--thresholds]

Every number is a share of `--sets` simulated test sets of a world. The truth is that of 400,000 images of the world. A
set in which a figure has no interval does not count; if these are more than one in a hundred, their share follows in
brackets.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtri

from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.metrics.influence import ClassSizes, Floats, Labels
from benchmark.evidence.metrics.registry import measures, value_of
from benchmark.evidence.scores import TestScores, ValidationScores
from benchmark.evidence.thresholds.choice import choose, choose_with_interval
from tests.perf.simulation import Tally

POPULATION = 400_000
METRICS = tuple(measures())
UNEVEN = (1, 1, 1, 2, 3, 20)
"""Images of a patient, each with the same probability."""


@dataclass(frozen=True)
class SmallWorld:
    """Two normal distributions of a hidden score, as far apart as the AUC says, and how a test set is drawn from them.

    Attributes:
        units: The number of patients; of images, if every patient has one.
        share: The share of positives. With fixed class sizes, every test set has exactly this share.
        auc: The AUC.
        sizes: Images of a patient, drawn with equal probability; with `one_large`, of all patients but one.
        one_large: Images of one patient in every set; 0 for none.
        within: The correlation of the images of a patient.
        mixed: Whether each image of a patient has a class of its own.
        larger_if_high: The least number of images of patients whose hidden score is high.
        fixed: Whether class sizes are fixed.
        score: From the hidden score to a score in [0, 1].
    """

    units: int
    share: float
    auc: float
    sizes: tuple[int, ...] = (1,)
    one_large: int = 0
    within: float = 0.0
    mixed: bool = False
    larger_if_high: int = 0
    fixed: bool = False
    score: Callable[[Floats], Floats] = lambda hidden: np.asarray(expit(1.5 * hidden))

    @property
    def class_sizes(self) -> ClassSizes:
        """Whether class sizes are drawn or fixed."""
        return "fixed" if self.fixed else "drawn"

    @property
    def by_patient(self) -> bool:
        """Whether a patient may have several images."""
        return bool(self.one_large) or max(self.sizes) > 1

    def draw(self, generator: np.random.Generator) -> tuple[Labels, Floats, Labels]:
        """Return labels (n,), scores (n,) and the patient of each image (n,) of one test set."""
        patients = generator.normal(size=self.units) * np.sqrt(self.within)
        sizes = generator.choice(self.sizes, size=self.units)
        if self.one_large:
            sizes[generator.integers(self.units)] = self.one_large
        if self.larger_if_high:
            high = patients > 0.5 * np.sqrt(self.within)
            sizes = np.where(high, np.maximum(sizes, self.larger_if_high), sizes)
        owner = np.repeat(np.arange(self.units), sizes)
        if self.fixed:
            positives = round(self.share * self.units)
            y_true = (np.arange(self.units) < positives).astype(np.int64)[owner]
        elif self.mixed:
            y_true = (generator.random(len(owner)) < self.share).astype(np.int64)
        else:
            y_true = (generator.random(self.units) < self.share).astype(np.int64)[owner]
        noise = generator.normal(size=len(owner)) * np.sqrt(1 - self.within)
        distance = np.sqrt(2) * ndtri(self.auc)
        return y_true, self.score(patients[owner] + noise + distance * (y_true - 0.5)), owner

    def scores(self, generator: np.random.Generator) -> TestScores:
        """Return the scores of one test set."""
        y_true, y_score, owner = self.draw(generator)
        return TestScores("test", y_true, y_score, tuple(map(str, owner)) if self.by_patient else None)

    def population(self, seed: int) -> TestScores:
        """Return the scores of many images, as if every image were a patient of its own."""
        generator, parts, images = np.random.default_rng(seed), [], 0
        while images < POPULATION:
            parts.append(self.draw(generator))
            images += len(parts[-1][0])
        return TestScores("test", *(np.concatenate([part[k] for part in parts]) for k in (0, 1)))


def _rounded(hidden: Floats) -> Floats:
    return np.clip(np.round(expit(6 * hidden), 2), 0, 1)


WORLDS: Mapping[str, SmallWorld] = {
    "40 images, half positive, AUC .85": SmallWorld(40, 0.5, 0.85),
    "the same, class sizes fixed": SmallWorld(40, 0.5, 0.85, fixed=True),
    "40 images, AUC .97": SmallWorld(40, 0.5, 0.97),
    "100 images, 5% positive, AUC .85": SmallWorld(100, 0.05, 0.85),
    "5 positives of 100, AUC .85": SmallWorld(100, 0.05, 0.85, fixed=True),
    "10 positives of 100, AUC .9": SmallWorld(100, 0.1, 0.9, fixed=True),
    "20 positives of 400, AUC .95": SmallWorld(400, 0.05, 0.95, fixed=True),
    "400 images, 5% positive, AUC .95": SmallWorld(400, 0.05, 0.95),
    "2 positives of 200, AUC .85": SmallWorld(200, 0.01, 0.85, fixed=True),
    "4 negatives of 200, AUC .85": SmallWorld(200, 0.98, 0.85, fixed=True),
    "200 images, AUC .995": SmallWorld(200, 0.5, 0.995),
    "468 images, AUC .995, class sizes fixed": SmallWorld(468, 0.5, 0.995, fixed=True),
    "100 images, scores of 2 decimals, many 0 or 1": SmallWorld(100, 0.5, 0.9, score=_rounded),
    "30 patients, 1 to 20 images": SmallWorld(30, 0.5, 0.85, UNEVEN, within=0.8),
    "80 patients, 1 to 20 images": SmallWorld(80, 0.5, 0.85, UNEVEN, within=0.8),
    "the same, both classes in a patient": SmallWorld(80, 0.5, 0.85, UNEVEN, within=0.8, mixed=True),
    "80 patients, those with high scores have 12 images": SmallWorld(
        80, 0.5, 0.85, (1, 1, 2, 3), within=0.8, larger_if_high=12
    ),
    "150 patients, 10% positive, 1 to 20 images": SmallWorld(150, 0.1, 0.9, UNEVEN, within=0.8),
    "20 patients, 5 images each": SmallWorld(20, 0.5, 0.85, (5,), within=0.5),
    "200 patients, 10 positive, 3 images each": SmallWorld(200, 0.05, 0.85, (3,), within=0.5, fixed=True),
    "60 patients, on average one has 60 images": SmallWorld(60, 0.5, 0.85, (1,) * 59 + (60,), within=0.6),
    "60 patients, one has half the images": SmallWorld(60, 0.5, 0.85, one_large=59, within=0.6),
}
"""The worlds by their name in the table. Images of a patient correlate by 0.5 to 0.8."""


def coverage(world: SmallWorld, sets: int, seed: int) -> tuple[Mapping[str, Tally], int]:
    """Tally the intervals of a world by metric.

    Args:
        world: The world.
        sets: The number of test sets.
        seed: Seed of the sets.

    Returns:
        A tally per metric, and the number of sets that have both classes.
    """
    population = world.population(seed + 1)
    true = {metric: value_of(metric, population, 0.5) for metric in METRICS}
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    generator, defined = np.random.default_rng(seed), 0
    for _ in range(sets):
        scores = world.scores(generator)
        if scores.y_true.min() == scores.y_true.max():
            continue
        defined += 1
        by_metric = figures(scores, 0.5, world.class_sizes)
        for metric, at in true.items():
            assert at is not None
            tallies[metric].interval(by_metric[metric].low, by_metric[metric].high, at)
    return tallies, defined


def print_coverage(sets: int, words: Sequence[str]) -> None:
    print(f"## Few or clustered images: coverage of 95% intervals, % of {sets} test sets\n")
    print("| world | " + " | ".join(METRICS) + " |\n|---|" + "---|" * len(METRICS))
    for number, (name, world) in enumerate(WORLDS.items()):
        if words and not any(word in name for word in words):
            continue
        tallies, defined = coverage(world, sets, 100 + number)
        print(f"| {name} | " + " | ".join(cell(tallies[metric], defined) for metric in METRICS) + " |", flush=True)
    print()


def cell(tally: Tally, sets: int) -> str:
    """The coverage with the share of sets that have no interval, if these are more than one in a hundred."""
    missing = 1 - tally.count / sets
    covered = "-" if tally.count < sets / 2 else f"{100 - 100 * tally.missed:.1f}"
    return covered + (f" ({missing:.0%} missing)" if missing > 0.01 else "")


RULES: tuple[tuple[str, float | None], ...] = (
    ("youden", None),
    ("f1", None),
    ("mcc", None),
    ("prevalence", None),
    ("cost", 5.0),
    ("sensitivity", 0.95),
    ("specificity", 0.9),
)
VALIDATION: Mapping[str, SmallWorld] = {
    "40 images, half positive": SmallWorld(40, 0.5, 0.9),
    "100 images, 10% positive": SmallWorld(100, 0.1, 0.9),
    "200 images, 10% positive": SmallWorld(200, 0.1, 0.9),
    "80 images, scores of 2 decimals": SmallWorld(
        80, 0.5, 0.9, score=lambda hidden: np.asarray(np.round(expit(2 * hidden), 2))
    ),
}


def print_thresholds(sets: int) -> None:
    print(f"## Thresholds of few validation images: coverage, % of {sets} sets\n")
    print("| validation | " + " | ".join(rule for rule, _ in RULES) + " |\n|---|" + "---|" * len(RULES))
    for number, (name, world) in enumerate(VALIDATION.items()):
        large = world.population(number)
        many = ValidationScores("val", large.y_true, large.y_score)
        true = {rule: choose(many, rule, value).value for rule, value in RULES}
        tallies: defaultdict[str, Tally] = defaultdict(Tally)
        generator, defined = np.random.default_rng(200 + number), 0
        for _ in range(sets):
            y_true, y_score, _ = world.draw(generator)
            if y_true.min() == y_true.max():
                continue
            defined += 1
            scores = ValidationScores("val", y_true, y_score)
            for rule, value in RULES:
                chosen, at = choose_with_interval(scores, rule, value, replicates=400), true[rule]
                assert at is not None
                tallies[rule].interval(chosen.low, chosen.high, at)
        print(f"| {name} | " + " | ".join(cell(tallies[rule], defined) for rule, _ in RULES) + " |", flush=True)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--worlds", nargs="*", default=[], help="only worlds whose name contains one of these words")
    parser.add_argument("--thresholds", action="store_true", help="the table of thresholds")
    parsed = parser.parse_args()
    if parsed.thresholds:
        print_thresholds(parsed.sets)
    else:
        print_coverage(parsed.sets, parsed.worlds)


if __name__ == "__main__":
    main()

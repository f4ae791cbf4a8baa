"""Coverage of 95% intervals of several classes, in simulated test sets: the last tables of docs/simulation.md.

   python -m tests.perf.multiclass_simulation [--sets 500] [--table 0|1|2|3|seeds|alarms]

Every number is a share of `--sets` simulated test sets in each of two worlds (`tests/support/multiclass_worlds.py`):
independent images, and 2.25 images per patient. A set in which a figure has no interval does not count; if these are
more than one in a hundred, their share follows in brackets, and if they are most, there is no coverage. `seeds` is the
mean of three seeds, and `alarms` the difference of two equally good cards.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmark.evidence.comparison.multiclass import multiclass_differences
from benchmark.evidence.intervals.multiclass import multiclass_interval
from benchmark.evidence.intervals.seeds import MulticlassPairedScores, seed_figure
from benchmark.evidence.metrics.influence import ClassSizes, Clusters
from benchmark.evidence.metrics.multiclass import argmax, multiclass_metrics
from benchmark.evidence.scores import MulticlassScores
from reports.text import plural
from tests.perf.simulation import Tally
from tests.support.multiclass_worlds import MulticlassWorld, draw, draw_cards, population

IMAGES = (100, 300, 1000)
TABLES = ((3, None), (3, 0.05), (10, None), (10, 0.03))
"""The number of classes, and the share of the first class."""
OF_CLASSES = ("recall", "precision", "f1", "auc", "average_precision")
SEEDS = 3
SEED_SD = 0.15
"""By how much seeds differ in the distance of a class from the others, as in `tests/perf/simulation.py`."""
REPLICATES = 400
KEYS = (
    *("accuracy", "balanced_accuracy", "mcc", "kappa", "quadratic_kappa", "log_loss", "brier", "top_3_accuracy"),
    *(f"{metric}:{average}" for metric in OF_CLASSES[1:] for average in ("macro", "weighted")),
    *(f"{metric}:class:class {number}" for number in (0, 1) for metric in OF_CLASSES),
)
"""Balanced accuracy is the macro recall, and accuracy is the weighted one. The first class is the rare one."""


def coverage(world: MulticlassWorld, sets: int, seed: int, keys: Iterable[str] = KEYS) -> Mapping[str, Tally]:
    """Tally the intervals of one card by key; those missing count as neither below nor above."""
    true = population(world, tuple(keys))
    metrics = multiclass_metrics(world.names, ordered=True)
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    generator = np.random.default_rng(seed)
    for _ in range(sets):
        scores = draw(world, generator)
        decided, clusters = argmax(scores), Clusters(scores.y_true, scores.patient)
        for key, at in true.items():
            tally, value = tallies[key], metrics[key].value(scores, decided)
            if value is not None:
                bounds = multiclass_interval(
                    metrics[key], value, scores, decided, clusters, class_sizes=world.class_sizes
                )
                tally.interval(bounds.low, bounds.high, at)
    return tallies


def seed_coverage(world: MulticlassWorld, sets: int, seed: int, seeds: int = SEEDS) -> Mapping[str, Tally]:
    """Tally the intervals of a card's mean over seeds by key."""
    true = population(world, KEYS)
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    generator = np.random.default_rng(seed)
    for _ in range(sets):
        card = _paired(draw_cards(world, generator, cards=1, seeds=seeds)[0])
        for key, at in true.items():
            figure = seed_figure(key, card, class_sizes=world.class_sizes)
            tallies[key].interval(figure.low, figure.high, at)
    return tallies


def false_alarms(world: MulticlassWorld, sets: int, seed: int, seeds: int = 1) -> Mapping[str, Tally]:
    """Tally the tests of the difference of two equally good cards by key; p below 0.05 is an alarm."""
    keys = tuple(population(world, KEYS))
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    generator = np.random.default_rng(seed)
    for _ in range(sets):
        first, second = draw_cards(world, generator, cards=2, seeds=seeds)
        cards = {"a": _paired(first), "b": _paired(second)}
        compared = multiclass_differences(keys, cards, class_sizes=world.class_sizes, count=REPLICATES)
        for key in keys:
            tallies[key].test(compared[key, "a", "b"].p_value)
    return tallies


def _paired(runs: Sequence[MulticlassScores]) -> MulticlassPairedScores:
    return MulticlassPairedScores(tuple(runs), tuple(argmax(run) for run in runs))


def worlds(classes: int, rare: float | None, images: int) -> tuple[MulticlassWorld, MulticlassWorld]:
    """Two worlds, of independent images and of patients; class sizes are fixed for 300 images."""
    shift = 1.6 if classes == 3 else 2.5
    sizes: ClassSizes = "fixed" if images == 300 else "drawn"
    independent = MulticlassWorld(images, classes, shift, rare, class_sizes=sizes)
    return independent, MulticlassWorld(images, classes, shift, rare, clustered=True, class_sizes=sizes)


def print_table(classes: int, rare: float | None, sets: int) -> None:
    title = "equal shares" if rare is None else f"the first class has {rare:.0%} of the images"
    print(f"### {classes} classes, {title}\n")
    print("| metric | " + " | ".join(f"{n} images" for n in IMAGES) + " |\n|---|" + "---|" * len(IMAGES))
    columns = []
    for number, images in enumerate(IMAGES):
        pair = worlds(classes, rare, images)
        columns.append([coverage(world, sets, 100 * classes + 10 * number + k) for k, world in enumerate(pair)])
    for key in columns[0][0]:
        cells = [cell([tallies[key] for tallies in column], sets) for column in columns]
        print(f"| {label(key)} | " + " | ".join(cells) + " |", flush=True)
    print()


def print_seeds(sets: int) -> None:
    print(f"### Mean of {SEEDS} seeds: coverage of 300 images\n")
    pairs = [[replace(world, seed_sd=SEED_SD) for world in worlds(*table, 300)] for table in TABLES]
    _print_columns([[seed_coverage(world, sets, 7) for world in pair] for pair in pairs], sets)


def print_alarms(sets: int) -> None:
    for seeds in (1, SEEDS):
        print(
            f"### Difference of two equally good cards with {plural(seeds, 'seed')}: false alarms, % of tests at 5%\n"
        )
        spread = SEED_SD if seeds > 1 else 0.0
        pairs = [[replace(world, seed_sd=spread) for world in worlds(*table, 300)] for table in TABLES]
        columns = [[false_alarms(world, sets, 8, seeds) for world in pair] for pair in pairs]
        _print_columns(columns, sets, alarms=True)


def _print_columns(columns: Sequence[list[Mapping[str, Tally]]], sets: int, *, alarms: bool = False) -> None:
    """Print a row per figure, with a column per table of `TABLES`."""
    titles = [f"{classes} classes{'' if rare is None else f', one with {rare:.0%}'}" for classes, rare in TABLES]
    print("| metric | " + " | ".join(titles) + " |\n|---|" + "---|" * len(TABLES))
    for key in columns[-1][0]:
        cells = [
            cell([tallies[key] for tallies in pair], sets, alarms=alarms) if key in pair[0] else "" for pair in columns
        ]
        print(f"| {label(key)} | " + " | ".join(cells) + " |", flush=True)
    print()


def label(key: str) -> str:
    """The key as a row of the page names it."""
    return key.replace(":class:class ", ", class ").replace(":", ", ")


def cell(tallies: list[Tally], sets: int, *, alarms: bool = False) -> str:
    """The coverage, or share of alarms, for images and for patients, with the share of sets that have no interval."""
    percent = [100 * tally.missed if alarms else 100 - 100 * tally.missed for tally in tallies]
    pairs = zip(tallies, percent, strict=True)
    shares = " and ".join("-" if tally.count < sets / 2 else f"{value:.1f}" for tally, value in pairs)
    missing = 1 - sum(tally.count for tally in tallies) / (sets * len(tallies))
    return shares + (f" ({missing:.0%} missing)" if missing > 0.01 else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--table", choices=[*map(str, range(len(TABLES))), "seeds", "alarms"])
    parsed = parser.parse_args()
    print(f"## Several classes: coverage of 95% intervals, % of {parsed.sets} test sets, by image and by patient\n")
    for number, (classes, rare) in enumerate(TABLES):
        if parsed.table in (None, str(number)):
            print_table(classes, rare, parsed.sets)
    if parsed.table in (None, "seeds"):
        print_seeds(parsed.sets)
    if parsed.table in (None, "alarms"):
        print_alarms(parsed.sets)


if __name__ == "__main__":
    main()

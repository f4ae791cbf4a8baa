"""Coverage of 95% intervals of several classes, in simulated test sets: the last tables of docs/simulation.md.

   python -m tests.perf.multiclass_simulation [--sets 500] [--table 0|1|2|3]

Every number is a share of `--sets` simulated test sets in each of two worlds (`tests/support/multiclass_worlds.py`):
independent images, and 2.25 images per patient. A set in which a figure has no interval does not count; if these are
more than one in a hundred, their share follows in brackets, and if they are most, there is no coverage.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from benchmark.evidence.intervals.multiclass import multiclass_interval
from benchmark.evidence.metrics.influence import ClassSizes, Clusters
from benchmark.evidence.metrics.multiclass import argmax, multiclass_metrics
from tests.perf.simulation import Tally
from tests.support.multiclass_worlds import MulticlassWorld, draw, population

IMAGES = (100, 300, 1000)
TABLES = ((3, None), (3, 0.05), (10, None), (10, 0.03))
"""The number of classes, and the share of the first class."""
OF_CLASSES = ("recall", "precision", "f1", "auc", "average_precision")
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
        print(
            f"| {key.replace(':class:class ', ', class ').replace(':', ', ')} | " + " | ".join(cells) + " |", flush=True
        )
    print()


def cell(tallies: list[Tally], sets: int) -> str:
    """The coverage for images and for patients, with the share of sets that have no interval."""
    shares = " and ".join("-" if tally.count < sets / 2 else f"{100 - 100 * tally.missed:.1f}" for tally in tallies)
    missing = 1 - sum(tally.count for tally in tallies) / (sets * len(tallies))
    return shares + (f" ({missing:.0%} missing)" if missing > 0.01 else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--table", type=int, choices=range(len(TABLES)))
    parsed = parser.parse_args()
    print(f"## Several classes: coverage of 95% intervals, % of {parsed.sets} test sets, by image and by patient\n")
    for number, (classes, rare) in enumerate(TABLES):
        if parsed.table in (None, number):
            print_table(classes, rare, parsed.sets)


if __name__ == "__main__":
    main()

"""Coverage of 95% intervals and false alarms of tests, in simulated test sets: the tables of docs/simulation.md.

   python -m tests.perf.simulation [--sets 2000] [--part coverage|alarms|seeds|thresholds]

Every number is a share of `--sets` simulated test sets of 468 images (`tests/support/worlds.py`). The methods of
`benchmark.evidence` are compared with textbook methods, which treat images as independent, and with the percentile
bootstrap.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.evidence.comparison.paired import differences
from benchmark.evidence.intervals.bootstrap import draws, percentile, replicates
from benchmark.evidence.intervals.formulas import Bounds, wilson, z_quantile
from benchmark.evidence.intervals.seeds import PairedScores, seed_figure
from benchmark.evidence.intervals.uncertainty import interval
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Floats
from benchmark.evidence.metrics.registry import confusion, get_metric, measures, value_of
from benchmark.evidence.scores import Scores, ValidationScores
from benchmark.evidence.thresholds.choice import choose_with_interval
from benchmark.evidence.thresholds.intervals import best_sum, bootstrap
from benchmark.evidence.thresholds.rules import get_rule
from tests.support.worlds import Drawn, World, best_threshold, draw, truth

METRICS = tuple(measures())

OURS, TEXTBOOK, BOOTSTRAP = "ours", "textbook", "percentile bootstrap"
DIFFERENCE = "interval without 0"
REPLICATES = 400
Z = z_quantile(0.95)


@dataclass
class Tally:
    """Counts of intervals or tests.

    Attributes:
        count: The number of intervals or tests.
        below: The number of intervals below the truth.
        above: The number of intervals above the truth, or of tests with a false alarm.
    """

    count: int = 0
    below: int = 0
    above: int = 0

    def interval(self, low: float | None, high: float | None, true: float) -> None:
        """Count an interval, unless it is missing."""
        if low is not None and high is not None:
            self.count += 1
            self.below += high < true
            self.above += low > true

    def test(self, p_value: float | None) -> None:
        """Count a test; a missing p-value is no alarm."""
        self.count += 1
        self.above += p_value is not None and p_value < 0.05

    @property
    def missed(self) -> float:
        """Share of intervals that miss the truth, or of tests with a false alarm."""
        return (self.below + self.above) / self.count if self.count else math.nan


@dataclass(frozen=True)
class Rule:
    """A threshold rule and its parameter."""

    name: str
    value: float | None = None

    @property
    def number(self) -> float:
        """The parameter, or the rule's default."""
        return get_rule(self.name).parameter(self.value)

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}={self.value:g}"


RULES = (
    *(Rule(name) for name in ("youden", "f1", "mcc", "prevalence")),
    *(Rule("cost", ratio) for ratio in (0.2, 5.0, 20.0)),
    Rule("sensitivity", 0.95),
    Rule("specificity", 0.9),
)
Tallies = Mapping[tuple[str, str], Tally]


def coverage(world: World, sets: int, seed: int, *, resampled: int = 0) -> Tallies:
    """Tally the intervals of one card by (metric, method); the bootstrap runs on the first `resampled` sets."""
    drawn, counts = draw(world, sets, seed), _tallies()
    true = truth(world, drawn.thresholds)
    for k in range(sets):
        scores, cut = _scores(drawn, k, 0, 0), float(drawn.cuts[k])
        units, resamples = Clusters(scores.y_true, scores.patient), dict[str, Floats]()
        if k < resampled:
            resamples = replicates(
                scores.y_true,
                scores.y_score[None],
                [cut],
                scores.patient,
                count=REPLICATES,
                seed=k,
                class_sizes=world.class_sizes,
            )
        for metric in METRICS:
            value, at = value_of(metric, scores, cut), float(true[metric][k])
            if value is None:
                continue
            found = interval(metric, value, scores.y_score, cut, units, class_sizes=world.class_sizes)
            counts[metric, OURS].interval(found.low, found.high, at)
            counts[metric, TEXTBOOK].interval(*_textbook(metric, value, scores, cut), at)
            if resamples:
                counts[metric, BOOTSTRAP].interval(*(percentile(resamples[metric][:, 0]) or (None, None)), at)
    return counts


def false_alarms(world: World, sets: int, seed: int, *, seeds: int = 1, metrics: Iterable[str] = METRICS) -> Tallies:
    """Tally the tests of two equally good cards by (metric, method).

    DIFFERENCE counts the intervals of their difference that exclude 0.
    """
    drawn, counts = draw(world, sets, seed, cards=2, seeds=seeds), _tallies()
    for k in range(sets):
        cards = {name: _card(drawn, k, number) for number, name in enumerate("ab")}
        found = differences(tuple(metrics), cards, class_sizes=world.class_sizes, count=REPLICATES, seed=k)
        for (metric, _, _), one in found.items():
            counts[metric, OURS].test(one.p_value)
            counts[metric, DIFFERENCE].interval(one.low, one.high, 0.0)
            counts[metric, TEXTBOOK].test(_naive_p(metric, cards["a"], cards["b"]))
    return counts


def seed_coverage(world: World, sets: int, seed: int, *, seeds: int) -> Tallies:
    """Tally the intervals of a mean over `seeds` by (metric, method); the textbook's ignores seeds."""
    drawn, counts = draw(world, sets, seed, seeds=seeds), _tallies()
    true = truth(world, drawn.thresholds)
    for k in range(sets):
        card = _card(drawn, k, 0)
        units = Clusters(card.runs[0].y_true, card.runs[0].patient)
        for metric in METRICS:
            found, at = seed_figure(metric, card, class_sizes=world.class_sizes), float(true[metric][k])
            counts[metric, OURS].interval(found.low, found.high, at)
            if found.value is not None:
                moved = card.influence_values(metric, world.class_sizes).mean(axis=0)
                half = Z * math.sqrt(units.variance(moved))
                counts[metric, TEXTBOOK].interval(found.value - half, found.value + half, at)
    return counts


def threshold_coverage(world: World, sets: int, seed: int, *, resampled: int) -> Tallies:
    """Tally the intervals of chosen thresholds by (rule, method).

    Rules without a bootstrap interval of their own get one on the first `resampled` sets, for comparison.
    """
    drawn, counts = draw(world, sets, seed), _tallies()
    true = {rule: best_threshold(world, rule.name, rule.number) for rule in RULES}
    for k in range(sets):
        scores = ValidationScores("val", drawn.y_true[k], drawn.scores[k, 0, 0], drawn.patients)
        for rule, at in true.items():
            found = choose_with_interval(scores, rule.name, rule.value, replicates=REPLICATES, seed=k)
            counts[str(rule), OURS].interval(found.low, found.high, at)
            registered = get_rule(rule.name)
            if k < resampled and registered.interval not in (bootstrap, best_sum):
                blocks = draws(scores.y_true, scores.patient, count=REPLICATES, seed=k)
                cuts = np.concatenate([registered.best_cuts(scores, rule.number, weights.T) for weights in blocks])
                counts[str(rule), BOOTSTRAP].interval(*(percentile(cuts) or (None, None)), at)
    return counts


def _tallies() -> defaultdict[tuple[str, str], Tally]:
    return defaultdict(Tally)


def _scores(drawn: Drawn, k: int, card: int, seed: int) -> Scores:
    return Scores("test", drawn.y_true[k], drawn.scores[k, card, seed], drawn.patients)


def _card(drawn: Drawn, k: int, card: int) -> PairedScores:
    seeds = drawn.scores.shape[2]
    cut = float(drawn.cuts[k])
    return PairedScores(tuple(_scores(drawn, k, card, seed) for seed in range(seeds)), (cut,) * seeds)


def _textbook(metric: str, value: float, scores: Scores, cut: float) -> Bounds:
    """Wilson for proportions; the value plus or minus 1.96 standard errors for the rest (DeLong's for the AUC)."""
    record = get_metric(metric)
    if record.ratio is not None and record.scale == "Wilson":
        return wilson(*record.ratio.sums(confusion(scores, cut)))
    moved = record.influence_values(scores.y_true, scores.y_score, cut)
    half = 0.0 if moved is None else Z * math.sqrt(Clusters(scores.y_true).variance(moved))
    return value - half, value + half


def _naive_p(metric: str, a: PairedScores, b: PairedScores) -> float | None:
    """Test the mean difference over seeds as if images were independent and there were no other seeds."""
    values = [*a.values(metric), *b.values(metric)]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    gap = float(np.mean(known[: a.seeds]) - np.mean(known[a.seeds :]))
    moved = a.influence_values(metric, "drawn").mean(axis=0) - b.influence_values(metric, "drawn").mean(axis=0)
    error = math.sqrt(Clusters(a.runs[0].y_true).variance(moved))
    return math.erfc(abs(gap) / error / math.sqrt(2)) if error else None


AUCS = (0.75, 0.85, 0.93, 0.98)
SPECIFICITIES = (None, 0.8, 0.93)
SAMPLINGS: tuple[tuple[str, bool, ClassSizes], ...] = (
    ("images, classes drawn", False, "drawn"),
    ("images, classes fixed", False, "fixed"),
    ("patients, classes drawn", True, "drawn"),
    ("patients, classes fixed", True, "fixed"),
)


def coverage_worlds(clustered: bool, class_sizes: ClassSizes) -> list[World]:
    """Every AUC with every share of positives, at alternating operating points."""
    return [
        World(auc, share, clustered, class_sizes, SPECIFICITIES[(i + j) % 3])
        for i, auc in enumerate(AUCS)
        for j, share in enumerate((0.3, 0.5, 0.625))
    ]


def alarm_worlds(clustered: bool, seed_sd: float = 0.0) -> list[World]:
    """Every AUC, with alternating shares of positives, operating points and class sizes."""
    return [
        World(auc, share, clustered, class_sizes, specificity, seed_sd)
        for auc, share, class_sizes, specificity in zip(
            AUCS, (0.3, 0.5, 0.625, 0.5), ("drawn", "fixed") * 2, (None, 0.8, 0.93, None), strict=True
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--part", choices=PARTS)
    parsed = parser.parse_args()
    for part, print_part in PARTS.items():
        if parsed.part in (None, part):
            print_part(parsed.sets)


def print_coverage(sets: int) -> None:
    print(f"## Coverage of 95% intervals, % of {sets} test sets in each of 12 worlds: lowest to highest\n")
    for number, (title, clustered, class_sizes) in enumerate(SAMPLINGS):
        found = [
            coverage(world, sets, 1000 * number + k, resampled=sets // 4)
            for k, world in enumerate(coverage_worlds(clustered, class_sizes))
        ]
        print(f"### {title}\n")
        print_rows(found, (OURS, TEXTBOOK, BOOTSTRAP), lambda missed: 100 - 100 * missed)


def print_alarms(sets: int) -> None:
    print(f"## False alarms at the 5% level, % of {sets} test sets in each of 4 worlds: lowest to highest\n")
    for number, (title, clustered) in enumerate((("images", False), ("patients", True))):
        found = [false_alarms(world, sets, 5000 + 100 * number + k) for k, world in enumerate(alarm_worlds(clustered))]
        print(f"### {title}\n")
        print_rows(found, (OURS, TEXTBOOK, DIFFERENCE), lambda missed: 100 * missed)


def print_seeds(sets: int) -> None:
    worlds = [*alarm_worlds(False, 0.15)[::2], *alarm_worlds(True, 0.3)[1::2]]
    for seeds in (3, 5):
        print(f"## Mean of {seeds} seeds: coverage, % of {sets} test sets in each of {len(worlds)} worlds\n")
        found = [seed_coverage(world, sets, 7000 + k, seeds=seeds) for k, world in enumerate(worlds)]
        print_rows(found, (OURS, TEXTBOOK), lambda missed: 100 - 100 * missed)
        print(f"## Difference of two cards with {seeds} seeds: false alarms, %\n")
        found = [false_alarms(world, sets, 8000 + k, seeds=seeds) for k, world in enumerate(worlds)]
        print_rows(found, (OURS, TEXTBOOK, DIFFERENCE), lambda missed: 100 * missed)


def print_thresholds(sets: int) -> None:
    print("## Thresholds: coverage, % of validation sets in each of 4 worlds\n")
    for number, (images, share) in enumerate(((120, 0.5), (468, 0.15))):  # resampling takes long
        drawn = round(share * sets)
        for clustered in (False, True):
            worlds = [replace(world, images=images, class_sizes="drawn") for world in alarm_worlds(clustered)]
            print(f"### {drawn} sets of {images} images{', by patient' if clustered else ''}\n")
            found = [
                threshold_coverage(world, drawn, 9000 + 100 * number + 10 * clustered + k, resampled=drawn // 4)
                for k, world in enumerate(worlds)
            ]
            print_rows(found, (OURS, BOOTSTRAP), lambda missed: 100 - 100 * missed, [str(rule) for rule in RULES])


PARTS = {"coverage": print_coverage, "alarms": print_alarms, "seeds": print_seeds, "thresholds": print_thresholds}


def print_rows(
    worlds: list[Tallies],
    methods: tuple[str, ...],
    percent: Callable[[float], float],
    rows: Sequence[str] = METRICS,
) -> None:
    """Print a Markdown table: one row per metric or rule, and the range over worlds of each method."""
    print(f"| {'metric' if rows is METRICS else 'rule'} | " + " | ".join(methods) + " |\n|---|" + "---|" * len(methods))
    for metric in rows:
        cells = []
        for method in methods:
            shares = [percent(tallies[metric, method].missed) for tallies in worlds if (metric, method) in tallies]
            cells.append(f"{min(shares):.1f} to {max(shares):.1f}" if shares else "-")
        print(f"| {metric} | " + " | ".join(cells) + " |", flush=True)
    print()


if __name__ == "__main__":
    main()

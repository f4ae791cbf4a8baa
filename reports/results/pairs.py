"""Cards against each other, image by image: differences, intervals, tests, and groups that cannot be told apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from benchmark.evidence.calibration.calibrators import best_calibrator
from benchmark.evidence.comparison.multiplicity import groups, holm, letters
from benchmark.evidence.comparison.paired import Difference, differences
from benchmark.evidence.comparison.paired import difference as paired_difference
from benchmark.evidence.comparison.subset import effect_of_leaving_out
from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.seeds import PairedScores, SeedFigure, seed_figure
from benchmark.evidence.metrics.definitions import find_metric, get_metric, measures
from benchmark.evidence.scores import Scores
from reports.results.measured import CardResults

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Pair:
    """A metric of two cards at 0.5, their difference (first minus second) and its p-value by Holm over all metrics."""

    metric: str
    a: SeedFigure
    b: SeedFigure
    difference: Difference
    p_adjusted: float | None


@dataclass(frozen=True)
class Ranking:
    """Cards by a test metric, best first. Cards that share a letter were not told apart at the 5% level, p-values by
    Holm over all pairs; `apart` counts the pairs that were, of `pairs`. `typical_detectable` is the smallest difference
    that these images could have shown, the median over pairs. `left_out` saw other test images than most, or have no
    such figure."""

    metric: str
    figures: Mapping[str, SeedFigure]
    letters: Mapping[str, str]
    apart: int
    pairs: int
    typical_detectable: float | None
    left_out: tuple[str, ...]


def paired_scores(found: CardResults, split: str = "test") -> PairedScores:
    """The card's scores of every seed, decided at 0.5."""
    runs: tuple[Scores, ...] = found.test if split == "test" else found.val
    return PairedScores(runs, (0.5,) * len(runs))


def figure(found: CardResults, metric: str, split: str = "test") -> SampleEstimate:
    """A metric of a card, mean over its seeds, at 0.5; without a value where it has none or none is kept."""
    n = len(found.test[0])
    if split == "train":
        return SampleEstimate.missing(n, "scores of training images are not kept")
    record = find_metric(metric)
    if record is None:
        return SampleEstimate.missing(n, f"{metric} has no counterpart in the scores")
    if split == "val" and len({run.spec.split_seed for run in found.runs}) > 1:
        return SampleEstimate.missing(n, "each seed was validated on images of its own")
    scores = paired_scores(found, split)
    n = len(scores.runs[0])
    if record.kind == "count":
        counts = [value for value in scores.values(metric) if value is not None]
        return SampleEstimate(sum(counts) / len(counts), None, None, n, "a count has no interval")
    got = seed_figure(metric, scores, class_sizes=found.class_sizes)
    return SampleEstimate.of(got, n)


def difference(a: CardResults, b: CardResults, metric: str) -> Difference:
    """Test `metric` of `a` minus `b` at 0.5; without a value, with the reason, where they saw other test images."""
    if not a.same_images(b):
        return Difference(metric, None, reason="the cards were scored on other test images")
    return paired_difference(metric, paired_scores(a), paired_scores(b), class_sizes=a.class_sizes)


def gain_of_threshold(found: CardResults, metric: str) -> Difference:
    """Test `metric` at the threshold that each run chose on validation minus that at 0.5."""
    chosen = [threshold for threshold in found.thresholds if threshold is not None]
    if len(chosen) < len(found.runs):
        return Difference(metric, None, reason="a run chose no threshold")
    after = PairedScores(found.test, tuple(chosen))
    return paired_difference(metric, after, paired_scores(found), class_sizes=found.class_sizes)


def gain_of_calibration(found: CardResults, metric: str) -> Difference:
    """Test `metric` at 0.5 of the scores calibrated on validation minus that of the scores as they are."""
    calibrators = [best_calibrator(val) for val in found.val]
    if not all(calibrator.accepted for calibrator in calibrators):
        return Difference(metric, None, reason="a calibrator was rolled back")
    runs = tuple(calibrator.apply(test) for calibrator, test in zip(calibrators, found.test, strict=True))
    after = PairedScores(runs, (0.5,) * len(runs))
    return paired_difference(metric, after, paired_scores(found), class_sizes=found.class_sizes)


def gain_without(found: CardResults, images: Collection[str], metric: str) -> Difference:
    """Test `metric` at 0.5 of all test images but `images` minus that of all."""
    scores = paired_scores(found)
    return effect_of_leaving_out(metric, scores, found.images, images, class_sizes=found.class_sizes)


def estimate(found: Difference, n: int) -> SampleEstimate:
    """A difference as an estimate on `n` images."""
    return SampleEstimate.of(found, n)


def compare_pair(a: CardResults, b: CardResults, metrics: Sequence[str] | None = None) -> tuple[Pair, ...]:
    """`metrics` of two cards; if None, all but those for details alone. Raises ValueError when they saw other test
    images."""
    if metrics is None:
        metrics = list(measures(lambda metric: metric.shown != "detail"))
    if not a.same_images(b):
        raise ValueError(f"{a.card.name} and {b.card.name} were scored on other test images")
    sizes = a.class_sizes
    sides = [{m: seed_figure(m, paired_scores(side), class_sizes=sizes) for m in metrics} for side in (a, b)]
    compared = differences(metrics, {"a": paired_scores(a), "b": paired_scores(b)}, class_sizes=sizes)
    found = [compared[metric, "a", "b"] for metric in metrics]
    adjusted = holm([one.p_value for one in found])
    return tuple(
        Pair(one.metric, sides[0][one.metric], sides[1][one.metric], one, p)
        for one, p in zip(found, adjusted, strict=True)
    )


def rank(cards: Sequence[CardResults], metric: str) -> Ranking | None:
    """`cards` by test `metric`; None when fewer than two with that figure saw the same images.

    Where they saw several sets of images, ranked are those on the set that most of them saw.
    """
    alike = _on_most_common_images(cards)
    figures = {card.card.name: seed_figure(metric, paired_scores(card), class_sizes=card.class_sizes) for card in alike}
    values = {name: found.value for name, found in figures.items() if found.value is not None}
    if len(values) < 2:
        return None
    scores = {card.card.name: paired_scores(card) for card in alike if card.card.name in values}
    compared = differences((metric,), scores, class_sizes=alike[0].class_sizes)
    found = {(a, b): one for (_, a, b), one in compared.items()}
    adjusted = holm([one.p_value for one in found.values()])
    apart = [pair for pair, p in zip(found, adjusted, strict=True) if p is not None and p <= SIGNIFICANT]
    higher = get_metric(metric).direction == "higher"
    together = groups(values, apart, higher_is_better=higher)
    shown = letters(together)
    sign = -1 if higher else 1
    order = sorted(values, key=lambda name: (sign * values[name], name))
    detectable = sorted(one.smallest_detectable for one in found.values() if one.smallest_detectable)
    return Ranking(
        metric=metric,
        figures={name: figures[name] for name in order},
        letters=shown,
        apart=len(apart),
        pairs=len(found),
        typical_detectable=detectable[len(detectable) // 2] if detectable else None,
        left_out=tuple(sorted({card.card.name for card in cards} - set(values))),
    )


def _on_most_common_images(cards: Sequence[CardResults]) -> list[CardResults]:
    """The largest set of cards on the same images, whatever the order of `cards`."""
    sets: list[list[CardResults]] = []
    for card in sorted(cards, key=lambda card: card.card.name):
        same = next((held for held in sets if held[0].same_images(card)), None)
        if same is None:
            sets.append([card])
        else:
            same.append(card)
    return max(sets, key=len, default=[])

"""Paired comparison of cards: differences with intervals and tests, and a ranking in groups."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from benchmark.evidence.comparison.multiclass import multiclass_differences
from benchmark.evidence.comparison.multiplicity import compact_letters, holm, indistinguishable_groups
from benchmark.evidence.comparison.paired import Difference, differences
from benchmark.evidence.comparison.paired import difference as paired_difference
from benchmark.evidence.comparison.subset import effect_of_leaving_out
from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.intervals.seeds import (
    AnyPairedScores,
    MulticlassPairedScores,
    PairedScores,
    SeedFigure,
    seed_figure,
)
from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.multiclass import is_of_classes
from benchmark.evidence.metrics.registry import find_metric, get_metric, measures
from benchmark.evidence.scores import Scores
from reports.results.measured import AnyResults, CardResults, MulticlassResults

SIGNIFICANT = 0.05
NO_THRESHOLD = "a run chose no threshold"


@dataclass(frozen=True)
class Pair:
    """A metric of two cards, decided by one rule.

    Attributes:
        metric: Name of the metric; for three or more classes its key, such as `f1:macro`.
        a: The figure of the first card.
        b: The figure of the second card.
        difference: First minus second.
        p_adjusted: The p-value by Holm's method over all metrics that are compared together; None where no test exists.
    """

    metric: str
    a: SeedFigure
    b: SeedFigure
    difference: Difference
    p_adjusted: float | None


@dataclass(frozen=True)
class Ranking:
    """Cards by a test metric, best first.

    Attributes:
        metric: Name of the metric; for three or more classes its key, such as `auc:macro`.
        figures: The figure of each card, best first.
        letters: The letters of each card. Cards that share one do not differ significantly (5% level, Holm's method
            over all pairs).
        significant: The number of pairs that differ significantly.
        pairs: The number of pairs.
        typical_detectable: The smallest detectable difference, the median over pairs; None where it is undefined.
        left_out: The cards with different test images than most, or without this figure.
    """

    metric: str
    figures: Mapping[str, SeedFigure]
    letters: Mapping[str, str]
    significant: int
    pairs: int
    typical_detectable: float | None
    left_out: tuple[str, ...]


def paired_scores(results: CardResults, split: str = "test") -> PairedScores:
    """The scores of a card for every seed, with threshold 0.5."""
    runs: tuple[Scores, ...] = results.test if split == "test" else results.val
    return PairedScores(runs, (0.5,) * len(runs))


def chosen_scores(results: CardResults, split: str = "test") -> PairedScores | None:
    """The scores of a card for every seed, with the thresholds chosen on validation.

    Args:
        results: The results of the card.
        split: "val" or "test".

    Returns:
        The scores; None where a run chose no threshold, or where each fold has its own and the split is not the test
        split.
    """
    runs: tuple[Scores, ...] = results.test if split == "test" else results.val
    chosen = [threshold for threshold in results.thresholds if threshold is not None]
    if len(chosen) < len(runs) or (split != "test" and not all(isinstance(each, float) for each in chosen)):
        return None
    return PairedScores(runs, tuple(chosen))


def figure(results: CardResults, metric: str, split: str = "test", *, chosen: bool = False) -> SampleEstimate:
    """A metric of a card.

    Args:
        results: The results of the card.
        metric: Name of the metric.
        split: "train", "val" or "test".
        chosen: Whether decisions are those at the thresholds chosen on validation; else at 0.5.

    Returns:
        The mean over seeds with its 95% interval; without a value, with the reason, where it cannot be computed.
    """
    n = len(results.test[0])
    if split == "train":
        return SampleEstimate.missing(n, "scores of training images are not stored")
    record = find_metric(metric)
    if record is None:
        return SampleEstimate.missing(n, f"{metric} has no counterpart in the scores")
    if split == "val" and len({run.spec.split_seed for run in results.runs}) > 1:
        return SampleEstimate.missing(n, "each seed has different validation images")
    scores = chosen_scores(results, split) if chosen and record.uses_threshold else paired_scores(results, split)
    if scores is None:
        return SampleEstimate.missing(n, NO_THRESHOLD)
    n = len(scores.runs[0])
    if record.kind == "count":
        counts = [value for value in scores.values(metric) if value is not None]
        return SampleEstimate(sum(counts) / len(counts), None, None, n, "a count has no interval")
    got = seed_figure(metric, scores, class_sizes=results.class_sizes)
    return SampleEstimate.of(got, n)


def difference(a: CardResults, b: CardResults, metric: str, *, chosen: bool = False) -> Difference:
    """The difference of two cards in a test metric, paired by image.

    Args:
        a: The results of the first card.
        b: The results of the second card.
        metric: Name of the metric.
        chosen: Whether decisions are those at the thresholds chosen on validation; else at 0.5.

    Returns:
        First minus second; without a value, with the reason, where their test images differ or a run chose no
        threshold.
    """
    if not a.same_images(b):
        return Difference(metric, None, reason="the cards were scored on different test images")
    record = find_metric(metric)
    if not chosen or record is None or not record.uses_threshold:
        return paired_difference(metric, paired_scores(a), paired_scores(b), class_sizes=a.class_sizes)
    first, second = chosen_scores(a), chosen_scores(b)
    if first is None or second is None:
        return Difference(metric, None, reason=NO_THRESHOLD)
    return paired_difference(metric, first, second, class_sizes=a.class_sizes)


def gain_of_threshold(results: CardResults, metric: str) -> Difference:
    """The change of a test metric from threshold 0.5 to those that the runs chose on validation, paired by run."""
    chosen = [threshold for threshold in results.thresholds if threshold is not None]
    if len(chosen) < len(results.runs):
        return Difference(metric, None, reason="a run chose no threshold")
    after = PairedScores(results.test, tuple(chosen))
    return paired_difference(metric, after, paired_scores(results), class_sizes=results.class_sizes, same_runs=True)


def gain_of_calibration(results: CardResults, metric: str) -> Difference:
    """The change of a test metric at threshold 0.5 by calibrating the scores on validation, paired by run."""
    if not all(calibrator.accepted for calibrator, _ in results.served):
        return Difference(metric, None, reason="a calibrator was rolled back")
    runs = tuple(test for _, test in results.served)
    after = PairedScores(runs, (0.5,) * len(runs))
    return paired_difference(metric, after, paired_scores(results), class_sizes=results.class_sizes, same_runs=True)


def gain_without(results: CardResults, images: Collection[str], metric: str) -> Difference:
    """The change of a test metric at threshold 0.5 by leaving out images.

    Args:
        results: The results of a card.
        images: The names of the test images to leave out.
        metric: Name of the metric.

    Returns:
        The metric without `images` minus the metric of all test images.
    """
    scores = paired_scores(results)
    return effect_of_leaving_out(metric, scores, results.images, images, class_sizes=results.class_sizes)


def estimate(difference: Difference, n: int) -> SampleEstimate:
    """A difference as an estimate on `n` images."""
    return SampleEstimate.of(difference, n)


def compare_pair(
    a: AnyResults, b: AnyResults, metrics: Sequence[str] | None = None, *, chosen: bool = False
) -> tuple[Pair, ...]:
    """Compares two cards by several test metrics.

    Args:
        a: The results of the first card.
        b: The results of the second card.
        metrics: Names of metrics, or their keys for three or more classes; if None, all except those that only detailed
            tables show, and without those of single classes.
        chosen: Whether decisions are those that the runs chose on validation; else those at threshold 0.5, or for the
            highest score.

    Returns:
        A comparison for each metric.

    Raises:
        ValueError: The cards have different test images.
    """
    if not same_images(a, b):
        raise ValueError(f"{a.card.name} and {b.card.name} were scored on different test images")
    scores, sizes = {"a": _scores(a, chosen), "b": _scores(b, chosen)}, a.class_sizes
    if metrics is None:
        metrics = compared_metrics(scores["a"])
    sides = [{m: seed_figure(m, side, class_sizes=sizes) for m in metrics} for side in scores.values()]
    compared = _differences(metrics, scores, sizes)
    differences_by_metric = [compared[metric, "a", "b"] for metric in metrics]
    adjusted = holm([one.p_value for one in differences_by_metric])
    return tuple(
        Pair(one.metric, sides[0][one.metric], sides[1][one.metric], one, p)
        for one, p in zip(differences_by_metric, adjusted, strict=True)
    )


def ranked_by(cards: Sequence[AnyResults], metric: str) -> str:
    """The figure that ranks these cards: `metric`, or its macro mean where there are three or more classes."""
    if cards and isinstance(cards[0], MulticlassResults) and is_of_classes(metric):
        return str(MeasureKey(metric, "macro"))
    return metric


def compared_metrics(scores: AnyPairedScores | None = None) -> list[str]:
    """The metrics that `compare_pair` compares without being asked for others.

    Args:
        scores: The scores of a card; None for two classes.

    Returns:
        Names of metrics; for three or more classes, keys.
    """
    if scores is None or isinstance(scores, PairedScores):
        return list(measures(lambda metric: metric.display != "detail"))
    # Macro recall is balanced accuracy; it would count twice in the family of tests.
    whole = (key for key, metric in scores.metrics.items() if metric.of_class is None and metric.display != "detail")
    return [key for key in whole if key != "recall:macro"]


def _scores(results: AnyResults, chosen: bool = False) -> AnyPairedScores:
    """The test scores of every seed with decisions; those at 0.5 or for the highest score where a run chose none."""
    if isinstance(results, MulticlassResults):
        paired = results.paired(chosen=chosen)
        return MulticlassPairedScores(results.test, results.argmax) if paired is None else paired
    thresholds = [threshold for threshold in results.thresholds if threshold is not None]
    if chosen and len(thresholds) == len(results.runs):
        return PairedScores(results.test, tuple(thresholds))
    return paired_scores(results)


def _differences(
    metrics: Sequence[str], scores: Mapping[str, AnyPairedScores], sizes: ClassSizes
) -> dict[tuple[str, str, str], Difference]:
    of_two = {name: each for name, each in scores.items() if isinstance(each, PairedScores)}
    of_more = {name: each for name, each in scores.items() if isinstance(each, MulticlassPairedScores)}
    if of_more:
        return multiclass_differences(metrics, of_more, class_sizes=sizes)
    return differences(metrics, of_two, class_sizes=sizes)


def same_images(a: AnyResults, b: AnyResults) -> bool:
    """Whether two cards were scored on the same test images, so that they may be compared pairwise."""
    return a.images == b.images and a.test[0].y_true.tolist() == b.test[0].y_true.tolist()


def rank(cards: Sequence[AnyResults], metric: str, *, chosen: bool = False) -> Ranking | None:
    """Ranks cards by a test metric.

    Args:
        cards: The results of the cards, all of two classes or all of more. Only the largest set of cards with the same
            test images is ranked.
        metric: Name of the metric. For three or more classes a key, or the name of a metric of one class, whose macro
            mean then ranks.
        chosen: As in `compare_pair`.

    Returns:
        The ranking; None with fewer than two cards that have the figure.
    """
    metric = ranked_by(cards, metric)
    comparable = on_most_common_images(cards)
    of_card = {card.card.name: _scores(card, chosen) for card in comparable}
    figures = {
        card.card.name: seed_figure(metric, of_card[card.card.name], class_sizes=card.class_sizes)
        for card in comparable
    }
    values = {name: each.value for name, each in figures.items() if each.value is not None}
    if len(values) < 2:
        return None
    scores = {name: each for name, each in of_card.items() if name in values}
    compared = _differences((metric,), scores, comparable[0].class_sizes)
    by_pair = {(a, b): one for (_, a, b), one in compared.items()}
    adjusted = holm([one.p_value for one in by_pair.values()])
    significant = [pair for pair, p in zip(by_pair, adjusted, strict=True) if p is not None and p <= SIGNIFICANT]
    first = next(iter(scores.values()))
    record = get_metric(metric) if isinstance(first, PairedScores) else first.record(metric)
    higher = record.direction == "higher"
    group_letters = compact_letters(indistinguishable_groups(values, significant, higher_is_better=higher))
    sign = -1 if higher else 1
    order = sorted(values, key=lambda name: (sign * values[name], name))
    detectable = sorted(one.smallest_detectable for one in by_pair.values() if one.smallest_detectable)
    return Ranking(
        metric=metric,
        figures={name: figures[name] for name in order},
        letters=group_letters,
        significant=len(significant),
        pairs=len(by_pair),
        typical_detectable=detectable[len(detectable) // 2] if detectable else None,
        left_out=tuple(sorted({card.card.name for card in cards} - set(values))),
    )


def on_most_common_images(cards: Sequence[AnyResults]) -> list[AnyResults]:
    """The largest set of cards with the same test images, independent of the order of `cards`."""
    sets: list[list[AnyResults]] = []
    for card in sorted(cards, key=lambda card: card.card.name):
        same = next((group for group in sets if same_images(group[0], card)), None)
        if same is None:
            sets.append([card])
        else:
            same.append(card)
    return max(sets, key=len, default=[])

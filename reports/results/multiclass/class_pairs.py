"""Two cards on three or more classes: figures of each class, and which card is right where the other is not."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.evidence.comparison.calls import McNemar, ShiftOfShares, mcnemar, stuart_maxwell
from benchmark.evidence.comparison.multiplicity import holm
from benchmark.evidence.metrics.keys import MeasureKey
from reports.results.comparison.pairs import Pair, compare_pair
from reports.results.measured import MulticlassResults

CLASS_METRIC = "recall"
"""The metric that is compared for each class unless another is asked for."""


@dataclass(frozen=True)
class CallsOfPair:
    """The decisions of one run of each card.

    Attributes:
        seed_a: The seed of the first card's run.
        seed_b: The seed of the second card's run.
        right: For which images only one of them is right.
        right_adjusted: The p-value of `right` by Holm's method over all pairs of runs.
        shares: How often each calls each class.
        shares_adjusted: The p-value of `shares` by Holm's method over all pairs of runs.
    """

    seed_a: int
    seed_b: int
    right: McNemar
    right_adjusted: float | None
    shares: ShiftOfShares
    shares_adjusted: float | None


@dataclass(frozen=True)
class ClassComparison:
    """Two cards compared class by class.

    Attributes:
        metric: Name of the metric of each class against the rest.
        classes: The names of the classes.
        by_class: One comparison per class, with p-values by Holm's method over the classes.
        calls: The decisions of pairs of runs with the same seed, or in turn if no seed is the same.
    """

    metric: str
    classes: tuple[str, ...]
    by_class: tuple[Pair, ...]
    calls: tuple[CallsOfPair, ...]


def compare_classes(
    a: MulticlassResults, b: MulticlassResults, metric: str = CLASS_METRIC, *, chosen: bool = False
) -> ClassComparison:
    """Compares two cards class by class.

    Args:
        a: The results of the first card.
        b: The results of the second card.
        metric: Name of a metric of one class against the rest.
        chosen: Whether decisions are those that the runs chose on validation, else those for the highest score.

    Returns:
        The comparison on test.

    Raises:
        ValueError: The cards have different test images, or the metric is not of one class.
    """
    keys = [str(MeasureKey(metric, of_class=name)) for name in a.classes]
    return ClassComparison(metric, a.classes, compare_pair(a, b, keys, chosen=chosen), _calls(a, b, chosen))


def _calls(a: MulticlassResults, b: MulticlassResults, chosen: bool) -> tuple[CallsOfPair, ...]:
    decided_a, decided_b = ((side.chosen if chosen else None) or side.argmax for side in (a, b))
    seeds_a, seeds_b = ([run.spec.seed for run in side.runs] for side in (a, b))
    places = [(seeds_a.index(seed), seeds_b.index(seed)) for seed in seeds_a if seed in seeds_b]
    places = places or list(zip(range(len(seeds_a)), range(len(seeds_b)), strict=False))
    y_true, patient = a.test[0].y_true, a.test[0].patient
    tests = []
    for i, j in places:
        called_a, called_b = decided_a[i], decided_b[j]
        right = mcnemar(called_a == y_true, called_b == y_true, patient)
        tests.append((right, stuart_maxwell(called_a, called_b, len(a.classes), patient)))
    right_adjusted = holm([right.p_value for right, _ in tests])
    shares_adjusted = holm([shares.p_value for _, shares in tests])
    return tuple(
        CallsOfPair(seeds_a[i], seeds_b[j], right, p_right, shares, p_shares)
        for (i, j), (right, shares), p_right, p_shares in zip(
            places, tests, right_adjusted, shares_adjusted, strict=True
        )
    )

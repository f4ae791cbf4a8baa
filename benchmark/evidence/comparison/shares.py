"""The difference of two shares of the same images, paired by image: Newcombe's interval and its test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from benchmark.evidence.intervals.formulas import Bounds, mover
from benchmark.evidence.intervals.seeds import PairedScores
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, cells
from benchmark.evidence.metrics.registry import Ratio

_ROUNDING = 1e-12  # rounding alone makes equal shares differ by up to this
_LEAST_P = 1e-12
"""The smallest p-value that is derived from an interval; a level closer to 1 has no accurate quantile."""


@dataclass(frozen=True)
class DifferenceOfShares:
    """The interval and the test of a difference of two shares; None with a `reason` where there are none."""

    low: float | None = None
    high: float | None = None
    method: str | None = None
    p_value: float | None = None
    test: str | None = None
    reason: str | None = None


def difference_of_shares(
    metric: str,
    share: Ratio,
    a: PairedScores,
    b: PairedScores,
    clusters: Clusters,
    class_sizes: ClassSizes,
    level: float,
) -> DifferenceOfShares:
    """Return the interval of Newcombe 1998 (method 10) for paired shares, and the p-value of the test that inverts it.

    Interval and test agree by definition. The exact test of McNemar 1947 does not agree with any such interval.

    Args:
        metric: Name of the metric.
        share: Its ratio, whose denominator is the same images for both cards.
        a: Scores of the first card, of one seed.
        b: Scores of the second card, of one seed, on the same images.
        clusters: Labels of the images, and which of them belong to one patient.
        class_sizes: Whether the class sizes of the test set were drawn or fixed.
        level: Confidence level of the interval, in (0, 1).

    Returns:
        The interval of a - b, within [-1, 1], and the p-value of no difference.
    """
    success, trial = (np.array(part, dtype=np.float64) for part in (share.numerator, share.denominator))
    trials = trial[cells(clusters.y_true, a.runs[0].y_score, a.thresholds[0])]  # the same for both cards
    rates = []
    for card in (a, b):
        hits = success[cells(clusters.y_true, card.runs[0].y_score, card.thresholds[0])]
        rates.append(float(hits.sum() / trials.sum()))
        single = card.run_interval(0, metric, rates[-1], clusters, class_sizes, level)
        if single.bounds is None:
            return DifferenceOfShares(reason=single.reason)
    influence_a, influence_b = (card.influence_values(metric, class_sizes)[0] for card in (a, b))
    size = int(np.count_nonzero(clusters.sums(trials[None])))
    correlation = _continuity_corrected(clusters.correlation(influence_a, influence_b), rates, size)

    def ends(at_level: float) -> Bounds:
        first, second = (
            card.run_interval(0, metric, rate, clusters, class_sizes, at_level).bounds or (0.0, 1.0)
            for card, rate in zip((a, b), rates, strict=True)
        )
        low, high = mover((rates[0], rates[1]), first, second, correlation)
        return max(-1.0, low), min(1.0, high)

    method = "Newcombe" + (", by patient" if clusters.repeated else "")
    return DifferenceOfShares(*ends(level), method, p_by_inversion(rates[0] - rates[1], ends), method)


def p_by_inversion(value: float, ends: Callable[[float], Bounds]) -> float:
    """Return the two-sided p-value of 0 from intervals around `value`: 1 less the level at which they reach 0.

    Args:
        value: The estimate.
        ends: Both ends of its interval at a level; wider at higher levels.

    Returns:
        The p-value, at least 1e-12.
    """

    def distance(log_p: float) -> float:
        low, high = ends(1 - math.exp(log_p))
        return low if value > 0 else -high

    least, greatest = math.log(_LEAST_P), math.log1p(-1e-9)
    if abs(value) <= _ROUNDING or distance(greatest) <= 0:
        return 1.0
    return _LEAST_P if distance(least) >= 0 else math.exp(scipy.optimize.brentq(distance, least, greatest, xtol=1e-10))


def _continuity_corrected(correlation: float, rates: list[float], clusters: int) -> float:
    """Return the correlation of two proportions with Newcombe's continuity correction if it is positive."""
    spread = math.sqrt(math.prod(rate * (1 - rate) for rate in rates))
    return max(0.0, correlation - 0.5 / (clusters * spread)) if correlation > 0 and spread else min(0.0, correlation)

"""The difference of two AUCs that vary with no image: classes that are separated, and answers that are all the same."""

from __future__ import annotations

import numpy as np

from benchmark.evidence.comparison.shares import DifferenceOfShares, p_by_inversion
from benchmark.evidence.intervals.formulas import Bounds, mover
from benchmark.evidence.intervals.seeds import AnyPairedScores
from benchmark.evidence.metrics.influence import ClassSizes, Clusters


def of_separated(
    metric: str, a: AnyPairedScores, b: AnyPairedScores, clusters: Clusters, class_sizes: ClassSizes, level: float
) -> DifferenceOfShares | None:
    """Return interval and test of a difference of AUCs whose standard error is 0.

    Interval: square and add (Newcombe 1998, Zou and Donner 2008) of the intervals of both AUCs, without correlation. A
    constant answer has an AUC of 0.5 by definition, whatever the images. Test: the inversion of the interval.

    Args:
        metric: `auc`, or its key for several classes.
        a: Scores of the first card; only its first run counts.
        b: Scores of the second card, on the same images; only its first run counts.
        clusters: Labels of the images, and which of them belong to one patient.
        class_sizes: Whether the class sizes of the test set were drawn or fixed.
        level: Confidence level of the interval, in (0, 1).

    Returns:
        Interval and test of a - b, as of two shares: an AUC is the share of right pairs. None where an AUC has no
        interval.
    """
    first, second = (card.values(metric)[0] for card in (a, b))
    if first is None or second is None:
        return None

    def bounds_of(card: AnyPairedScores, value: float, at_level: float) -> Bounds | None:
        if not np.ptp(card.runs[0].y_score, axis=0).any():
            return value, value
        return card.run_interval(0, metric, value, clusters, class_sizes, at_level).bounds

    def ends(at_level: float) -> Bounds:
        whole = (0.0, 1.0)
        bounds = bounds_of(a, first, at_level) or whole, bounds_of(b, second, at_level) or whole
        low, high = mover((first, second), *bounds, 0.0)
        return max(-1.0, low), min(1.0, high)

    if bounds_of(a, first, level) is None or bounds_of(b, second, level) is None:
        return None
    method = "square-and-add" + (", by patient" if clusters.repeated else "")
    return DifferenceOfShares(*ends(level), method, p_by_inversion(first - second, ends), method)

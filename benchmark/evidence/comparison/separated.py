"""The difference of two AUCs that vary with no image: classes that are separated, and answers that are all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from benchmark.evidence.comparison.shares import p_by_inversion
from benchmark.evidence.intervals.formulas import Bounds, mover
from benchmark.evidence.intervals.seeds import AnyPairedScores
from benchmark.evidence.metrics.influence import ClassSizes, Clusters

if TYPE_CHECKING:
    from benchmark.evidence.comparison.paired import Difference


def of_separated(
    plain: Difference, a: AnyPairedScores, b: AnyPairedScores, clusters: Clusters, class_sizes: ClassSizes, level: float
) -> Difference | None:
    """Add interval and test to a difference of AUCs whose standard error is 0.

    Interval: square and add (Newcombe 1998, Zou and Donner 2008) of the intervals of both AUCs, without correlation. A
    constant answer has an AUC of 0.5 by definition, whatever the images. Test: the inversion of the interval.

    Args:
        plain: The difference of two AUCs, without an interval.
        a: Scores of the first card; only its first run counts.
        b: Scores of the second card, on the same images; only its first run counts.
        clusters: Labels of the images, and which of them belong to one patient.
        class_sizes: Whether the class sizes of the test set were drawn or fixed.
        level: Confidence level of the interval, in (0, 1).

    Returns:
        The difference with interval and test; None where an AUC has no interval.
    """
    values = [card.values(plain.metric)[0] for card in (a, b)]
    if plain.value is None or values[0] is None or values[1] is None:
        return None
    first, second = values[0], values[1]

    def bounds_of(card: AnyPairedScores, value: float, at_level: float) -> Bounds | None:
        if not np.ptp(card.runs[0].y_score, axis=0).any():
            return value, value
        return card.run_interval(0, plain.metric, value, clusters, class_sizes, at_level).bounds

    def ends(at_level: float) -> Bounds:
        whole = (0.0, 1.0)
        bounds = bounds_of(a, first, at_level) or whole, bounds_of(b, second, at_level) or whole
        low, high = mover((first, second), *bounds, 0.0)
        return max(-1.0, low), min(1.0, high)

    if bounds_of(a, first, level) is None or bounds_of(b, second, level) is None:
        return None
    low, high = ends(level)
    method = "square-and-add" + (", by patient" if clusters.repeated else "")
    p_value = p_by_inversion(plain.value, ends)
    return replace(plain, low=low, high=high, method=method, p_value=p_value, test=method)

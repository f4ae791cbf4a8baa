"""The negative predictive value, which is the precision of the negative class."""

from __future__ import annotations

import numpy as np

from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import Scores

NPV = "npv"
"""The key of the negative predictive value."""


def negative_predictive_value(scores: Scores, threshold: float, class_sizes: ClassSizes = "drawn") -> Figure:
    """Return the share of negatives among the images that are called negative, with its interval.

    Args:
        scores: Labels and scores of two classes.
        threshold: Scores at or above it are called positive.
        class_sizes: Whether the class sizes were drawn or fixed.

    Returns:
        The figure; missing, with the reason, if no image is called negative.
    """
    called_negative = (scores.y_score < threshold).astype(np.float64)
    swapped = Scores(scores.split, 1 - scores.y_true, called_negative, scores.patient, scores.fold)
    of = figures(swapped, 0.5, class_sizes)["precision"]
    return Figure(NPV, of.value, of.low, of.high, of.method, of.reason, of.caution)

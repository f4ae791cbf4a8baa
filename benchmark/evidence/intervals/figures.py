"""Every metric of one card's scores with its interval."""

from __future__ import annotations

from benchmark.evidence.intervals.uncertainty import interval
from benchmark.evidence.metrics.definitions import UNDEFINED, Figure, Metric, confusion, metrics
from benchmark.evidence.metrics.influence import ClassSizes, Clusters
from benchmark.evidence.scores import Scores


def figures(scores: Scores, threshold: float, class_sizes: ClassSizes = "drawn") -> dict[str, Figure]:
    """Every registered metric of `scores` at `threshold`, each with its 95% interval (`uncertainty.interval`).

    Args:
        scores: Labels and scores of one split. Intervals are by patient where a patient has several images.
        threshold: From which score on an image is called positive.
        class_sizes: `fixed` for a test set whose share of positives was chosen, as in a balanced draw.

    Returns:
        A figure per metric, in the order of registration.
    """
    matrix = confusion(scores, threshold)
    units = Clusters(scores.y_true, scores.patient)

    def figure(metric: Metric) -> Figure:
        value = metric.value(scores, matrix)
        if value is None:
            return Figure.missing(metric.name, UNDEFINED)
        if metric.kind == "count":
            return Figure(metric.name, value)
        bounds = interval(metric.name, value, scores.y_score, threshold, units, class_sizes=class_sizes)
        return Figure(metric.name, value, bounds.low, bounds.high, bounds.method, bounds.reason)

    return {name: figure(metric) for name, metric in metrics().items()}

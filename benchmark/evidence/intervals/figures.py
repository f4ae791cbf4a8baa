"""All metrics of a card's scores, with their intervals."""

from __future__ import annotations

from benchmark.evidence.intervals.caution import caution_about
from benchmark.evidence.intervals.uncertainty import interval
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, Cut
from benchmark.evidence.metrics.registry import Figure, Metric, confusion, metrics
from benchmark.evidence.scores import Scores


def figures(scores: Scores, threshold: Cut, class_sizes: ClassSizes = "drawn") -> dict[str, Figure]:
    """Return every registered metric of `scores` with its 95% interval (`uncertainty.interval`).

    Args:
        scores: Labels and scores of one split. Intervals are by patient if a patient has several images.
        threshold: Scores at or above it are called positive; one for all images, or one per image (n,).
        class_sizes: `fixed` for a test set whose share of positives was chosen, as in a balanced test set.

    Returns:
        A figure per metric, in the order of registration. It is missing, with the reason, where the metric is undefined
        or its function fails (`Metric.evaluate`).
    """
    matrix = confusion(scores, threshold)
    clusters = Clusters(scores.y_true, scores.patient)

    def figure(metric: Metric) -> Figure:
        value, reason = metric.evaluate(scores, matrix)
        if value is None:
            return Figure(metric.name, None, reason=reason)
        if metric.kind == "count":
            return Figure(metric.name, value)
        bounds = interval(
            metric.name, value, scores.y_score, threshold, clusters, class_sizes=class_sizes, fold=scores.fold
        )
        caution = None if bounds.bounds is None else caution_about(metric, clusters)
        return Figure(metric.name, value, bounds.low, bounds.high, bounds.method, bounds.reason, caution)

    return {name: figure(metric) for name, metric in metrics().items()}

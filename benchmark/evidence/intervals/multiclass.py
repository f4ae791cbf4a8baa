"""All metrics of a card's scores over several classes, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.evidence.metrics.influence import ClassSizes, Labels
from benchmark.evidence.metrics.multiclass import MulticlassMetric, multiclass_metrics
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import MulticlassScores


def multiclass_figures(
    scores: MulticlassScores,
    decided: Labels,
    class_sizes: ClassSizes = "drawn",
    *,
    costs: Sequence[Sequence[float]] | None = None,
    abstains: bool = False,
) -> dict[str, Figure]:
    """Return every metric of `scores` and decisions with its 95% interval.

    Args:
        scores: Labels (n,) and scores (n, k) of one split. Intervals are by patient if a patient has several images.
        decided: Decisions (n,), class indices, or -1 where the program abstained.
        class_sizes: `fixed` for a test set whose class shares were chosen, as in a balanced test set.
        costs: Costs (k, k) of an image of the class of the row that is called the class of the column; None: there is
            no expected cost.
        abstains: Whether decisions may abstain; then there are coverage and selective accuracy.

    Returns:
        A figure per key, in table order. It is missing, with the reason, where the metric is undefined.

    Raises:
        ValueError: If decisions do not fit the images or classes, or as `multiclass_metrics` does.
    """
    count = len(scores.classes)
    if decided.shape != (len(scores),) or not ((decided >= -1) & (decided < count)).all():
        raise ValueError(f"decisions {decided.shape} must be ({len(scores)},), class indices up to {count - 1} or -1")

    def figure(metric: MulticlassMetric) -> Figure:
        value, reason = metric.evaluate(scores, decided)
        return Figure(metric.key, value, reason=reason)

    records = multiclass_metrics(scores.classes, ordered=scores.ordered, costs=costs, abstains=abstains)
    return {key: figure(metric) for key, metric in records.items()}

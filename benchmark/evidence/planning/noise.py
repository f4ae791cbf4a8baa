"""How trainings of one recipe vary in a simulation, and of which figures a simulation can be made."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import find_metric

AGREEMENT = 0.7
"""Share of the variance of an image's scores that trainings of one recipe have in common, by assumption."""
RANKING = ("auc", "average_precision")
"""The metrics of scores that normal scores are simulated for."""
_UNKNOWN_SCORES = "its interval depends on the distribution of the scores, which is unknown before a training"


@dataclass(frozen=True)
class Noise:
    """How trainings of one recipe vary.

    Attributes:
        seeds: The number of measured trainings, at least 1.
        spread: Standard deviation of the true figure between trainings, at least 0.
        agreement: Share of the variance of an image's scores that all trainings have in common, in (0, 1].
    """

    seeds: int = 1
    spread: float = 0.0
    agreement: float = AGREEMENT


def not_plannable(key: str) -> str | None:
    """Say why no plan can be made for a figure; None if one can.

    Args:
        key: The name of a metric, or for several classes its key, such as `recall:macro`.

    Returns:
        The reason in words.
    """
    metric = find_metric(key)
    if metric is not None and metric.kind == "count":
        return "a count has no interval"
    if metric is not None:
        return None if metric.uses_threshold or metric.name in RANKING else _UNKNOWN_SCORES
    several = find_multiclass(key)
    if several is not None and several.uses_decisions:
        return None
    return _UNKNOWN_SCORES

"""Intervals that may be far off: on which images or trainings they rest."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from benchmark.evidence.estimate import Caution
from benchmark.evidence.metrics.influence import Clusters
from benchmark.evidence.metrics.registry import Metric

RELIABLE = 5
"""With fewer images of a class, or effective patients (Kish 1965), no interval is certain: its coverage depends on the
shape of the scores, and was 92 to 100% in simulations."""
CAUTIONS: Mapping[Caution, str] = MappingProxyType(
    {
        "few units": f"it rests on fewer than {RELIABLE} images of a class, or on fewer than {RELIABLE} patients in "
        "effect, as where one patient has half of the images",
        "seeds differ in kind": "some seeds are no better than chance, others are better: their mean describes neither",
    }
)
"""Why an interval may be far off, to follow `an interval with this mark may be far off:`."""


def caution_about(metric: Metric, clusters: Clusters) -> Caution | None:
    """Return why an interval of a metric of two classes may be far off.

    Args:
        metric: The metric. Recall rests on the positive images alone, and specificity on the negative ones.
        clusters: Labels of the images, and which of them belong to one patient.

    Returns:
        `few units` with fewer than `RELIABLE` effective images or patients of a class; else None.
    """
    negatives, positives = clusters.effective_counts()[:2]
    population = None if metric.ratio is None else metric.ratio.population
    counts = {"positives": (positives,), "negatives": (negatives,)}.get(population or "", (negatives, positives))
    return "few units" if 0 < min(counts) < RELIABLE else None

"""Metrics of decisions: functions of the four counts. An undefined value is None, never 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmark.evidence.metrics.registry import Confusion, Ratio, register_metric

if TYPE_CHECKING:
    from benchmark.evidence.metrics.influence import Floats

_FRACTION = (0.0, 1.0)
_RECALL = Ratio((1, 0, 0, 0), (1, 0, 0, 1))
_SPECIFICITY = Ratio((0, 0, 1, 0), (0, 1, 1, 0))


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


@register_metric(
    reads="decisions",
    label="accuracy",
    aliases=("acc",),
    kind="share",
    direction="higher",
    range=_FRACTION,
    depends_on_prevalence=True,
    ratio=Ratio((1, 0, 1, 0), (1, 1, 1, 1)),
    scale="Wilson",
    display="summary",
)
def accuracy(c: Confusion) -> float | None:
    """Share of correct decisions."""
    return _ratio(c.tp + c.tn, c.tp + c.tn + c.fp + c.fn)


@register_metric(
    reads="decisions",
    label="balanced accuracy",
    aliases=("balanced_acc", "bal_acc", "bacc"),
    kind="share",
    direction="higher",
    range=_FRACTION,
    depends_on_prevalence=False,
    mean_of=(_RECALL, _SPECIFICITY),
    scale="square-and-add",
)
def balanced_accuracy(c: Confusion) -> float | None:
    """Mean of recall and specificity."""
    sensitivity, specific = recall(c), specificity(c)
    return None if sensitivity is None or specific is None else (sensitivity + specific) / 2


@register_metric(
    reads="decisions",
    label="precision",
    aliases=("ppv", "positive_predictive_value"),
    kind="share",
    direction="higher",
    range=_FRACTION,
    depends_on_prevalence=True,
    ratio=Ratio((1, 0, 0, 0), (1, 1, 0, 0)),
    scale="Wilson",
)
def precision(c: Confusion) -> float | None:
    """Share of positive decisions that are correct; undefined without a positive decision."""
    return _ratio(c.tp, c.tp + c.fp)


@register_metric(
    reads="decisions",
    label="recall",
    aliases=("sensitivity", "tpr", "true_positive_rate", "hit_rate"),
    kind="share",
    direction="higher",
    range=_FRACTION,
    depends_on_prevalence=False,
    ratio=_RECALL,
    scale="Wilson",
    display="summary",
)
def recall(c: Confusion) -> float | None:
    """Share of positives called positive (sensitivity)."""
    return _ratio(c.tp, c.tp + c.fn)


@register_metric(
    reads="decisions",
    label="specificity",
    aliases=("tnr", "true_negative_rate", "selectivity"),
    kind="share",
    direction="higher",
    range=_FRACTION,
    depends_on_prevalence=False,
    ratio=_SPECIFICITY,
    scale="Wilson",
    display="summary",
)
def specificity(c: Confusion) -> float | None:
    """Share of negatives called negative."""
    return _ratio(c.tn, c.tn + c.fp)


@register_metric(
    reads="decisions",
    label="F1",
    aliases=("f1_score", "f_score", "dice"),
    kind="share",
    direction="higher",
    range=_FRACTION,
    depends_on_prevalence=True,
    ratio=Ratio((2, 0, 0, 0), (2, 1, 0, 1)),
    scale="Dice",
)
def f1(c: Confusion) -> float | None:
    """Harmonic mean of precision and recall; undefined if no image is positive and none is called positive."""
    return _ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn)


def _mcc_influence(counts: Floats) -> Floats | None:
    import numpy as np

    tp, fp, tn, fn = counts
    called, positive, negative, uncalled = tp + fp, tp + fn, tn + fp, tn + fn
    scale = np.sqrt(called * positive * negative * uncalled)
    if not scale:
        return None
    half = (tp * tn - fp * fn) / scale / 2
    return np.array(
        [
            tn / scale - half * (1 / called + 1 / positive),
            -fn / scale - half * (1 / called + 1 / negative),
            tp / scale - half * (1 / negative + 1 / uncalled),
            -fp / scale - half * (1 / positive + 1 / uncalled),
        ]
    )


def _mcc_weighted(counts: Floats) -> Floats:
    import numpy as np

    tp, fp, tn, fn = counts
    correlation: Floats = (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return correlation


@register_metric(
    reads="decisions",
    label="MCC",
    aliases=("matthews_corrcoef",),
    kind="correlation",
    direction="higher",
    range=(-1.0, 1.0),
    depends_on_prevalence=True,
    influence=_mcc_influence,
    weighted=_mcc_weighted,
    scale="Fisher z",
    display="detail",
)
def mcc(c: Confusion) -> float | None:
    """Matthews' correlation (Matthews 1975); undefined if all decisions or all labels are of one class."""
    margins = (c.tp + c.fp) * (c.tp + c.fn) * (c.tn + c.fp) * (c.tn + c.fn)
    return _ratio(c.tp * c.tn - c.fp * c.fn, math.sqrt(margins))

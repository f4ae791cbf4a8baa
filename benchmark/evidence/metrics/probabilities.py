"""Metrics of scores, independent of the threshold: ranking (AUC, average precision) and error (Brier, log loss)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmark.evidence.metrics.registry import register_metric
from benchmark.evidence.scores import CLIP, Scores

if TYPE_CHECKING:
    from benchmark.evidence.metrics.influence import Floats, Labels


def placements(y_true: Labels, y_score: Floats) -> Floats:
    """Return the placement of each image (DeLong et al. 1988), computed by ranks as in Sun and Xu 2014.

    Args:
        y_true: Labels (n,), 0 or 1, of both classes.
        y_score: Scores (n,) in [0, 1].

    Returns:
        Placements (n,): the share of the other class that the image is ranked correctly against, ties one half.
    """
    import numpy as np

    step = np.unique(y_score, return_inverse=True)[1]
    positive = np.bincount(step, y_true)
    negative = np.bincount(step) - positive
    below = (np.cumsum(negative) - negative / 2) / negative.sum()
    above = 1 - (np.cumsum(positive) - positive / 2) / positive.sum()
    shares: Floats = np.where(y_true == 1, below[step], above[step])
    return shares


def log_losses(y_true: Labels, y_score: Floats) -> Floats:
    """Return the cross-entropy (n,) of each image in nats, scores clipped as Keras does."""
    import numpy as np

    p = np.clip(y_score, CLIP, 1 - CLIP)
    return np.where(y_true == 1, -np.log(p), -np.log1p(-p))


def _squared_errors(y_true: Labels, y_score: Floats) -> Floats:
    import numpy as np

    return np.asarray((y_score - y_true) ** 2, dtype=np.float64)


def _one_class(y_true: Labels) -> bool:
    return int(y_true.sum()) in (0, len(y_true))


def _auc_influence(y_true: Labels, y_score: Floats) -> Floats | None:
    if _one_class(y_true):
        return None
    import numpy as np

    positives = int(y_true.sum())
    shares = placements(y_true, y_score)
    area = shares[y_true == 1].mean()
    influence: Floats = (shares - area) / np.where(y_true == 1, positives, len(y_true) - positives)
    return influence


def _average_precision_influence(y_true: Labels, y_score: Floats) -> Floats | None:
    if _one_class(y_true):
        return None
    import numpy as np

    positives = int(y_true.sum())
    step = np.unique(-y_score, return_inverse=True)[1]  # one step of the curve per distinct score, highest first
    here = np.bincount(step, y_true)
    tp, called = np.cumsum(here), np.cumsum(np.bincount(step))
    precision = tp / called
    value = here @ precision / positives

    def after(values: Floats) -> Floats:
        """Return the sum over a step and all later steps."""
        return np.cumsum(values[::-1])[::-1]

    gain = (precision - value + after(here * (called - tp) / called**2)) / positives
    loss = -after(here * tp / called**2) / positives
    return np.where(y_true == 1, gain[step], loss[step])


def _steps(y_true: Labels, y_score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the weights of positive decisions and of true positives (distinct scores, r), by falling threshold."""
    import numpy as np

    order = np.argsort(-y_score, kind="stable")
    called = np.cumsum(weights[order], axis=0)
    tp = np.cumsum(weights[order] * y_true[order].astype(np.float64)[:, None], axis=0)
    last = np.append(np.flatnonzero(np.diff(y_score[order]) != 0), len(y_true) - 1)  # index per distinct score
    return (called[last], tp[last]) if len(last) < len(weights) else (called, tp)


def _auc_weighted(y_true: Labels, y_score: Floats, weights: Floats) -> Floats:
    import numpy as np

    called, tp = _steps(y_true, y_score, weights)
    positives, negatives = tp[-1], called[-1] - tp[-1]
    here = np.diff(tp, axis=0, prepend=0)
    fp_here = np.diff(called - tp, axis=0, prepend=0)
    area: Floats = np.einsum("sr,sr->r", fp_here, tp - here / 2) / (positives * negatives)
    return area


def _average_precision_weighted(y_true: Labels, y_score: Floats, weights: Floats) -> Floats:
    import numpy as np

    called, tp = _steps(y_true, y_score, weights)
    positives, negatives = tp[-1], called[-1] - tp[-1]
    here = np.diff(tp, axis=0, prepend=0)
    area = np.einsum("sr,sr->r", here, tp / np.maximum(called, np.finfo(float).tiny))
    return np.where(negatives > 0, area / positives, np.nan)


@register_metric(
    reads="scores",
    label="AUC",
    aliases=("auroc", "roc_auc", "auc_roc", "c_statistic"),
    kind="share",
    direction="higher",
    range=(0.0, 1.0),
    depends_on_prevalence=False,
    influence=_auc_influence,
    weighted=_auc_weighted,
    scale="logit",
    variance="DeLong",
    display="summary",
)
def auc(scores: Scores) -> float | None:
    """Area under the ROC curve, ties one half; undefined unless both classes are present."""
    if _one_class(scores.y_true):
        return None
    return float(placements(scores.y_true, scores.y_score)[scores.y_true == 1].mean())


@register_metric(
    reads="scores",
    label="average precision",
    aliases=("ap", "auprc", "pr_auc", "auc_pr"),
    kind="share",
    direction="higher",
    range=(0.0, 1.0),
    depends_on_prevalence=True,
    influence=_average_precision_influence,
    weighted=_average_precision_weighted,
    scale="logit",
    display="detail",
)
def average_precision(scores: Scores) -> float | None:
    """Area under the precision-recall steps; undefined unless both classes are present."""
    if _one_class(scores.y_true):
        return None
    import numpy as np

    return float(_average_precision_weighted(scores.y_true, scores.y_score, np.ones((len(scores), 1)))[0])


@register_metric(
    reads="scores",
    label="brier",
    aliases=("brier_score",),
    kind="loss",
    direction="lower",
    range=(0.0, 1.0),
    depends_on_prevalence=True,
    per_image=_squared_errors,
    scale="log",
)
def brier(scores: Scores) -> float | None:
    """Mean squared difference of score and label (Brier 1950)."""
    return float(_squared_errors(scores.y_true, scores.y_score).mean())


@register_metric(
    reads="scores",
    label="log loss",
    aliases=("cross_entropy", "logloss"),
    kind="loss",
    direction="lower",
    range=(0.0, -math.log(CLIP)),
    depends_on_prevalence=True,
    per_image=log_losses,
    scale="log",
)
def log_loss(scores: Scores) -> float | None:
    """Mean binary cross-entropy in nats, scores clipped to 1e-7 as Keras does."""
    return float(log_losses(scores.y_true, scores.y_score).mean())

"""What decisions by these scores are worth: net benefit, and predictive values at a stated prevalence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from benchmark.evidence.intervals.formulas import Bounds
from benchmark.evidence.metrics.definitions import Confusion, Figure
from benchmark.evidence.scores import Scores

THRESHOLDS = tuple(percent / 100 for percent in range(1, 100))
"""Threshold probabilities of a decision curve."""

PREVALENCES = (0.05, 0.15, 0.25)
"""Shares of positives for which predictive values are stated."""

_EXTREME = 50.0  # log of a ratio of proportions beyond every limit that counts of images can give


@dataclass(frozen=True)
class NetBenefit:
    """Net benefit at a threshold probability, in true positives an image: of treating those whose score reaches it,
    all, and none. `model` is None where the curve's `reason` says why."""

    threshold: float
    model: float | None
    treat_all: float
    treat_none: float = 0.0


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit by threshold probability where `prevalence`, in [0, 1], of the images are positive."""

    prevalence: float
    points: tuple[NetBenefit, ...]
    reason: str | None = None

    def better_than_both(self) -> tuple[float, ...]:
        """Threshold probabilities at which the model is worth more than treating all and than treating none."""
        return tuple(
            point.threshold
            for point in self.points
            if point.model is not None and point.model > max(point.treat_all, point.treat_none)
        )


@dataclass(frozen=True)
class PredictiveValues:
    """`ppv`, the share of positives among images called positive, and `npv`, that of negatives among those called
    negative, where `prevalence` of all images are positive."""

    prevalence: float
    ppv: Figure
    npv: Figure


def decision_curve(
    scores: Scores, thresholds: Sequence[float] = THRESHOLDS, prevalence: float | None = None
) -> DecisionCurve:
    """Net benefit (Vickers and Elkin 2006): true positives less false positives at the odds t / (1 - t) of the
    threshold probability t, an image; at the sample's prevalence or a stated one.

    It reads scores as probabilities: assess or calibrate them first. Raises ValueError for a threshold outside [0, 1)
    and a stated prevalence outside (0, 1).
    """
    cuts = np.asarray(thresholds, dtype=np.float64)
    if not ((cuts >= 0) & (cuts < 1)).all():
        raise ValueError("a threshold probability must be within [0, 1)")
    positive = np.sort(scores.y_score[scores.y_true == 1])
    negative = np.sort(scores.y_score[scores.y_true == 0])
    called_positive = len(positive) - np.searchsorted(positive, cuts, side="left")
    called_negative = len(negative) - np.searchsorted(negative, cuts, side="left")
    share = len(positive) / len(scores) if prevalence is None else _valid(prevalence)
    odds = cuts / (1 - cuts)
    treat_all = (share - (1 - share) * odds).tolist()
    if prevalence is not None and not (len(positive) and len(negative)):
        reason = "one class is missing: its rate at another prevalence is not known"
        points = (NetBenefit(cut, None, everyone) for cut, everyone in zip(cuts.tolist(), treat_all, strict=True))
        return DecisionCurve(share, tuple(points), reason)
    # A class that is missing from the sample has no share at its own prevalence, whatever its rate.
    benefit = share * called_positive / max(len(positive), 1)
    harm = (1 - share) * called_negative / max(len(negative), 1) * odds
    model = (benefit - harm).tolist()
    return DecisionCurve(share, tuple(map(NetBenefit, cuts.tolist(), model, treat_all)))


def predictive_values(
    counted: Confusion,
    prevalences: Sequence[float] = PREVALENCES,
    level: float = 0.95,
    *,
    worth: tuple[float, float] | None = None,
) -> tuple[PredictiveValues, ...]:
    """Predictive values by Bayes' rule from the sensitivity and specificity of `counted`, with intervals.

    At a given prevalence a predictive value rises with a likelihood ratio, a ratio of two independent proportions; its
    limits are those of the ratio by Koopman's (1984) score interval. Unlike the logit interval of Mercaldo et al.
    (2007) it exists where an error never happened. Where patients have several images, `worth` is how many independent
    ones the negatives and the positives are worth (Rao and Scott 1992), as `effective_sample_sizes` gives it; None:
    what they are. Undefined, with the reason, where a class is missing or nothing is called so.

    Raises ValueError for a prevalence or level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} must be within (0, 1)")
    z = float(norm.ppf(0.5 + level / 2))
    positives, negatives = counted.tp + counted.fn, counted.tn + counted.fp
    of_negatives, of_positives = (1.0, 1.0)
    if worth is not None and positives and negatives:
        of_negatives, of_positives = worth[0] / negatives, worth[1] / positives
    tp, fn = counted.tp * of_positives, counted.fn * of_positives
    fp, tn = counted.fp * of_negatives, counted.tn * of_negatives
    method = "Koopman, likelihood ratio" + ("" if worth is None else ", by patient")
    called_positive = _likelihood_ratio(tp, tp + fn, fp, tn + fp, z, "positive")
    called_negative = _likelihood_ratio(tn, tn + fp, fn, tp + fn, z, "negative")
    return tuple(
        PredictiveValues(
            prevalence,
            ppv=_predictive_value("ppv", method, called_positive, _valid(prevalence)),
            npv=_predictive_value("npv", method, called_negative, 1 - prevalence),
        )
        for prevalence in prevalences
    )


def _likelihood_ratio(
    k1: float, n1: float, k2: float, n2: float, z: float, called: str
) -> tuple[float, float, float] | str:
    """(k1 / n1) / (k2 / n2) and its limits, infinite where k2 is 0; or why there is none."""
    if not n1 or not n2:
        return "one class is missing"
    if not k1 and not k2:
        return f"no image is called {called}"
    return ((k1 / n1) / (k2 / n2) if k2 else math.inf), *_koopman(k1, n1, k2, n2, z)


def _predictive_value(metric: str, method: str, ratio: tuple[float, float, float] | str, share: float) -> Figure:
    if isinstance(ratio, str):
        return Figure.missing(metric, ratio)
    value, low, high = (_posterior(found, share) for found in ratio)
    return Figure(metric, value, low, high, method)


def _posterior(ratio: float, share: float) -> float:
    return 1.0 if math.isinf(ratio) else ratio * share / (ratio * share + 1 - share)


def _koopman(k1: float, n1: float, k2: float, n2: float, z: float) -> Bounds:
    """Score interval of (k1 / n1) / (k2 / n2): the ratios that a score test does not reject (Koopman 1984)."""

    def deviation(log_ratio: float) -> float:
        ratio = math.exp(log_ratio)
        # The second proportion, most likely under this ratio: a root of a x^2 - b x + c, in the form that is stable;
        # its discriminant as a sum of two terms, since b^2 and 4 a c cancel where nearly all are called so.
        b, c = ratio * (n1 + k2) + k1 + n2, k1 + k2
        root = math.sqrt((ratio * (n1 + k2) - (k1 + n2)) ** 2 + 4 * ratio * (n1 - k1) * (n2 - k2))
        second = min(1.0, 2 * c / (b + root))
        first = min(1.0, ratio * second)
        variance = first * (1 - first) / n1 + ratio * ratio * second * (1 - second) / n2
        return (k1 / n1 - ratio * k2 / n2) / math.sqrt(variance) if variance > 0 else 0.0

    def limit(at: float) -> float:
        return math.exp(brentq(lambda x: deviation(x) - at, -_EXTREME, _EXTREME, xtol=1e-12))

    return (limit(z) if k1 else 0.0), (limit(-z) if k2 else math.inf)


def _valid(prevalence: float) -> float:
    if not 0 < prevalence < 1:
        raise ValueError(f"prevalence {prevalence} must be within (0, 1)")
    return prevalence

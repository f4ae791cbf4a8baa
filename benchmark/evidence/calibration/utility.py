"""Usefulness of decisions: net benefit, and predictive values at a stated prevalence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from scipy.special import ndtri

from benchmark.evidence.intervals.formulas import Bounds
from benchmark.evidence.metrics.registry import Confusion, Figure
from benchmark.evidence.scores import Scores

THRESHOLDS = tuple(percent / 100 for percent in range(1, 100))
"""Threshold probabilities of a decision curve."""

PREVALENCES = (0.05, 0.15, 0.25)
"""Prevalences at which predictive values are computed."""

_EXTREME = 50.0  # log of a ratio of proportions, beyond the limits of any realistic image counts


@dataclass(frozen=True)
class NetBenefit:
    """Net benefit at a threshold probability, in true positives per image.

    Attributes:
        threshold: The threshold probability.
        model: Net benefit of treating images with a score of at least `threshold`; None if undefined.
        treat_all: Net benefit of treating all images.
        treat_none: Net benefit of treating none.
    """

    threshold: float
    model: float | None
    treat_all: float
    treat_none: float = 0.0


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit by threshold probability.

    Attributes:
        prevalence: The assumed share of positives, in [0, 1].
        points: Net benefit at each threshold probability.
        reason: Why the net benefit of the model is undefined.
    """

    prevalence: float
    points: tuple[NetBenefit, ...]
    reason: str | None = None

    def better_than_both(self) -> tuple[float, ...]:
        """Return the threshold probabilities at which the model has more net benefit than treating all or none."""
        return tuple(
            point.threshold
            for point in self.points
            if point.model is not None and point.model > max(point.treat_all, point.treat_none)
        )


@dataclass(frozen=True)
class PredictiveValues:
    """Predictive values at a prevalence.

    Attributes:
        prevalence: The assumed share of positives, in (0, 1).
        ppv: The share of positives among positive predictions.
        npv: The share of negatives among negative predictions.
    """

    prevalence: float
    ppv: Figure
    npv: Figure


def decision_curve(
    scores: Scores, thresholds: Sequence[float] = THRESHOLDS, prevalence: float | None = None
) -> DecisionCurve:
    """Compute net benefit (Vickers and Elkin 2006) by threshold probability.

    At a threshold probability t it is the number of true positives minus that of false positives times t / (1 - t), per
    image. It treats scores as probabilities: assess or calibrate them first.

    Args:
        scores: Scores of any split.
        thresholds: Threshold probabilities in [0, 1).
        prevalence: The assumed share of positives, in (0, 1); None for that of the sample.

    Returns:
        The decision curve.

    Raises:
        ValueError: A threshold probability or the prevalence is out of range.
    """
    cuts = np.asarray(thresholds, dtype=np.float64)
    if not ((cuts >= 0) & (cuts < 1)).all():
        raise ValueError("a threshold probability must be within [0, 1)")
    positive = np.sort(scores.y_score[scores.y_true == 1])
    negative = np.sort(scores.y_score[scores.y_true == 0])
    true_positives = len(positive) - np.searchsorted(positive, cuts, side="left")
    false_positives = len(negative) - np.searchsorted(negative, cuts, side="left")
    share = len(positive) / len(scores) if prevalence is None else _valid(prevalence)
    odds = cuts / (1 - cuts)
    treat_all = (share - (1 - share) * odds).tolist()
    if prevalence is not None and not (len(positive) and len(negative)):
        reason = "one class is missing: net benefit at another prevalence is undefined"
        points = (NetBenefit(cut, None, benefit) for cut, benefit in zip(cuts.tolist(), treat_all, strict=True))
        return DecisionCurve(share, tuple(points), reason)
    # A class that is missing contributes nothing at the prevalence of the sample.
    benefit = share * true_positives / max(len(positive), 1)
    harm = (1 - share) * false_positives / max(len(negative), 1) * odds
    model = (benefit - harm).tolist()
    return DecisionCurve(share, tuple(map(NetBenefit, cuts.tolist(), model, treat_all)))


def predictive_values(
    matrix: Confusion,
    prevalences: Sequence[float] = PREVALENCES,
    level: float = 0.95,
    *,
    effective_sizes: tuple[float, float] | None = None,
) -> tuple[PredictiveValues, ...]:
    """Compute predictive values with intervals by Bayes' rule from sensitivity and specificity.

    At a given prevalence a predictive value increases with a likelihood ratio, which is a ratio of two independent
    proportions. Its interval comes from Koopman's (1984) score interval of that ratio. Unlike the logit interval of
    Mercaldo et al. (2007), it exists even if one kind of error did not occur.

    Args:
        matrix: The confusion matrix.
        prevalences: Assumed shares of positives, in (0, 1).
        level: Confidence level, in (0, 1).
        effective_sizes: Effective sample sizes of the negatives and the positives (Rao and Scott 1992), from
            `effective_sample_sizes`; None for the numbers of images.

    Returns:
        Predictive values at each prevalence; undefined, with the reason, if a class is missing or never predicted.

    Raises:
        ValueError: A prevalence or the level is out of range.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} must be within (0, 1)")
    z = float(ndtri(0.5 + level / 2))
    positives, negatives = matrix.tp + matrix.fn, matrix.tn + matrix.fp
    of_negatives, of_positives = (1.0, 1.0)
    if effective_sizes is not None and positives and negatives:
        of_negatives, of_positives = effective_sizes[0] / negatives, effective_sizes[1] / positives
    tp, fn = matrix.tp * of_positives, matrix.fn * of_positives
    fp, tn = matrix.fp * of_negatives, matrix.tn * of_negatives
    method = "Koopman, likelihood ratio" + ("" if effective_sizes is None else ", by patient")
    positive_ratio = _likelihood_ratio(tp, tp + fn, fp, tn + fp, z, "positive")
    negative_ratio = _likelihood_ratio(tn, tn + fp, fn, tp + fn, z, "negative")
    return tuple(
        PredictiveValues(
            prevalence,
            ppv=_predictive_value("ppv", method, positive_ratio, _valid(prevalence)),
            npv=_predictive_value("npv", method, negative_ratio, 1 - prevalence),
        )
        for prevalence in prevalences
    )


def _likelihood_ratio(
    k1: float, n1: float, k2: float, n2: float, z: float, label: str
) -> tuple[float, float, float] | str:
    """(k1 / n1) / (k2 / n2) and its limits, infinite if k2 is 0; or why it is undefined."""
    if not n1 or not n2:
        return "one class is missing"
    if not k1 and not k2:
        return f"no image is predicted {label}"
    return ((k1 / n1) / (k2 / n2) if k2 else math.inf), *_koopman(k1, n1, k2, n2, z)


def _predictive_value(metric: str, method: str, ratio: tuple[float, float, float] | str, share: float) -> Figure:
    if isinstance(ratio, str):
        return Figure.missing(metric, ratio)
    value, low, high = (_posterior(each, share) for each in ratio)
    return Figure(metric, value, low, high, method)


def _posterior(ratio: float, share: float) -> float:
    return 1.0 if math.isinf(ratio) else ratio * share / (ratio * share + 1 - share)


def _koopman(k1: float, n1: float, k2: float, n2: float, z: float) -> Bounds:
    """Score interval of (k1 / n1) / (k2 / n2): the ratios that a score test does not reject (Koopman 1984)."""

    def deviation(log_ratio: float) -> float:
        ratio = math.exp(log_ratio)
        # The maximum likelihood estimate of the second proportion at this ratio is a root of a x^2 - b x + c, here in
        # its stable form. The discriminant is a sum of two terms, since b^2 and 4 a c nearly cancel for large shares.
        b, c = ratio * (n1 + k2) + k1 + n2, k1 + k2
        root = math.sqrt((ratio * (n1 + k2) - (k1 + n2)) ** 2 + 4 * ratio * (n1 - k1) * (n2 - k2))
        second = min(1.0, 2 * c / (b + root))
        first = min(1.0, ratio * second)
        variance = first * (1 - first) / n1 + ratio * ratio * second * (1 - second) / n2
        return (k1 / n1 - ratio * k2 / n2) / math.sqrt(variance) if variance > 0 else 0.0

    def limit(at: float) -> float:
        return math.exp(scipy.optimize.brentq(lambda x: deviation(x) - at, -_EXTREME, _EXTREME, xtol=1e-12))

    return (limit(z) if k1 else 0.0), (limit(-z) if k2 else math.inf)


def _valid(prevalence: float) -> float:
    if not 0 < prevalence < 1:
        raise ValueError(f"prevalence {prevalence} must be within (0, 1)")
    return prevalence

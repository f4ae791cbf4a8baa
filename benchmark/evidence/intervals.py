"""Confidence intervals of proportions and areas under the ROC curve."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

Bounds = tuple[float, float]


def wilson(successes: int, n: int, level: float = 0.95) -> Bounds:
    """Wilson's score interval of a proportion (Wilson 1927). Raises ValueError unless 0 <= successes <= n, n > 0."""
    if not 0 <= successes <= n or n <= 0:
        raise ValueError(f"{successes} of {n} is not a proportion")
    z = _z(level)
    p = successes / n
    scale = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def wilson_from_rate(value: float, n: int, decimals: int, level: float = 0.95) -> Bounds | None:
    """Wilson's interval of a printed proportion of n; None when no whole number of n prints as `value`."""
    successes = round(value * n)
    if not 0 <= successes <= n or abs(successes / n - value) > 0.5 * 10.0**-decimals + 1e-12:
        return None
    return wilson(successes, n, level)


def newcombe(k1: int, n1: int, k2: int, n2: int, level: float = 0.95) -> Bounds:
    """Interval of p1 - p2 of two independent proportions (Newcombe 1998, method 10)."""
    p1, p2 = k1 / n1, k2 / n2
    (l1, u1), (l2, u2) = wilson(k1, n1, level), wilson(k2, n2, level)
    difference = p1 - p2
    return (
        difference - math.hypot(p1 - l1, u2 - p2),
        difference + math.hypot(u1 - p1, p2 - l2),
    )


def hanley_mcneil(auc: float, positives: int, negatives: int) -> float:
    """Standard error of an AUC from its value and the class sizes alone (Hanley and McNeil 1982)."""
    if not 0 <= auc <= 1 or positives < 1 or negatives < 1:
        raise ValueError(f"AUC {auc} with {positives} + {negatives} images is not possible")
    q1 = auc / (2 - auc)
    q2 = 2 * auc * auc / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc * auc) + (negatives - 1) * (q2 - auc * auc)
    return math.sqrt(max(0.0, variance) / (positives * negatives))


def delong(y_true: npt.NDArray[np.int64], y_score: npt.NDArray[np.float64]) -> tuple[float, float]:
    """AUC and its variance (DeLong et al. 1988) by midranks (Sun and Xu 2014); ties count one half.

    Raises ValueError unless both classes are there.
    """
    positive, negative = y_score[y_true == 1], y_score[y_true == 0]
    m, n = len(positive), len(negative)
    if not m or not n:
        raise ValueError("an AUC needs both classes")
    ranks = rankdata(np.concatenate([positive, negative]))
    v10 = (ranks[:m] - rankdata(positive)) / n
    v01 = 1 - (ranks[m:] - rankdata(negative)) / m
    variance = (v10.var(ddof=1) / m if m > 1 else 0.0) + (v01.var(ddof=1) / n if n > 1 else 0.0)
    return float(v10.mean()), float(variance)


def delong_interval(auc: float, variance: float, level: float = 0.95) -> Bounds | None:
    """Interval of an AUC on the logit scale, which stays within (0, 1); None where the AUC is 0 or 1 or has no
    variance, since the method gives none there."""
    if not 0 < auc < 1 or variance <= 0:
        return None
    logit = math.log(auc / (1 - auc))
    half = _z(level) * math.sqrt(variance) / (auc * (1 - auc))
    return _expit(logit - half), _expit(logit + half)


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _z(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level {level} must be within (0, 1)")
    return float(norm.ppf(0.5 + level / 2))

"""Observed over expected events: whether probabilities are right on average."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from benchmark.evidence.intervals.formulas import t_quantile
from benchmark.evidence.intervals.uncertainty import of_proportion
from benchmark.evidence.metrics.influence import Clusters
from benchmark.evidence.metrics.registry import Figure, get_metric
from benchmark.evidence.scores import Scores

OBSERVED_EXPECTED = "observed_expected"
"""The key of the ratio."""


def observed_expected(scores: Scores, level: float = 0.95) -> Figure:
    """Return the ratio of observed positives to the sum of the probabilities; 1 is best.

    The interval is that of a Poisson regression of the labels on a constant with the log probability as offset and the
    cluster-robust variance of Liang and Zeger (1986), on the log scale. Each image is its own cluster unless patients
    have several. The t quantile has the degrees of freedom of the patients with a positive image.

    Args:
        scores: Labels and probabilities of images from elsewhere.
        level: Confidence level, in (0, 1).

    Returns:
        The ratio, 0 or more. It has no interval, with the reason, with fewer than two patients with a positive image.
    """
    expected = float(scores.y_score.sum())
    observed = int(scores.y_true.sum())
    if expected <= 0:
        return Figure.missing(OBSERVED_EXPECTED, "every probability is 0: nothing is expected")
    ratio = observed / expected
    clusters = Clusters(scores.y_true, scores.patient)
    unit = "patients" if clusters.repeated else "images"
    if clusters.counts[1] < 2:
        return Figure(OBSERVED_EXPECTED, ratio, reason=f"an interval needs two positive {unit}")
    sums = clusters.sums((scores.y_true - ratio * scores.y_score)[None])[0]
    error = math.sqrt(float(sums @ sums) * clusters.count / (clusters.count - 1)) / observed
    half = t_quantile(level, clusters.counts[1] - 1) * error
    method = f"robust Poisson, log scale{', by patient' if clusters.repeated else ''}"
    return Figure(OBSERVED_EXPECTED, ratio, ratio * math.exp(-half), ratio * math.exp(half), method)


def share_of(key: str, is_member: npt.NDArray[np.bool_], patient: tuple[str, ...] | None) -> Figure:
    """Return the share of images that are members, such as positives or unlike images, with its interval.

    Args:
        key: The key of the figure.
        is_member: Whether each image counts (n,), at least one image.
        patient: The patient of each image; None where patients are not known.

    Returns:
        The share with Wilson's interval; by patient, with an effective sample size, if patients have several images.
    """
    member = is_member.astype(np.float64)
    clusters = Clusters(np.zeros(len(member), dtype=np.int64), patient)
    by = ", by patient" if clusters.repeated else ""
    if clusters.repeated and clusters.count < 2:
        return Figure(key, float(member.mean()), reason="one patient alone shows no spread")
    influence = (member - member.mean()) / len(member)
    low, high = of_proportion(get_metric("accuracy"), member, np.ones(len(member)), influence, clusters, exact=True)
    return Figure(key, float(member.mean()), low, high, f"Wilson{by}")

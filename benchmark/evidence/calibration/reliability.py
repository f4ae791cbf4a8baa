"""Reliability: how well scores agree with observed frequencies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy
from scipy.special import expit, ndtri, stdtrit

from benchmark.evidence.calibration.calibrators import SAME, logistic_fit, logit
from benchmark.evidence.intervals.formulas import wilson
from benchmark.evidence.metrics.probabilities import brier, log_loss
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import Scores

Binning = Literal["mass", "width"]

_CELLS = 4096  # of the grid over [0, 1] for the smooth calibration error

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BrierParts:
    """The decomposition of the Brier score, which equals `reliability - resolution + uncertainty` exactly.

    The resolution is the generalised one of Stephenson et al. (2008): it includes the variance of scores within a bin
    and their covariance with the labels, which Murphy's (1973) three parts omit. If every bin contains one distinct
    score, the parts are Murphy's.
    """

    reliability: float
    resolution: float
    uncertainty: float


@dataclass(frozen=True)
class ReliabilityBin:
    """A bin of a reliability curve.

    Attributes:
        n: Number of images.
        mean_score: Their mean score.
        share: The share of positives.
        low: Lower end of the 95% Wilson interval of `share`, which treats images as independent.
        high: Upper end.
    """

    n: int
    mean_score: float
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Reliability:
    """Calibration of scores.

    All errors are 0 at best. On a finite sample they are above 0 even for calibrated scores, whose slope is 1 and whose
    intercepts are 0 within sampling error.

    Attributes:
        n: Number of images.
        prevalence: The share of positives.
        log_loss: In nats.
        brier: In [0, 1].
        parts: The decomposition of `brier`.
        bins: The requested number of bins.
        binning: Whether bins are equal in number of images (`mass`) or in range of scores (`width`).
        ece: Expected calibration error in [0, 1]: the mean over images of |share - mean score| of their bin.
        smooth_ece: Smooth calibration error in [0, 1].
        slope: Slope of the logistic recalibration.
        intercept: Intercept of the logistic recalibration.
        in_the_large: Intercept with the slope fixed at 1.
        curve: The bins that contain images.
    """

    n: int
    prevalence: float
    log_loss: float
    brier: float
    parts: BrierParts
    bins: int
    binning: Binning
    ece: float
    smooth_ece: float
    slope: Figure
    intercept: Figure
    in_the_large: Figure
    curve: tuple[ReliabilityBin, ...]


def assess(scores: Scores, bins: int = 10, binning: Binning = "mass") -> Reliability:
    """Assess the calibration of scores.

    Args:
        scores: Scores of any split.
        bins: Maximum number of bins, at least 1. Bins are those of scikit-learn's `calibration_curve`: tied scores are
            in one bin, so that there may be fewer bins of equal mass.
        binning: `mass` for bins with equal numbers of images, `width` for bins with equal ranges of scores.

    Returns:
        The calibration.

    Raises:
        ValueError: There is less than one bin, or the binning is unknown.
    """
    index = _bin_index(scores.y_score, bins, binning)
    slope, intercept = _recalibration(scores)
    nats, squared = log_loss(scores), brier(scores)
    assert nats is not None
    assert squared is not None
    curve = _curve(scores, index)
    return Reliability(
        n=len(scores),
        prevalence=float(np.mean(scores.y_true)),
        log_loss=nats,
        brier=squared,
        parts=_brier_parts(scores, index),
        bins=bins,
        binning=binning,
        ece=sum(part.n * abs(part.share - part.mean_score) for part in curve) / len(scores),
        smooth_ece=smooth_ece(scores),
        slope=slope,
        intercept=intercept,
        in_the_large=_in_the_large(scores),
        curve=curve,
    )


def smooth_ece(scores: Scores) -> float:
    """Compute the smooth calibration error (Blasiok and Nakkiran 2024).

    A Gaussian kernel, reflected at 0 and 1, smooths the residuals (label - score) over the scores. The error is the
    integral of the absolute smoothed residuals at the one bandwidth that equals it, so that neither bins nor a
    bandwidth must be chosen. Unlike the binned error it is continuous in the scores, and within constant factors of the
    distance to the nearest calibrated scores.

    Args:
        scores: Scores of any split.

    Returns:
        The error in [0, 1].
    """
    cell = np.minimum((scores.y_score * _CELLS).astype(np.int64), _CELLS - 1)
    residual = np.bincount(cell, (scores.y_true - scores.y_score) / len(scores), minlength=_CELLS)
    # Cosines are symmetric at 0 and 1, so the kernel scales each of them by a factor.
    waves, frequency = scipy.fft.dct(residual), np.pi * np.arange(_CELLS)

    def excess(bandwidth: float) -> float:
        smoothed = scipy.fft.idct(waves * np.exp(-0.5 * (frequency * bandwidth) ** 2))
        return float(np.sum(np.abs(smoothed))) - bandwidth

    if excess(0.0) <= 0:
        return 0.0
    return min(1.0, float(scipy.optimize.brentq(excess, 0.0, 2.0, xtol=1e-9)))


def _bin_index(y_score: _Floats, bins: int, binning: str) -> npt.NDArray[np.int64]:
    if bins < 1:
        raise ValueError(f"{bins} bins: at least 1 is needed")
    cuts = np.linspace(0, 1, bins + 1)
    if binning == "mass":
        cuts = np.percentile(y_score, cuts * 100)
    elif binning != "width":
        raise ValueError(f"unknown binning '{binning}'; known: mass, width")
    return np.searchsorted(cuts[1:-1], y_score)


def _curve(scores: Scores, index: npt.NDArray[np.int64]) -> tuple[ReliabilityBin, ...]:
    curve = []
    for number in np.unique(index):
        inside = index == number
        n, positives = int(np.sum(inside)), int(np.sum(scores.y_true[inside]))
        mean_score = float(np.mean(scores.y_score[inside]))
        curve.append(ReliabilityBin(n, mean_score, positives / n, *wilson(positives, n)))
    return tuple(curve)


def _brier_parts(scores: Scores, index: npt.NDArray[np.int64]) -> BrierParts:
    n = np.maximum(np.bincount(index), 1)
    share = (np.bincount(index, scores.y_true) / n)[index]
    mean_score = (np.bincount(index, scores.y_score) / n)[index]
    prevalence = np.mean(scores.y_true)
    off_score, off_label = scores.y_score - mean_score, scores.y_true - share
    within = np.mean(off_score**2) - 2 * np.mean(off_score * off_label)
    return BrierParts(
        reliability=float(np.mean((mean_score - share) ** 2)),
        resolution=float(np.mean((share - prevalence) ** 2) - within),
        uncertainty=float(prevalence * (1 - prevalence)),
    )


def _recalibration(scores: Scores) -> tuple[Figure, Figure]:
    """Slope and intercept of the logistic regression of labels on the logit of scores (Cox 1958)."""
    x = logit(scores.y_score)
    reason = _no_slope(x, scores.y_true)
    if reason is not None:
        return Figure.missing("calibration_slope", reason), Figure.missing("calibration_intercept", reason)
    slope, intercept = logistic_fit(x, scores.y_true)
    rarer = min(_patients(scores, label) for label in (0, 1))
    design = np.column_stack([x, np.ones_like(x)])
    half, method = _half_widths(design, scores, expit(slope * x + intercept), rarer - 1)
    return (
        _figure("calibration_slope", slope, half, 0, method),
        _figure("calibration_intercept", intercept, half, 1, method),
    )


def _in_the_large(scores: Scores) -> Figure:
    """Calibration in the large: the intercept with the slope fixed at 1."""
    if len(np.unique(scores.y_true)) < 2:
        return Figure.missing("calibration_in_the_large", "one class is missing: there is no finite intercept")
    x, positives = logit(scores.y_score), np.sum(scores.y_true)

    def excess(shift: float) -> float:
        return float(np.sum(expit(x + shift)) - positives)

    # Beyond these limits all logits are on one side of the logit of the prevalence.
    aim = math.log(positives / (len(x) - positives))
    shift = float(scipy.optimize.brentq(excess, aim - x.max() - 1, aim - x.min() + 1, xtol=1e-12))
    half, method = _half_widths(np.ones((len(x), 1)), scores, expit(x + shift), _patients(scores) - 1)
    return _figure("calibration_in_the_large", shift, half, 0, method)


def _no_slope(x: _Floats, y_true: npt.NDArray[np.int64]) -> str | None:
    positive, negative = x[y_true == 1], x[y_true == 0]
    if not len(positive) or not len(negative):
        return "one class is missing"
    if np.ptp(x) < SAME:
        return "all scores are the same"
    if positive.min() >= negative.max() or negative.min() >= positive.max():
        return "the scores separate the classes: there is no finite slope"
    return None


def _patients(scores: Scores, label: int | None = None) -> int:
    """Number of patients with an image of `label`, or of any; of images if patients are unknown."""
    groups = np.array(scores.patient or range(len(scores)))
    return len(np.unique(groups if label is None else groups[scores.y_true == label]))


def _half_widths(design: _Floats, scores: Scores, fitted: _Floats, degrees: int) -> tuple[_Floats | None, str | None]:
    """Half-widths of the 95% intervals of logistic regression coefficients, and the method.

    Wald intervals use the model's variance. If patients have several images, they use the cluster-robust variance of
    Liang and Zeger (1986) and a t distribution with `degrees` of freedom; there is no interval for less than one. For
    a slope, `degrees` comes from the patients of the rarer class: with all patients, coverage drops to 90% if that
    class has about ten.
    """
    bread = np.linalg.inv(design.T @ (design * (fitted * (1 - fitted))[:, None]))
    if _patients(scores) == len(scores):
        return ndtri(0.975) * np.sqrt(np.diag(bread)), "Wald"
    if degrees < 1:
        return None, None
    group = np.unique(scores.patient or (), return_inverse=True)[1]
    by_patient = np.zeros((group.max() + 1, design.shape[1]))
    np.add.at(by_patient, group, design * (scores.y_true - fitted)[:, None])
    meat = by_patient.T @ by_patient * len(by_patient) / (len(by_patient) - 1)
    return stdtrit(degrees, 0.975) * np.sqrt(np.diag(bread @ meat @ bread)), "Wald, clustered by patient"


def _figure(metric: str, value: float, half: _Floats | None, coefficient: int, method: str | None) -> Figure:
    if half is None:
        return Figure(metric, value, reason="no interval: a class, or the split, has one patient")
    width = float(half[coefficient])
    return Figure(metric, value, value - width, value + width, method)

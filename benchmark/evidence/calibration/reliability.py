"""How far scores can be read as probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.fft import dct, idct
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm, t

from benchmark.evidence.calibration.calibrators import SAME, logistic_fit, logit
from benchmark.evidence.intervals.formulas import wilson
from benchmark.evidence.metrics.definitions import Figure
from benchmark.evidence.metrics.probabilities import brier, log_loss
from benchmark.evidence.scores import Scores

Binning = Literal["mass", "width"]

_CELLS = 4096  # of [0, 1], for the smooth calibration error

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BrierParts:
    """`reliability - resolution + uncertainty` is the Brier score, exactly.

    Murphy's (1973) parts over the bins, except that the spread of scores within a bin and its covariance with the
    labels, which his three parts leave out, belong to the resolution (the generalised resolution of Stephenson et al.
    2008). Within bins of one distinct score they are nothing, and the parts are Murphy's.
    """

    reliability: float
    resolution: float
    uncertainty: float


@dataclass(frozen=True)
class ReliabilityBin:
    """`n` images, their mean score, the share of positives among them and its 95% Wilson interval, in which images
    count as independent."""

    n: int
    mean_score: float
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Reliability:
    """Calibration of the scores of `n` images.

    `log_loss` is in nats, `brier`, `ece` and `smooth_ece` are within [0, 1]; all are 0 at best. `ece` is the mean over
    images of |share - mean score| of their bin, `bins` of equal `binning`; `curve` holds those bins that are not empty.
    Calibrated scores have slope 1, intercept 0 and 0 in the large, within sampling error: every other figure here is
    above 0 for calibrated scores of a finite sample too.
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
    """Calibration of `scores` over at most `bins` bins of equal `mass` (images) or `width` (range of scores).

    Bins are scikit-learn's (`calibration_curve`): tied scores share a bin, so that bins of equal mass may be fewer.
    Raises ValueError for less than one bin or an unknown binning.
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
    """Smooth calibration error (Blasiok and Nakkiran 2024), in [0, 1]: no bins, no bandwidth to choose.

    Residuals (label - score) are smoothed over the scores by a Gaussian kernel reflected at 0 and 1; the error is the
    integral of the smoothed residuals' absolute value, at the one bandwidth that equals it. Unlike the binned error it
    is continuous in the scores, and within constant factors of the distance to the nearest calibrated scores.
    """
    cell = np.minimum((scores.y_score * _CELLS).astype(np.int64), _CELLS - 1)
    residual = np.bincount(cell, (scores.y_true - scores.y_score) / len(scores), minlength=_CELLS)
    # Cosines do not change under reflection at 0 and 1: the kernel multiplies each one by a number.
    waves, frequency = dct(residual), np.pi * np.arange(_CELLS)

    def excess(bandwidth: float) -> float:
        smoothed = idct(waves * np.exp(-0.5 * (frequency * bandwidth) ** 2))
        return float(np.sum(np.abs(smoothed))) - bandwidth

    if excess(0.0) <= 0:
        return 0.0
    return min(1.0, float(brentq(excess, 0.0, 2.0, xtol=1e-9)))


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
    found = []
    for number in np.unique(index):
        inside = index == number
        n, positives = int(np.sum(inside)), int(np.sum(scores.y_true[inside]))
        mean_score = float(np.mean(scores.y_score[inside]))
        found.append(ReliabilityBin(n, mean_score, positives / n, *wilson(positives, n)))
    return tuple(found)


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
    """Slope and intercept of the logistic regression of the labels on the logit of the scores (Cox 1958)."""
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
    """Calibration in the large: the intercept when the slope is held at 1."""
    if len(np.unique(scores.y_true)) < 2:
        return Figure.missing("calibration_in_the_large", "one class is missing: there is no finite intercept")
    x, positives = logit(scores.y_score), np.sum(scores.y_true)

    def excess(shift: float) -> float:
        return float(np.sum(expit(x + shift)) - positives)

    # An intercept that makes all logits lie on one side of the prevalence's is too far.
    aim = math.log(positives / (len(x) - positives))
    shift = float(brentq(excess, aim - x.max() - 1, aim - x.min() + 1, xtol=1e-12))
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
    """Patients with an image of that label, or of any; images, where patients are unknown."""
    units = np.array(scores.patient or range(len(scores)))
    return len(np.unique(units if label is None else units[scores.y_true == label]))


def _half_widths(design: _Floats, scores: Scores, fitted: _Floats, degrees: int) -> tuple[_Floats | None, str | None]:
    """Half the widths of the 95% intervals of a logistic regression's coefficients, and the method.

    The model's own (Wald) or, where patients have several images, by the cluster-robust variance of Liang and Zeger
    (1986) and a t distribution of so many `degrees` of freedom; none for less than one. For a slope they are counted in
    the rarer class: with those of all patients its interval holds the truth in 90% only where that class has about ten.
    """
    bread = np.linalg.inv(design.T @ (design * (fitted * (1 - fitted))[:, None]))
    if _patients(scores) == len(scores):
        return norm.ppf(0.975) * np.sqrt(np.diag(bread)), "Wald"
    if degrees < 1:
        return None, None
    group = np.unique(scores.patient or (), return_inverse=True)[1]
    by_patient = np.zeros((group.max() + 1, design.shape[1]))
    np.add.at(by_patient, group, design * (scores.y_true - fitted)[:, None])
    meat = by_patient.T @ by_patient * len(by_patient) / (len(by_patient) - 1)
    return t.ppf(0.975, degrees) * np.sqrt(np.diag(bread @ meat @ bread)), "Wald, clustered by patient"


def _figure(metric: str, value: float, half: _Floats | None, coefficient: int, method: str | None) -> Figure:
    if half is None:
        return Figure(metric, value, reason="one patient of a class, or in all: there is no interval")
    width = float(half[coefficient])
    return Figure(metric, value, value - width, value + width, method)

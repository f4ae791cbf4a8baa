"""Temperature and vector scaling of scores of three or more classes, fitted and accepted on validation scores only."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt
import scipy
from scipy.special import log_softmax, softmax

from benchmark.evidence.calibration.calibrators import SAME
from benchmark.evidence.metrics.multiclass import argmax, multiclass_metrics
from benchmark.evidence.scores import CLIP, MulticlassScores, MulticlassValidationScores

Scaling = Literal["temperature", "vector"]
SCALINGS: tuple[Scaling, ...] = get_args(Scaling)

_Floats = npt.NDArray[np.float64]
_Labels = npt.NDArray[np.int64]
_Scores = TypeVar("_Scores", bound=MulticlassScores)

_LOG_SLOPES = (-10.0, 10.0)  # as of temperature scaling for two classes


@dataclass(frozen=True)
class MulticlassCalibrator:
    """A fitted map from scores of k classes to probabilities, as plain data.

    The probabilities are softmax(slope x log score + intercept), where scores are clipped to at least CLIP.

    Attributes:
        method: How it was fitted.
        classes: The names of the k classes.
        accepted: Whether it is applied. If not, it is the identity.
        reason: Why it is not accepted.
        slopes: The slope of each class; equal ones, 1 / temperature, for temperature scaling.
        intercepts: The intercept of each class, with a mean of 0; zeros for temperature scaling.
        log_loss_before: Validation log loss of the raw scores, in nats.
        log_loss_after: Cross-fitted validation log loss of the calibrated scores, in nats.
        folds: Number of folds of the cross-fitting.
        by_patient: Whether all images of a patient are in the same fold.
    """

    method: Scaling
    classes: tuple[str, ...]
    accepted: bool
    reason: str | None = None
    slopes: tuple[float, ...] = ()
    intercepts: tuple[float, ...] = ()
    log_loss_before: float | None = None
    log_loss_after: float | None = None
    folds: int = 0
    by_patient: bool = False

    def __post_init__(self) -> None:
        for name in ("classes", "slopes", "intercepts"):  # JSON has lists only
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.accepted == bool(self.reason):
            raise ValueError("a calibrator is accepted or has a reason, not both")
        count = len(self.classes) if self.accepted else 0
        if not len(self.slopes) == len(self.intercepts) == count:
            raise ValueError("an accepted calibrator has a slope and an intercept per class; others have none")

    @property
    def temperature(self) -> float | None:
        """The temperature of temperature scaling; None for another method, or if not accepted."""
        return 1 / self.slopes[0] if self.slopes and self.method == "temperature" else None

    def apply(self, scores: _Scores) -> _Scores:
        """Calibrate scores.

        Args:
            scores: Scores of any split, of the same classes.

        Returns:
            The same images and type with calibrated scores, which sum to 1; `scores` itself if the calibrator is not
            accepted. Temperature scaling preserves the order of an image's scores from CLIP on, up to rounding; vector
            scaling may change it.

        Raises:
            ValueError: The classes are others.
        """
        if scores.classes != self.classes:
            raise ValueError(f"the calibrator is of the classes {self.classes}, not of {scores.classes}")
        return replace(scores, y_score=self.probabilities(scores.y_score))

    def probabilities(self, y_score: _Floats) -> _Floats:
        """Calibrate scores (n, k) in [0, 1]; they stay as they are if the calibrator is not accepted."""
        return _scaled(y_score, np.array(self.slopes), np.array(self.intercepts)) if self.accepted else y_score


def calibrate_multiclass(
    val: MulticlassValidationScores, method: str = "temperature", *, folds: int = 5, seed: int = 0
) -> MulticlassCalibrator:
    """Fit a calibrator and accept it if its cross-fitted log loss is below the log loss of the raw scores.

    - `temperature`: one slope of the log scores for all classes (Guo et al. 2017).
    - `vector`: a slope and an intercept per class (Guo et al. 2017), with targets smoothed by class size as in Platt
      (1999), so that the fit is finite even for separated classes.

    The paper scales logits. They are the log scores but for a constant per image, which temperature scaling ignores.

    Cross-fitting calibrates each fold by a fit on the others. All images of a patient are in the same fold. The number
    of folds is at most the number of patients (images, if patients are unknown) of the rarest class; with temperature
    scaling, whose only parameter all classes share, of the most frequent one.

    Args:
        val: Validation scores.
        method: One of `SCALINGS`.
        folds: Number of folds, at least 2.
        seed: Seed of the folds.

    Returns:
        The calibrator. It is not accepted, with the reason, if it does not lower the log loss, for constant scores,
        for scores that no positive temperature improves, for fewer than two possible folds, and with `vector` for a
        missing class or a slope that is not positive.

    Raises:
        TypeError: The scores are from another split, or of two classes.
        ValueError: The method is unknown, or there are fewer than two folds.
    """
    if type(val) is not MulticlassValidationScores:
        raise TypeError(f"a calibrator is fitted on MulticlassValidationScores, not on {type(val).__name__}")
    known = next((name for name in SCALINGS if name == method), None)
    if known is None:
        raise ValueError(f"unknown calibration method '{method}' of several classes; known: {', '.join(SCALINGS)}")
    if folds < 2:
        raise ValueError(f"cross-fitting needs at least 2 folds, not {folds}")
    val = _in_order(val)
    reason = _refusal(val, known)
    if reason is not None:
        return MulticlassCalibrator(known, val.classes, accepted=False, reason=reason)
    result = _cross_fitted(val, known, folds, seed)
    if isinstance(result, str):
        return MulticlassCalibrator(known, val.classes, accepted=False, reason=result)
    out_of_fold, used = result
    before, after = _loss(val), _loss(replace(val, y_score=out_of_fold))
    slopes, intercepts = _fit(known, val.y_true, val.y_score)
    reason = None
    if not after < before:
        reason = f"cross-fitted validation log loss {after:.4f} is not below {before:.4f} of the raw scores"
    elif slopes.min() <= 0:
        reason = f"higher scores of {val.classes[slopes.argmin()]} would mean lower probabilities"
    return MulticlassCalibrator(
        known,
        val.classes,
        accepted=reason is None,
        reason=reason,
        slopes=() if reason else tuple(slopes.tolist()),
        intercepts=() if reason else tuple(intercepts.tolist()),
        log_loss_before=before,
        log_loss_after=after,
        folds=used,
        by_patient=val.patient is not None,
    )


def best_multiclass_calibrator(
    val: MulticlassValidationScores, *, folds: int = 5, seed: int = 0
) -> MulticlassCalibrator:
    """Fit all methods and return the accepted calibrator with the lowest cross-fitted log loss; of equal ones, the
    simplest.

    Args:
        val: Validation scores.
        folds: Number of folds, at least 2.
        seed: Seed of the folds.

    Returns:
        The calibrator. It is not accepted if no method lowers the log loss.

    Raises:
        TypeError: The scores are from another split, or of two classes.
        ValueError: There are fewer than two folds.
    """
    fitted = [calibrate_multiclass(val, method, folds=folds, seed=seed) for method in SCALINGS]

    def rank(calibrator: MulticlassCalibrator) -> tuple[bool, float]:
        loss = calibrator.log_loss_after
        return not calibrator.accepted, np.inf if loss is None else loss

    return min(fitted, key=rank)


def cross_fitted_scores(
    val: MulticlassValidationScores, calibrator: MulticlassCalibrator, *, seed: int = 0
) -> MulticlassValidationScores:
    """Calibrate each validation image by a fit on the other folds, as those behind `log_loss_after`.

    What is computed from these scores is not too favourable, as no image decides on its own calibration.

    Args:
        val: The validation scores that the calibrator was fitted on.
        calibrator: Names the method and the number of folds.
        seed: Seed of the folds.

    Returns:
        The same images in the same order with calibrated scores; `val` itself if the calibrator is not accepted.

    Raises:
        ValueError: The scores are others than those that the calibrator was fitted on, and too few for its folds.
    """
    if not calibrator.accepted:
        return val
    order = _order(val)
    result = _cross_fitted(_in_order(val), calibrator.method, calibrator.folds, seed)
    if isinstance(result, str):
        raise ValueError(result)
    y_score = np.empty(val.y_score.shape)
    y_score[order] = result[0]
    return replace(val, y_score=y_score)


def log_scores(y_score: _Floats) -> _Floats:
    """Compute logarithms of scores in [0, 1], clipped to at least CLIP."""
    return np.asarray(np.log(np.clip(y_score, CLIP, 1)))


def _scaled(y_score: _Floats, slopes: _Floats, intercepts: _Floats) -> _Floats:
    return np.asarray(softmax(slopes * log_scores(y_score) + intercepts, axis=1))


def _fit(method: Scaling, y_true: _Labels, y_score: _Floats) -> tuple[_Floats, _Floats]:
    return _temperature(y_true, y_score) if method == "temperature" else _vector(y_true, y_score)


def _temperature(y_true: _Labels, y_score: _Floats) -> tuple[_Floats, _Floats]:
    x = log_scores(y_score)
    images, count = np.arange(len(x)), x.shape[1]

    def loss(log_slope: float) -> float:
        return -float(np.mean(log_softmax(np.exp(log_slope) * x, axis=1)[images, y_true]))

    best = scipy.optimize.minimize_scalar(loss, bounds=_LOG_SLOPES, method="bounded", options={"xatol": 1e-10})
    return np.full(count, float(np.exp(best.x))), np.zeros(count)


def _vector(y_true: _Labels, y_score: _Floats) -> tuple[_Floats, _Floats]:
    """Minimise the cross-entropy of smoothed targets. It is convex, and finite where each class has an image."""
    x = log_scores(y_score)
    count = x.shape[1]
    size = np.bincount(y_true, minlength=count)[y_true][:, None]
    target = (np.eye(count)[y_true] * size + 1) / (size + count)
    centre = x.mean(axis=0)  # of the log scores, so that slopes and intercepts are nearly uncorrelated
    spread = np.maximum(x.std(axis=0), SAME)
    z = (x - centre) / spread

    def loss(parameters: _Floats) -> tuple[float, _Floats]:
        slope, shift = parameters.reshape(2, count)
        logs = log_softmax(slope * z + shift, axis=1)
        residual = (np.exp(logs) - target) / len(z)
        return -float(np.sum(target * logs)) / len(z), np.concatenate(
            [(residual * z).sum(axis=0), residual.sum(axis=0)]
        )

    start = np.concatenate([spread, centre])  # the raw scores
    best = scipy.optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 10_000, "ftol": 1e-15, "gtol": 1e-9}
    )
    slope, shift = best.x.reshape(2, count)
    slopes = slope / spread
    intercepts = shift - slopes * centre
    return slopes, intercepts - intercepts.mean()


def _refusal(val: MulticlassValidationScores, method: Scaling) -> str | None:
    absent = [name for label, name in enumerate(val.classes) if not np.any(val.y_true == label)]
    if len(absent) == len(val.classes) - 1:
        return "all validation images are of one class"
    if method == "vector" and absent:
        return f"the validation split has no image of {', '.join(absent)}: vector scaling needs every class"
    x = log_scores(val.y_score)
    if np.ptp(x, axis=0).max() < SAME:
        return "all validation images have the same scores"
    margin = x[np.arange(len(x)), val.y_true]
    if method == "temperature" and np.sum(margin - x.mean(axis=1)) <= 0:
        return "validation scores favour the wrong classes on average: no positive temperature can help"
    if method == "temperature" and np.all(margin >= x.max(axis=1)):
        return "every validation image has its highest score for the right class: the best temperature is 0"
    return None


def _cross_fitted(val: MulticlassValidationScores, method: Scaling, folds: int, seed: int) -> tuple[_Floats, int] | str:
    """Calibrate each image by a fit on the other folds; return the scores and the number of folds, or why not."""
    groups, unit = (np.arange(len(val)), "image") if val.patient is None else (np.array(val.patient), "patient")
    present = np.unique(val.y_true)
    sizes = [len(np.unique(groups[val.y_true == label])) for label in present]
    used = min(folds, max(sizes) if method == "temperature" else min(sizes))
    if used < 2:
        rarest = val.classes[present[int(np.argmin(sizes))]]
        return f"cross-fitting needs at least 2 {unit}s of each class; {rarest} has {min(sizes)}"
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # here, because it loads slowly

    kind = StratifiedKFold if val.patient is None else StratifiedGroupKFold
    splitter = kind(used, shuffle=True, random_state=seed)
    out_of_fold = np.empty(val.y_score.shape)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # temperature scaling allows it
        parts = list(splitter.split(val.y_score, val.y_true, None if val.patient is None else groups))
    for train, rest in parts:
        few = method == "vector" and len(np.unique(val.y_true[train])) < len(present)
        if few or not len(train) or np.ptp(log_scores(val.y_score[train]), axis=0).max() < SAME:
            return f"too few {unit}s for cross-fitting"
        out_of_fold[rest] = _scaled(val.y_score[rest], *_fit(method, val.y_true[train], val.y_score[train]))
    return out_of_fold, used


def _in_order(val: MulticlassValidationScores) -> MulticlassValidationScores:
    """Sort by patient, class and scores, so that the folds do not depend on the order of images."""
    order = _order(val)
    patients = None if val.patient is None else tuple(np.array(val.patient)[order].tolist())
    return replace(val, y_true=val.y_true[order], y_score=val.y_score[order], patient=patients)


def _order(val: MulticlassValidationScores) -> npt.NDArray[np.intp]:
    patient = np.array(val.patient or [""] * len(val))
    return np.lexsort((*val.y_score.T, val.y_true, patient))


def _loss(scores: MulticlassScores) -> float:
    loss = multiclass_metrics(scores.classes)["log_loss"].value(scores, argmax(scores))
    assert loss is not None
    return loss

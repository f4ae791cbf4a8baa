"""Calibrators, fitted on validation scores only and accepted only if they lower the cross-fitted log loss."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt
import scipy
from scipy.special import expit

from benchmark.evidence.metrics.probabilities import log_loss
from benchmark.evidence.scores import CLIP, Scores, ValidationScores

Method = Literal["temperature", "platt", "isotonic"]
METHODS: tuple[Method, ...] = get_args(Method)

Floats = npt.NDArray[np.float64]
_Rows = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
_Scores = TypeVar("_Scores", bound=Scores)

SAME = 1e-6
"""Scores whose logits differ by less count as equal: a slope over them would be noise."""

_LOG_SLOPES = (-10.0, 10.0)  # of temperature scaling; scikit-learn uses the same bounds


@dataclass(frozen=True)
class Calibrator:
    """A fitted map from scores to probabilities, as plain data.

    Attributes:
        method: How it was fitted.
        accepted: Whether it is applied. If not, it is the identity.
        reason: Why it is not accepted.
        parameters: (temperature,) or Platt's (slope, intercept), on the logit scale.
        knots_x: Scores of isotonic regression's knots: linear between them, constant outside.
        knots_y: Probabilities at the knots.
        log_loss_before: Validation log loss of the raw scores, in nats.
        log_loss_after: Cross-fitted validation log loss of the calibrated scores, in nats.
        folds: Number of folds of the cross-fitting.
        by_patient: Whether all images of a patient are in the same fold.
    """

    method: Method
    accepted: bool
    reason: str | None = None
    parameters: tuple[float, ...] = ()
    knots_x: tuple[float, ...] = ()
    knots_y: tuple[float, ...] = ()
    log_loss_before: float | None = None
    log_loss_after: float | None = None
    folds: int = 0
    by_patient: bool = False

    def __post_init__(self) -> None:
        for name in ("parameters", "knots_x", "knots_y"):  # JSON has lists only
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.accepted == bool(self.reason):
            raise ValueError("a calibrator is accepted or has a reason, not both")
        if self.accepted != bool(self.parameters or self.knots_x) or len(self.knots_x) != len(self.knots_y):
            raise ValueError("an accepted calibrator has parameters or as many knots_x as knots_y; others have neither")

    def apply(self, scores: _Scores) -> _Scores:
        """Calibrate scores.

        Args:
            scores: Scores of any split.

        Returns:
            The same images and type with calibrated scores; `scores` itself if the calibrator is not accepted.
            Temperature and Platt scaling preserve the order of scores in [CLIP, 1 - CLIP] up to rounding; isotonic
            regression preserves it with ties.
        """
        return replace(scores, y_score=_calibrated(self, scores.y_score)) if self.accepted else scores

    def probability(self, score: float) -> float:
        """Calibrate one score in [0, 1]."""
        return float(_calibrated(self, np.array([score]))[0]) if self.accepted else score

    def formula(self, logit: str = "x", knots: str = "knots_{}", module: str = "") -> str:
        """Write the calibrated probability as a Python expression of `score`.

        Args:
            logit: The name of the log odds of `score`, clipped as in `logit`.
            knots: The names of `knots_x` and `knots_y`, with `{}` for the axis.
            module: The prefix of the functions `exp` and `interp`, such as `np.`.

        Returns:
            The expression; `score` if the calibrator is not accepted.
        """
        if not self.accepted:
            return "score"
        x, y = (knots.format(axis) for axis in "xy")
        return _FORMULAS[self.method].format(*self.parameters, logit=logit, x=x, y=y, module=module)


def calibrate(val: ValidationScores, method: str = "temperature", *, folds: int = 5, seed: int = 0) -> Calibrator:
    """Fit a calibrator and accept it if its cross-fitted log loss is below the log loss of the raw scores.

    - `temperature`: one slope on the logit scale (Guo et al. 2017).
    - `platt`: slope and intercept on the logit scale, with targets smoothed by class size (Platt 1999), so that the fit
      is finite even for separated classes.
    - `isotonic`: the best non-decreasing function (Zadrozny and Elkan 2002), limited to Platt's two targets, since no
      finite sample proves a probability of 0 or 1.

    Cross-fitting calibrates each fold by a fit on the others. All images of a patient are in the same fold. The number
    of folds is at most the number of patients (images, if patients are unknown) of the smaller class.

    Args:
        val: Validation scores.
        method: One of `METHODS`.
        folds: Number of folds, at least 2.
        seed: Seed of the folds.

    Returns:
        The calibrator. It is not accepted, with the reason, if it does not lower the log loss, or for constant scores,
        a missing class, scores that are not higher for positives, or fewer than two possible folds.

    Raises:
        TypeError: The scores are from another split.
        ValueError: The method is unknown, or there are fewer than two folds.
    """
    if type(val) is not ValidationScores:
        raise TypeError(f"a calibrator is fitted on ValidationScores, not on {type(val).__name__}")
    known = next((name for name in METHODS if name == method), None)
    if known is None:
        raise ValueError(f"unknown calibration method '{method}'; known: {', '.join(METHODS)}")
    if folds < 2:
        raise ValueError(f"cross-fitting needs at least 2 folds, not {folds}")
    val = _in_order(val)
    reason = _refusal(val, known)
    if reason is not None:
        return Calibrator(known, accepted=False, reason=reason)
    result = _cross_fitted(val, known, folds, seed)
    if isinstance(result, str):
        return Calibrator(known, accepted=False, reason=result)
    out_of_fold, used = result
    before, after = _loss(val), _loss(replace(val, y_score=out_of_fold))
    fitted = replace(
        _FITS[known](val.y_true, val.y_score),
        log_loss_before=before,
        log_loss_after=after,
        folds=used,
        by_patient=val.patient is not None,
    )
    if after < before:
        return fitted
    return replace(
        fitted,
        accepted=False,
        reason=f"cross-fitted validation log loss {after:.4f} is not below {before:.4f} of the raw scores",
        parameters=(),
        knots_x=(),
        knots_y=(),
    )


def best_calibrator(val: ValidationScores, *, folds: int = 5, seed: int = 0) -> Calibrator:
    """Fit all methods and return the calibrator with the lowest cross-fitted log loss; of equal ones, the simplest.

    Args:
        val: Validation scores.
        folds: Number of folds, at least 2.
        seed: Seed of the folds.

    Returns:
        The calibrator. It is not accepted if no method lowers the log loss.

    Raises:
        TypeError: The scores are from another split.
        ValueError: There are fewer than two folds.
    """
    fitted = [calibrate(val, method, folds=folds, seed=seed) for method in METHODS]
    return min(fitted, key=lambda c: np.inf if c.log_loss_after is None else c.log_loss_after)


def logit(y_score: Floats) -> Floats:
    """Compute log odds of scores in [0, 1], clipped to [CLIP, 1 - CLIP]."""
    clipped = np.clip(y_score, CLIP, 1 - CLIP)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def logistic_fit(x: Floats, y_true: npt.NDArray[np.int64], weight: Floats | None = None) -> tuple[float, float]:
    """Fit an unpenalised logistic regression.

    Args:
        x: The predictor (n,), not constant. It must not separate the classes: the fit would not be finite.
        y_true: Labels 0 and 1, (n,).
        weight: Weights of the images (n,), 0 or more; None for equal weights.

    Returns:
        Slope and intercept.
    """
    from sklearn.exceptions import ConvergenceWarning  # here, because it loads slowly
    from sklearn.linear_model import LogisticRegression

    centre, spread = float(np.mean(x)), float(np.std(x))
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    with warnings.catch_warnings():  # it warns when it switches to another solver
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(((x - centre) / spread)[:, None], y_true, sample_weight=weight)
    slope = float(model.coef_[0, 0]) / spread
    return slope, float(model.intercept_[0]) - slope * centre


def _temperature(y_true: npt.NDArray[np.int64], y_score: Floats) -> Calibrator:
    signed = np.where(y_true == 1, 1.0, -1.0) * logit(y_score)

    def loss(log_slope: float) -> float:
        return float(np.mean(np.logaddexp(0, -np.exp(log_slope) * signed)))

    best = scipy.optimize.minimize_scalar(loss, bounds=_LOG_SLOPES, method="bounded", options={"xatol": 1e-10})
    return Calibrator("temperature", accepted=True, parameters=(float(np.exp(-best.x)),))


def _platt(y_true: npt.NDArray[np.int64], y_score: Floats) -> Calibrator:
    low, high = _smoothed_targets(y_true)
    target = np.where(y_true == 1, high, low)
    # A target between 0 and 1 becomes one weighted image of each class.
    x, labels = np.tile(logit(y_score), 2), np.repeat([1, 0], len(y_true))
    return Calibrator("platt", accepted=True, parameters=logistic_fit(x, labels, np.concatenate([target, 1 - target])))


def _isotonic(y_true: npt.NDArray[np.int64], y_score: Floats) -> Calibrator:
    low, high = _smoothed_targets(y_true)
    from sklearn.isotonic import IsotonicRegression  # here, because it loads slowly

    model = IsotonicRegression(y_min=low, y_max=high, out_of_bounds="clip").fit(y_score, y_true)
    return Calibrator(
        "isotonic", accepted=True, knots_x=model.X_thresholds_.tolist(), knots_y=model.y_thresholds_.tolist()
    )


_FITS: dict[Method, Callable[[npt.NDArray[np.int64], Floats], Calibrator]] = {
    "temperature": _temperature,
    "platt": _platt,
    "isotonic": _isotonic,
}


_FORMULAS: dict[Method, str] = {  # what `_calibrated` computes, for readers of an export
    "temperature": "1 / (1 + {module}exp(-{logit} / {0!r}))",
    "platt": "1 / (1 + {module}exp(-({0!r} * {logit} + {1!r})))",
    "isotonic": "{module}interp(score, {x}, {y})",
}


def _calibrated(fitted: Calibrator, y_score: Floats) -> Floats:
    if fitted.method == "isotonic":
        return np.asarray(np.interp(y_score, fitted.knots_x, fitted.knots_y))
    if fitted.method == "temperature":
        return np.asarray(expit(logit(y_score) / fitted.parameters[0]))
    slope, intercept = fitted.parameters
    return np.asarray(expit(slope * logit(y_score) + intercept))


def _smoothed_targets(y_true: npt.NDArray[np.int64]) -> tuple[float, float]:
    positives = int(np.sum(y_true))
    return 1 / (len(y_true) - positives + 2), (positives + 1) / (positives + 2)


def _refusal(val: ValidationScores, method: Method) -> str | None:
    if len(np.unique(val.y_true)) < 2:
        return "the validation split lacks a class"
    x = logit(val.y_score)
    if np.ptp(x) < SAME:
        return "all validation scores are the same"
    positive = val.y_true == 1
    if np.mean(x[positive]) <= np.mean(x[~positive]):
        return "validation scores are not higher for positives: no order-preserving calibration can help"
    signed = np.where(positive, x, -x)
    if method == "temperature" and np.sum(signed) <= 0:
        return "validation scores are on the wrong side of 0.5 on average: no positive temperature can help"
    if method == "temperature" and np.all(signed >= 0):
        return "no validation score is on the wrong side of 0.5: the best temperature is 0"
    return None


def _cross_fitted(val: ValidationScores, method: Method, folds: int, seed: int) -> tuple[Floats, int] | str:
    """Calibrate each image by a fit on the other folds; return the scores and the number of folds, or why not."""
    groups, unit = (np.arange(len(val)), "image") if val.patient is None else (np.array(val.patient), "patient")
    used = min(folds, *(len(np.unique(groups[val.y_true == label])) for label in (0, 1)))
    if used < 2:
        return f"cross-fitting needs at least 2 {unit}s of each class"
    out_of_fold = np.empty(len(val))
    for train, rest in _folds(tuple(val.y_true.tolist()), val.patient, used, seed):
        if len(np.unique(val.y_true[train])) < 2 or np.ptp(logit(val.y_score[train])) < SAME:
            return f"too few {unit}s for cross-fitting"
        out_of_fold[rest] = _calibrated(_FITS[method](val.y_true[train], val.y_score[train]), val.y_score[rest])
    return out_of_fold, used


@lru_cache(maxsize=64)  # runs on one split differ in their scores alone, and a report calibrates all of them
def _folds(labels: tuple[int, ...], patients: tuple[str, ...] | None, folds: int, seed: int) -> tuple[_Rows, ...]:
    """Rows to fit on and rows to calibrate, for each fold."""
    y_true = np.array(labels)
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # here, because it loads slowly

    kind = StratifiedKFold if patients is None else StratifiedGroupKFold
    splitter = kind(folds, shuffle=True, random_state=seed)
    return tuple(splitter.split(y_true, y_true, None if patients is None else np.array(patients)))


def _in_order(val: ValidationScores) -> ValidationScores:
    """Sort by patient, class and score, so that the folds do not depend on the order of images."""
    patient = np.array(val.patient or [""] * len(val))
    order = np.lexsort((val.y_score, val.y_true, patient))
    patients = None if val.patient is None else tuple(patient[order].tolist())
    return ValidationScores("val", val.y_true[order], val.y_score[order], patients)


def _loss(scores: Scores) -> float:
    loss = log_loss(scores)
    assert loss is not None
    return loss

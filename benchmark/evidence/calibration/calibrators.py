"""Probability calibration, fitted on validation scores and on nothing else, and kept only where it helps."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from benchmark.evidence.metrics.probabilities import log_loss
from benchmark.evidence.scores import CLIP, Scores, ValidationScores

Method = Literal["temperature", "platt", "isotonic"]
METHODS: tuple[Method, ...] = get_args(Method)

Floats = npt.NDArray[np.float64]
_Scores = TypeVar("_Scores", bound=Scores)

SAME = 1e-6
"""Logits that differ by less count as one score: a slope over them would be noise."""

_LOG_SLOPES = (-10.0, 10.0)  # of a temperature: scikit-learn's bounds too


@dataclass(frozen=True)
class Calibrator:
    """A fitted map of scores to probabilities, as plain data.

    `parameters` are (temperature,) or Platt's (slope, intercept), both on the logit scale; `knots_x` and `knots_y`, of
    one length, are isotonic regression's, interpolated between and constant outside. `log_loss_before` and
    `log_loss_after` are the validation log loss as it is and cross-fitted over `folds`, `by_patient` where patients
    are known. One that is not `kept` is the identity and says why in `reason`.
    """

    method: Method
    kept: bool
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
        if self.kept == bool(self.reason):
            raise ValueError("a calibrator is kept, or says why not")
        if self.kept != bool(self.parameters or self.knots_x) or len(self.knots_x) != len(self.knots_y):
            raise ValueError("a kept calibrator has parameters or as many knots_x as knots_y; another one has none")

    def apply(self, scores: _Scores) -> _Scores:
        """The same images with calibrated scores, of the same type; `scores` itself when the calibrator is not kept.

        Temperature and Platt scaling keep the order of scores at least `CLIP` away from 0 and 1, as far as floating
        point can tell the results apart; isotonic regression keeps it with ties.
        """
        return replace(scores, y_score=_calibrated(self, scores.y_score)) if self.kept else scores

    def probability(self, score: float) -> float:
        """What `apply` makes of one score in [0, 1]."""
        return float(_calibrated(self, np.array([score]))[0]) if self.kept else score

    def formula(self, logit: str = "x", knots: str = "knots_{}", module: str = "") -> str:
        """The calibrated probability as an expression of Python.

        Args:
            logit: What stands for the log odds of `score`, which is clipped as `logit` does.
            knots: What stands for `knots_x` and `knots_y`, with `{}` for the axis.
            module: What stands before the functions `exp` and `interp`, such as `np.`.
        """
        if not self.kept:
            return "score"
        x, y = (knots.format(axis) for axis in "xy")
        return _FORMULAS[self.method].format(*self.parameters, logit=logit, x=x, y=y, module=module)


def calibrate(val: ValidationScores, method: str = "temperature", *, folds: int = 5, seed: int = 0) -> Calibrator:
    """Fit `method` on `val` and keep it where its cross-fitted log loss is below the log loss as it is.

    temperature: one slope on the logit scale (Guo et al. 2017). platt: slope and intercept there, with targets
    smoothed by class size (Platt 1999), so that even separated classes have a finite fit. isotonic: the best
    non-decreasing step function (Zadrozny and Elkan 2002), kept within Platt's two targets, since no finite sample
    shows a probability of 0 or 1.

    Cross-fitting: each fold is scored by a fit on the others; images of one patient share a fold. Folds are fewer
    where a class has fewer patients (images, where patients are unknown). Refused, with the reason, for constant
    scores, a missing class, scores that do not rise with the class, and where fewer than two folds are possible.

    Raises TypeError for scores of any other split, ValueError for an unknown method or fewer than two folds.
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
        return Calibrator(known, kept=False, reason=reason)
    found = _cross_fitted(val, known, folds, seed)
    if isinstance(found, str):
        return Calibrator(known, kept=False, reason=found)
    out_of_fold, used = found
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
        kept=False,
        reason=f"cross-fitted validation log loss {after:.4f} is not below {before:.4f} without calibration",
        parameters=(),
        knots_x=(),
        knots_y=(),
    )


def best_calibrator(val: ValidationScores, *, folds: int = 5, seed: int = 0) -> Calibrator:
    """The method with the lowest cross-fitted log loss, the simpler one among equals; the identity when none helps.

    Raises as `calibrate` does.
    """
    found = [calibrate(val, method, folds=folds, seed=seed) for method in METHODS]
    return min(found, key=lambda c: np.inf if c.log_loss_after is None else c.log_loss_after)


def logit(y_score: Floats) -> Floats:
    """Log odds of scores in [0, 1], which are first clipped to `CLIP` and 1 - `CLIP`."""
    clipped = np.clip(y_score, CLIP, 1 - CLIP)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def logistic_fit(x: Floats, y_true: npt.NDArray[np.int64], weight: Floats | None = None) -> tuple[float, float]:
    """Slope and intercept of the unpenalised logistic regression of `y_true` (n,) on `x` (n,), which must vary.

    There is no finite answer for classes that `x` separates.
    """
    centre, spread = float(np.mean(x)), float(np.std(x))
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    with warnings.catch_warnings():  # where its line search fails it goes on with another solver, and says so
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(((x - centre) / spread)[:, None], y_true, sample_weight=weight)
    slope = float(model.coef_[0, 0]) / spread
    return slope, float(model.intercept_[0]) - slope * centre


def _temperature(y_true: npt.NDArray[np.int64], y_score: Floats) -> Calibrator:
    signed = np.where(y_true == 1, 1.0, -1.0) * logit(y_score)

    def loss(log_slope: float) -> float:
        return float(np.mean(np.logaddexp(0, -np.exp(log_slope) * signed)))

    best = minimize_scalar(loss, bounds=_LOG_SLOPES, method="bounded", options={"xatol": 1e-10})
    return Calibrator("temperature", kept=True, parameters=(float(np.exp(-best.x)),))


def _platt(y_true: npt.NDArray[np.int64], y_score: Floats) -> Calibrator:
    low, high = _smoothed_targets(y_true)
    target = np.where(y_true == 1, high, low)
    # A target between 0 and 1 is one image of each class, weighted.
    x, labels = np.tile(logit(y_score), 2), np.repeat([1, 0], len(y_true))
    return Calibrator("platt", kept=True, parameters=logistic_fit(x, labels, np.concatenate([target, 1 - target])))


def _isotonic(y_true: npt.NDArray[np.int64], y_score: Floats) -> Calibrator:
    low, high = _smoothed_targets(y_true)
    model = IsotonicRegression(y_min=low, y_max=high, out_of_bounds="clip").fit(y_score, y_true)
    return Calibrator("isotonic", kept=True, knots_x=model.X_thresholds_.tolist(), knots_y=model.y_thresholds_.tolist())


_FITS: dict[Method, Callable[[npt.NDArray[np.int64], Floats], Calibrator]] = {
    "temperature": _temperature,
    "platt": _platt,
    "isotonic": _isotonic,
}


_FORMULAS: dict[Method, str] = {  # what `_calibrated` computes, for those who have no zoo
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
        return "validation scores are no higher for positives: no calibration that keeps their order can help"
    signed = np.where(positive, x, -x)
    if method == "temperature" and np.sum(signed) <= 0:
        return "validation scores are on the wrong side of 0.5 on average: no positive temperature can help"
    if method == "temperature" and np.all(signed >= 0):
        return "no validation score is on the wrong side of 0.5: the best temperature is 0"
    return None


def _cross_fitted(val: ValidationScores, method: Method, folds: int, seed: int) -> tuple[Floats, int] | str:
    """Scores of each image by a fit on the other folds, and how many folds; or why there are none."""
    units, unit = (np.arange(len(val)), "image") if val.patient is None else (np.array(val.patient), "patient")
    used = min(folds, *(len(np.unique(units[val.y_true == label])) for label in (0, 1)))
    if used < 2:
        return f"one {unit} of a class cannot be both fitted and checked"
    kind = StratifiedKFold if val.patient is None else StratifiedGroupKFold
    splitter = kind(used, shuffle=True, random_state=seed)
    out_of_fold = np.empty(len(val))
    for train, held_out in splitter.split(val.y_score[:, None], val.y_true, None if val.patient is None else units):
        if len(np.unique(val.y_true[train])) < 2 or np.ptp(logit(val.y_score[train])) < SAME:
            return f"too few {unit}s to fit on one part and check on the other"
        out_of_fold[held_out] = _calibrated(_FITS[method](val.y_true[train], val.y_score[train]), val.y_score[held_out])
    return out_of_fold, used


def _in_order(val: ValidationScores) -> ValidationScores:
    """Sorted by patient, class and score, so that the order of images decides nothing."""
    patient = np.array(val.patient or [""] * len(val))
    order = np.lexsort((val.y_score, val.y_true, patient))
    patients = None if val.patient is None else tuple(patient[order].tolist())
    return ValidationScores("val", val.y_true[order], val.y_score[order], patients)


def _loss(scores: Scores) -> float:
    found = log_loss(scores)
    assert found is not None
    return found

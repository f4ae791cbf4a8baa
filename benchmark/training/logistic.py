"""Logistic regression on features, the strength of its penalty chosen by cross-validation by patient.

Features are standardised for the fit. The returned weights include the standardisation, so that they apply to the
features as they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from benchmark.training.probe_facts import ProbeFacts

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Fold = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

STRENGTHS = tuple(float(f"{10**exponent:.3g}") for exponent in np.arange(-5.0, 1.5, 0.5))
"""The values of C that are tried. Outside of them, more than 200 standardised features changed scores no further."""

MOST_FOLDS = 5
_FALLBACK = 1.0  # scikit-learn's default
_ITERATIONS = 2000
_VARIES = 1e-6  # a smaller spread, relative to the largest value, is rounding in float32


@dataclass(frozen=True, eq=False)
class LinearModel:
    """A fitted linear model of d features.

    Attributes:
        kernel: Weights of the logits, shape (d, 1) for two classes, (d, k) for k classes.
        bias: Constants of the logits, shape (1,) or (k,).
        facts: How it was fitted.
    """

    kernel: Floats
    bias: Floats
    facts: ProbeFacts


def fit_logistic(
    features: npt.NDArray[np.floating],
    labels: Labels,
    patients: Sequence[str],
    weights: npt.NDArray[np.floating],
    classes: int,
) -> LinearModel:
    """Fit logistic regression with an L2 penalty: binary for two classes, multinomial for more.

    The strength C minimises the log loss of held-out rows, with all rows of a patient in one fold. Means and scales of
    features come from all rows, so also from the held-out ones; no label and no row of another split takes part. The
    result is the same for the same rows, whatever the seed of the run.

    Args:
        features: One row per image and view, shape (n, d).
        labels: Class indices, 0 to `classes` - 1, shape (n,), each class at least once.
        patients: The patient of each row.
        weights: Weight of each row in the fit and in the choice of C, above 0, shape (n,).
        classes: Number of classes, 2 or more.

    Returns:
        The weights for features as they are, and how they were fitted.
    """
    x = np.asarray(features, dtype=np.float64)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    varies = scale > _VARIES * np.maximum(np.abs(x).max(axis=0), np.finfo(np.float32).tiny)
    outputs = 1 if classes == 2 else classes
    kernel = np.zeros((x.shape[1], outputs))
    if not varies.any():
        shares = np.bincount(labels, weights, classes) / weights.sum()
        logits = np.log(shares[1:] / shares[0]) if classes == 2 else np.log(shares)
        return LinearModel(kernel, logits, ProbeFacts(None, 0, len(x), x.shape[1]))
    z, back = _rotated((x[:, varies] - mean[varies]) / scale[varies])
    folds, notes = folds_by_patient(labels, patients, classes)
    if not folds:
        notes.append(f"C {_FALLBACK:g} without cross-validation: a class has too few patients in train for two folds")
    with threadpool_limits(1, "blas"):  # the same bits whatever the number of simultaneous runs
        strength = _choose(z, labels, weights, folds, classes) if folds else _FALLBACK
        model, converged = _fitted(z, labels, weights, strength)
    if folds and strength in (STRENGTHS[0], STRENGTHS[-1]):
        notes.append(f"C {strength:g} is the {'smallest' if strength == STRENGTHS[0] else 'largest'} that was tried")
    if not converged:
        notes.append(f"the fit did not converge in {_ITERATIONS} iterations")
    kernel[varies] = (back @ model.coef_.T) / scale[varies][:, None]
    bias = model.intercept_ - mean[varies] @ kernel[varies]
    return LinearModel(kernel, bias, ProbeFacts(strength, len(folds), len(x), x.shape[1], tuple(notes)))


def _rotated(x: Floats) -> tuple[Floats, Floats]:
    """Return rows in coordinates of their own span, and the matrix from weights there to weights of the features.

    With more features than rows, the fit is the same in the span and far cheaper, because an L2 penalty does not depend
    on the axes (Hastie and Tibshirani 2004, Biostatistics 5:329).
    """
    rows, features = x.shape
    if features <= rows:
        return x, np.eye(features)
    values, vectors = np.linalg.eigh(x @ x.T)
    nonzero = values > values[-1] * np.finfo(np.float64).eps * rows
    lengths, vectors = np.sqrt(values[nonzero]), vectors[:, nonzero]
    return vectors * lengths, x.T @ (vectors / lengths)


def folds_by_patient(labels: Labels, patients: Sequence[str], classes: int) -> tuple[list[Fold], list[str]]:
    """Draw folds by patient whose training rows contain every class.

    Args:
        labels: Class indices, shape (n,).
        patients: The patient of each row.
        classes: Number of classes.

    Returns:
        Positions of the training rows and of the held-out rows of each fold, and notes on the number of folds. There
        are no folds if a class has too few patients for two.
    """
    groups = np.unique(np.asarray(patients), return_inverse=True)[1]
    fewest = min(len(np.unique(groups[labels == label])) for label in range(classes))
    for count in range(min(MOST_FOLDS, fewest), 1, -1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a class with fewer images than folds
            divided = StratifiedGroupKFold(count, shuffle=True, random_state=0).split(groups, labels, groups)
            folds = [(train, held_out) for train, held_out in divided]
        if all(len(np.unique(labels[train])) == classes for train, _ in folds):
            notes = [] if count == MOST_FOLDS else [f"{count} folds instead of {MOST_FOLDS}: a class has few patients"]
            return folds, notes
    return [], []


def _choose(z: Floats, labels: Labels, weights: npt.NDArray[np.floating], folds: list[Fold], classes: int) -> float:
    """Return the C with the lowest mean log loss of held-out rows; the smallest one of equal losses."""
    losses = np.zeros(len(STRENGTHS))
    for train, held_out in folds:
        start: LogisticRegression | None = None
        for index, strength in enumerate(STRENGTHS):
            start, _ = _fitted(z[train], labels[train], weights[train], strength, start)
            scores = start.predict_proba(z[held_out])
            losses[index] += weights[held_out].sum() * log_loss(
                labels[held_out], scores, sample_weight=weights[held_out], labels=np.arange(classes)
            )
    return STRENGTHS[int(losses.argmin())]


def _fitted(
    z: Floats,
    labels: Labels,
    weights: npt.NDArray[np.floating],
    strength: float,
    start: LogisticRegression | None = None,
) -> tuple[LogisticRegression, bool]:
    """Return a fitted model, which begins at `start`, and whether it converged."""
    model = start or LogisticRegression(warm_start=True, tol=1e-6, max_iter=_ITERATIONS)
    model.set_params(C=strength)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        model.fit(z, labels, sample_weight=weights)
    return model, not any(issubclass(each.category, ConvergenceWarning) for each in raised)

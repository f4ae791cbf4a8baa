"""Scaling of several classes: fitted on validation alone, equal to other optimisers, accepted only where it helps."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss

from benchmark.evidence.calibration.calibrators import calibrate
from benchmark.evidence.calibration.scaling import (
    SCALINGS,
    MulticlassCalibrator,
    best_multiclass_calibrator,
    calibrate_multiclass,
    cross_fitted_scores,
)
from benchmark.evidence.scores import CLIP, MulticlassTestScores, MulticlassValidationScores
from tests.support.records import on_val

CLASSES = ("BCC", "MELANOMA", "NEVUS")


class Logits(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose decision function is its features."""

    classes_ = np.array([0, 1, 2])

    def fit(self, x: np.ndarray, y: np.ndarray) -> Logits:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        return x

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x.argmax(axis=1)


def drawn(
    temperature: float = 1.0, shift: tuple[float, ...] = (0, 0, 0), n: int = 300, seed: int = 0, patients: int = 0
) -> MulticlassValidationScores:
    """Scores whose logits are those of calibrated scores, divided by a temperature and shifted."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (n, 3))
    true = softmax(logits, axis=1)
    labels = (random.random((n, 1)) > true.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    patient = tuple(f"p{each}" for each in random.integers(0, patients, n)) if patients else None
    return MulticlassValidationScores(
        "val", labels, softmax(logits / temperature + np.array(shift), axis=1), CLASSES, patient=patient
    )


def on_test(val: MulticlassValidationScores) -> MulticlassTestScores:
    return MulticlassTestScores("test", val.y_true, val.y_score, val.classes)


def plain(y_true: list[int], y_score: list[list[float]], **more: Any) -> MulticlassValidationScores:
    return MulticlassValidationScores("val", np.array(y_true), np.array(y_score), CLASSES, **more)


@pytest.mark.parametrize("temperature", [0.25, 0.5, 3.0])
def test_the_temperature_is_that_of_scikit_learn(temperature: float) -> None:
    val = drawn(temperature)
    fitted = calibrate_multiclass(val)
    logs = np.log(val.y_score.clip(CLIP))
    model = CalibratedClassifierCV(FrozenEstimator(Logits()), method="temperature").fit(logs, val.y_true)
    expected = model.predict_proba(logs)
    assert fitted.apply(val).y_score == pytest.approx(expected, abs=1e-5)
    assert fitted.temperature == pytest.approx(1 / temperature, rel=0.2)


def test_vector_scaling_minimises_the_smoothed_log_loss_as_another_optimiser_does() -> None:
    val = drawn(0.4, (1.0, -1.0, 0.0))
    sizes = np.bincount(val.y_true)
    targets = np.array([[sizes[t] + 1 if t == j else 1 for j in range(3)] / (sizes[t] + 3) for t in val.y_true])
    x = np.log(val.y_score.clip(CLIP))

    def loss(p: np.ndarray) -> float:
        return -float(np.mean(np.sum(targets * log_softmax(p[:3] * x + p[3:], axis=1), axis=1)))

    best = minimize(loss, np.array([1, 1, 1, 0, 0, 0.0]), method="SLSQP", options={"ftol": 1e-14, "maxiter": 1000})
    fitted = calibrate_multiclass(val, "vector")
    assert fitted.slopes == pytest.approx(best.x[:3], abs=1e-3)
    assert fitted.intercepts == pytest.approx(best.x[3:] - best.x[3:].mean(), abs=1e-3)
    assert loss(np.array([*fitted.slopes, *fitted.intercepts])) <= best.fun + 1e-9


def test_temperature_scaling_of_a_class_that_never_scores_is_that_of_two_classes() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, 200)
    labels = (random.random(200) < expit(logits)).astype(int).tolist()
    positive = expit(0.5 * logits)
    val = plain(labels, np.column_stack([1 - positive, positive, np.zeros(200)]).tolist())
    fitted, of_two = calibrate_multiclass(val), calibrate(on_val(labels, positive.tolist()))
    assert fitted.accepted
    assert of_two.accepted
    assert fitted.temperature == pytest.approx(of_two.parameters[0], rel=1e-4)


@pytest.mark.parametrize("method", SCALINGS)
def test_the_log_losses_are_those_of_scikit_learn_and_the_calibrated_one_is_lower(method: str) -> None:
    val = drawn(0.6)
    fitted = calibrate_multiclass(val, method)
    assert fitted.log_loss_before == pytest.approx(log_loss(val.y_true, val.y_score), abs=1e-5)
    after = log_loss(val.y_true, fitted.apply(val).y_score)
    assert after <= (fitted.log_loss_after or 0) < (fitted.log_loss_before or 0)


@pytest.mark.parametrize("method", SCALINGS)
def test_calibrated_scores_are_left_as_they_are(method: str) -> None:
    val = drawn(1.0, n=60, seed=3)
    fitted = calibrate_multiclass(val, method)
    assert not fitted.accepted
    assert fitted.reason is not None
    assert "is not below" in fitted.reason
    assert fitted.apply(val).y_score == pytest.approx(val.y_score, abs=0)


def test_the_best_calibrator_is_the_accepted_one_with_the_lowest_log_loss() -> None:
    methods = set()
    for val in (drawn(0.4, (2.0, -2.0, 0.0)), *(drawn(0.4, n=60, seed=seed) for seed in range(5))):
        fitted = [calibrate_multiclass(val, method) for method in SCALINGS]
        best = best_multiclass_calibrator(val)
        assert best.accepted
        assert best in fitted
        assert best.log_loss_after == min(each.log_loss_after or 9 for each in fitted if each.accepted)
        methods.add(best.method)
    assert methods == set(SCALINGS)


def test_a_rejected_method_does_not_beat_an_accepted_one() -> None:
    val = drawn(0.3, n=40, seed=1)
    without = val.y_true != 2
    lacking = plain(val.y_true[without].tolist(), val.y_score[without].tolist())
    best = best_multiclass_calibrator(lacking)
    assert best.accepted
    assert best.method == "temperature"


def test_a_class_that_validation_lacks_is_named_and_only_vector_scaling_needs_it() -> None:
    val = drawn(0.3)
    few = val.y_true != 1
    lacking = plain(val.y_true[few].tolist(), val.y_score[few].tolist())
    assert calibrate_multiclass(lacking).accepted
    reason = "the validation split has no image of MELANOMA: vector scaling needs every class"
    assert calibrate_multiclass(lacking, "vector").reason == reason


@pytest.mark.parametrize(
    ("val", "method", "says"),
    [
        (plain([0, 0], [[0.5, 0.3, 0.2], [0.4, 0.3, 0.3]]), "temperature", "all validation images are of one class"),
        (plain([0, 1], [[0.5, 0.3, 0.2]] * 2), "temperature", "all validation images have the same scores"),
        (plain([0, 1], [[0.1, 0.5, 0.4], [0.8, 0.1, 0.1]]), "temperature", "favour the wrong classes on average"),
        (plain([0, 1], [[0.8, 0.1, 0.1], [0.1, 0.7, 0.2]]), "temperature", "the best temperature is 0"),
        (
            plain([0, 1, 2, 2], [[0.8, 0.1, 0.1], [0.1, 0.7, 0.2], [0.2, 0.2, 0.6], [0.5, 0.2, 0.3]]),
            "vector",
            "cross-fitting needs at least 2 images of each class; BCC has 1",
        ),
    ],
)
def test_scores_that_cannot_be_calibrated_say_why(val: MulticlassValidationScores, method: str, says: str) -> None:
    fitted = calibrate_multiclass(val, method)
    assert fitted.reason is not None
    assert says in fitted.reason
    assert fitted.apply(val).y_score == pytest.approx(val.y_score, abs=0)


def test_a_score_that_means_the_opposite_is_not_turned_round() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 1, (400, 3))
    labels = (random.random((400, 1)) > softmax(logits, axis=1).cumsum(axis=1)).sum(axis=1).clip(0, 2)
    turned = softmax(logits * np.array([1, 1, -1]), axis=1)
    fitted = calibrate_multiclass(plain(labels.tolist(), turned.tolist()), "vector")
    assert fitted.reason == "higher scores of NEVUS would mean lower probabilities"


def test_images_of_a_patient_share_a_fold_and_the_order_of_images_changes_nothing() -> None:
    val = drawn(0.3, patients=60)
    fitted = calibrate_multiclass(val)
    assert fitted.by_patient
    order = np.random.default_rng(1).permutation(len(val))
    patients = tuple(np.array(val.patient)[order].tolist())
    assert (
        calibrate_multiclass(plain(val.y_true[order].tolist(), val.y_score[order].tolist(), patient=patients)) == fitted
    )
    assert calibrate_multiclass(drawn(0.3)).log_loss_after != fitted.log_loss_after


@pytest.mark.parametrize("method", SCALINGS)
@pytest.mark.parametrize("patients", [0, 60])
def test_cross_fitted_scores_have_the_log_loss_after_and_do_not_know_their_own_label(
    method: str, patients: int
) -> None:
    val = drawn(0.3, (0.5, 0, 0), patients=patients)
    fitted = calibrate_multiclass(val, method)
    scores = cross_fitted_scores(val, fitted)
    assert scores.y_true.tolist() == val.y_true.tolist()
    assert scores.patient == val.patient
    assert log_loss(val.y_true, scores.y_score) == pytest.approx(fitted.log_loss_after)
    assert log_loss(val.y_true, fitted.apply(val).y_score) < fitted.log_loss_after  # type: ignore[operator]


def test_scores_without_an_accepted_calibrator_stay_as_they_are() -> None:
    val = plain([0, 0], [[0.5, 0.3, 0.2], [0.4, 0.3, 0.3]])
    assert cross_fitted_scores(val, calibrate_multiclass(val)) is val


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), temperature=st.sampled_from([0.3, 0.6, 2.5]))
def test_temperature_scaling_keeps_the_order_of_scores_and_sums_of_one(seed: int, temperature: float) -> None:
    val = drawn(temperature, n=80, seed=seed)
    scaled = calibrate_multiclass(val).apply(val)
    assert type(scaled) is type(val)
    assert scaled.y_score.sum(axis=1) == pytest.approx(np.ones(80))
    assert (scaled.y_score.argmax(axis=1) == val.y_score.argmax(axis=1)).all()


@pytest.mark.parametrize("method", SCALINGS)
def test_a_calibrator_is_plain_data(method: str) -> None:
    fitted = calibrate_multiclass(drawn(0.3), method)
    adapter = TypeAdapter(MulticlassCalibrator)
    assert adapter.validate_json(adapter.dump_json(fitted)) == fitted


def test_nothing_is_fitted_on_test_scores_or_on_two_classes() -> None:
    others: tuple[Any, ...] = (on_test(drawn()), on_val([0, 1], [0.2, 0.7]))
    for scores in others:
        with pytest.raises(TypeError, match="fitted on MulticlassValidationScores"):
            calibrate_multiclass(scores)


def test_a_temperature_of_2_takes_square_roots() -> None:
    halves = MulticlassCalibrator("temperature", CLASSES, True, slopes=(0.5,) * 3, intercepts=(0.0,) * 3)
    assert halves.probabilities(np.array([[0.7, 0.2, 0.1]])) == pytest.approx(
        np.array([[0.523, 0.279, 0.198]]), abs=5e-4
    )


def test_a_calibrator_fits_its_own_classes_only() -> None:
    fitted = calibrate_multiclass(drawn(0.3))
    others = dataclasses.replace(drawn(0.3), classes=("BCC", "NEVUS", "MELANOMA"))
    with pytest.raises(ValueError, match="the calibrator is of the classes"):
        fitted.apply(others)


def test_an_unknown_method_and_too_few_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown calibration method 'platt' of several classes; known: temperature"):
        calibrate_multiclass(drawn(), "platt")
    with pytest.raises(ValueError, match="at least 2 folds"):
        calibrate_multiclass(drawn(), folds=1)

"""A calibrator is fitted on validation scores alone, agrees with scikit-learn, and is kept only where it helps."""

from __future__ import annotations

import dataclasses
import inspect
import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from benchmark.evidence.calibration.calibrators import (
    METHODS,
    Calibrator,
    best_calibrator,
    calibrate,
    logistic_fit,
    logit,
)
from benchmark.evidence.scores import CLIP, Scores, TestScores, ValidationScores
from tests.support.records import on_test, on_val, planted

QUICK = settings(deadline=None, max_examples=40)
GRID = st.lists(st.integers(1, 999).map(lambda k: k / 1000), min_size=2, max_size=40)
TEMPERATURES = st.floats(0.5, 50)


def scaled(by: float, shift: float = 0.0, n: int = 200, seed: int = 0) -> ValidationScores:
    """Validation scores whose logits are those of calibrated scores, divided by `by` and shifted."""
    true = np.random.default_rng(seed).normal(0, 2, n)
    labels = np.random.default_rng(seed + 1000).random(n) < expit(true)
    return on_val(labels.astype(int).tolist(), expit(true / by + shift).tolist())


def with_patients(val: ValidationScores, patients: list[str]) -> ValidationScores:
    return ValidationScores("val", val.y_true, val.y_score, tuple(patients))


@cache
def fitted_once(method: str) -> Calibrator:
    """A calibrator that is kept."""
    found = calibrate(scaled(4.0, 1.0), method)
    assert found.accepted
    return found


class Logits(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose decision function is its only feature."""

    classes_ = np.array([0, 1])

    def fit(self, x: np.ndarray, y: np.ndarray) -> Logits:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        return x[:, 0]

    def predict(self, x: np.ndarray) -> np.ndarray:
        return (x[:, 0] > 0).astype(int)


def scikit_learn_s(method: str, val: Scores, on: Scores) -> np.ndarray:
    """Probabilities of `on` by scikit-learn's calibrator, fitted on `val`."""
    model = CalibratedClassifierCV(FrozenEstimator(Logits()), method=method)
    x = val.y_score if method == "isotonic" else logit(val.y_score)
    at = on.y_score if method == "isotonic" else logit(on.y_score)
    return model.fit(x[:, None], val.y_true).predict_proba(at[:, None])[:, 1]


@pytest.mark.parametrize(("method", "known_as"), [("temperature", "temperature"), ("platt", "sigmoid")])
@pytest.mark.parametrize(("by", "shift"), [(3.0, 0.0), (0.3, 0.0), (2.0, 0.7)])
def test_calibrated_scores_are_those_of_scikit_learn(method: str, known_as: str, by: float, shift: float) -> None:
    val, test = scaled(by, shift), on_test(*planted(40, 40))
    fitted = calibrate(val, method)
    assert fitted.accepted
    assert fitted.apply(test).y_score == pytest.approx(scikit_learn_s(known_as, val, test), abs=2e-5)


def test_isotonic_scores_are_those_of_scikit_learn_within_platt_s_two_targets() -> None:
    val, test = scaled(4.0, 1.0), on_test(*planted(40, 40))
    fitted = calibrate(val, "isotonic")
    positives, negatives = val.y_true.sum(), (1 - val.y_true).sum()
    bounds = 1 / (negatives + 2), (positives + 1) / (positives + 2)
    assert fitted.accepted
    # Clipping before or after interpolation differs between two knots only: look at the knots, then in between.
    at_knots = on_test([0] * len(val), val.y_score.tolist())
    expected = np.clip(scikit_learn_s("isotonic", val, at_knots), *bounds)
    assert fitted.apply(at_knots).y_score == pytest.approx(expected, abs=1e-9)
    between = fitted.apply(test).y_score
    assert bounds[0] <= between.min() < between.max() <= bounds[1]


def test_the_temperature_of_scores_at_a_known_wrong_scale_is_found() -> None:
    fitted = calibrate(scaled(0.25, n=20_000), "temperature")
    assert fitted.parameters[0] == pytest.approx(4, rel=0.1)


def test_platt_finds_a_known_slope_and_shift() -> None:
    fitted = calibrate(scaled(2.0, -1.5, n=20_000), "platt")
    assert fitted.parameters == pytest.approx((2, 3), rel=0.1)


def test_the_fitted_temperature_has_the_lowest_log_loss_of_a_grid() -> None:
    val = scaled(3.0)
    fitted = calibrate(val, "temperature")
    signed = np.where(val.y_true == 1, 1, -1) * logit(val.y_score)
    others = [np.mean(np.log1p(np.exp(-signed / t))) for t in np.geomspace(0.05, 20, 400)]
    assert log_loss(val.y_true, fitted.apply(val).y_score) <= min(others) + 1e-12


@QUICK
@given(found=GRID, temperature=TEMPERATURES)
def test_temperature_keeps_order_ties_and_auc(found: list[float], temperature: float) -> None:
    test = on_test([i % 2 for i in range(len(found))], found)
    applied = Calibrator("temperature", accepted=True, parameters=(temperature,)).apply(test)
    assert (
        np.sign(np.subtract.outer(applied.y_score, applied.y_score)) == np.sign(np.subtract.outer(found, found))
    ).all()
    assert roc_auc_score(test.y_true, applied.y_score) == roc_auc_score(test.y_true, test.y_score)


@QUICK
@given(found=GRID, slope=st.floats(0.02, 2), intercept=st.floats(-3, 3))
def test_platt_keeps_order_and_ties(found: list[float], slope: float, intercept: float) -> None:
    test = on_test([0] * len(found), found)
    applied = Calibrator("platt", accepted=True, parameters=(slope, intercept)).apply(test).y_score
    assert (np.sign(np.subtract.outer(applied, applied)) == np.sign(np.subtract.outer(found, found))).all()


@QUICK
@given(found=GRID, seed=st.integers(0, 20))
def test_isotonic_never_reverses_two_scores(found: list[float], seed: int) -> None:
    fitted = calibrate(scaled(4.0, 1.0, n=60, seed=seed), "isotonic")
    applied = fitted.apply(on_test([0] * len(found), sorted(found))).y_score
    assert (np.diff(applied) >= 0).all()


@pytest.mark.parametrize("method", METHODS)
@QUICK
@given(found=st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_calibrated_scores_stay_within_0_and_1_for_any_scores(method: str, found: list[float]) -> None:
    applied = fitted_once(method).apply(on_test([0] * len(found), found)).y_score
    assert ((applied >= 0) & (applied <= 1)).all()


@pytest.mark.parametrize("method", METHODS)
def test_badly_scaled_scores_are_calibrated_and_their_log_loss_falls_on_other_images(method: str) -> None:
    fitted, test = calibrate(scaled(0.2), method), scaled(0.2, n=5000, seed=5)
    assert fitted.accepted
    assert fitted.reason is None
    assert fitted.log_loss_after is not None
    assert fitted.log_loss_before is not None
    assert fitted.log_loss_after < fitted.log_loss_before - 0.1
    assert log_loss(test.y_true, fitted.apply(test).y_score) < log_loss(test.y_true, test.y_score) - 0.1


@pytest.mark.parametrize("method", METHODS)
def test_small_samples_of_calibrated_scores_are_mostly_rolled_back(method: str) -> None:
    """There is nothing to gain: what a fit finds in 40 images is noise, and most fits are found out."""
    found = [calibrate(scaled(1.0, n=40, seed=seed), method) for seed in range(30)]
    rolled_back = [one for one in found if not one.accepted]
    assert len(rolled_back) > 15
    for one in rolled_back:
        assert one.reason is not None
        assert one.reason.startswith("cross-fitted validation log loss")
        assert one.log_loss_after is not None
        assert one.log_loss_before is not None
        assert one.log_loss_after >= one.log_loss_before
        assert (one.parameters, one.knots_x, one.knots_y) == ((), (), ())


@pytest.mark.parametrize("method", METHODS)
def test_a_calibrator_that_is_not_kept_changes_nothing(method: str) -> None:
    fitted = calibrate(on_val([0, 1], [0.5, 0.5]), method)
    test = on_test(*planted(5, 5))
    assert fitted.apply(test) is test


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("val", "reason"),
    [
        (on_val([1] * 6, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), "lacks a class"),
        (on_val([0] * 6, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), "lacks a class"),
        (on_val([0, 1] * 3, [0.7] * 6), "the same"),
        (on_val([0, 1] * 3, [0.0, 1e-9] * 3), "the same"),
        (on_val([1, 1, 1, 0, 0, 0], [0.1, 0.2, 0.6, 0.4, 0.8, 0.9]), "not higher for positives"),
        (on_val([0, 0, 0, 1], [0.1, 0.2, 0.8, 0.4]), "at least 2 images of each class"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_with_a_reason(method: str, val: ValidationScores, reason: str) -> None:
    fitted = calibrate(val, method)
    assert not fitted.accepted
    assert fitted.reason is not None
    assert reason in fitted.reason
    assert (fitted.log_loss_before, fitted.log_loss_after, fitted.folds) == (None, None, 0)


def test_cross_fitting_needs_two_patients_of_each_class() -> None:
    val = with_patients(on_val([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.6, 0.4, 0.8, 0.9]), ["a", "b", "c", "d", "d", "d"])
    assert "at least 2 patients of each class" in (calibrate(val, "platt").reason or "")


def test_scores_all_on_the_right_side_have_no_temperature_but_a_platt_fit() -> None:
    """Overconfidence without end would be the best answer; smoothed targets stop short of it."""
    val = on_val([0] * 20 + [1] * 20, np.r_[np.linspace(0.40, 0.49, 20), np.linspace(0.51, 0.60, 20)].tolist())
    assert "best temperature is 0" in (calibrate(val, "temperature").reason or "")
    fitted = calibrate(val, "platt")
    assert fitted.accepted
    ends = fitted.apply(on_test([0, 1], [0.40, 0.60])).y_score
    assert 0.001 < ends[0] < 0.05
    assert 0.95 < ends[1] < 0.999


def test_scores_on_the_wrong_side_on_average_have_no_temperature() -> None:
    labels, drawn = planted(90, 10)
    val = on_val(labels, [0.9 + score / 20 for score in drawn])
    assert "wrong side" in (calibrate(val, "temperature").reason or "")
    assert calibrate(val, "platt").accepted


def test_scores_of_exactly_0_and_1_are_calibrated() -> None:
    val = on_val([0] * 18 + [1] * 2 + [0] * 2 + [1] * 18, [0.0] * 20 + [1.0] * 20)
    fitted = calibrate(val, "temperature")
    assert fitted.accepted
    assert fitted.apply(on_test([0, 1], [0.0, 1.0])).y_score == pytest.approx([0.1, 0.9], abs=1e-3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", METHODS)
@QUICK
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 1),
            st.one_of(st.integers(0, 8).map(lambda k: k / 8), st.floats(0, 1)),
            st.text("abcdef", min_size=1, max_size=1),
        ),
        min_size=1,
        max_size=30,
    ),
    known=st.booleans(),
)
def test_any_validation_scores_are_calibrated_or_refused(
    method: str, rows: list[tuple[int, float, str]], known: bool
) -> None:
    label, score, patient = zip(*rows, strict=True)
    val = on_val(label, score)
    fitted = calibrate(with_patients(val, list(patient)) if known else val, method)
    assert fitted.method == method
    if fitted.accepted:
        assert fitted.log_loss_after < fitted.log_loss_before  # type: ignore[operator]
        assert np.isfinite([*fitted.parameters, *fitted.knots_x, *fitted.knots_y]).all()
        order = np.argsort(val.y_score)
        assert (np.diff(fitted.apply(val).y_score[order]) >= 0).all()
    else:
        assert fitted.reason


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "scores",
    [
        on_test([0, 1], [0.1, 0.9]),
        Scores("test", np.array([0, 1]), np.array([0.1, 0.9])),
        Scores("val", np.array([0, 1]), np.array([0.1, 0.9])),
        Scores("train", np.array([0, 1]), np.array([0.1, 0.9])),
    ],
    ids=["TestScores", "bare test", "bare val", "bare train"],
)
def test_scores_of_any_other_type_are_refused(method: str, scores: Any) -> None:
    with pytest.raises(TypeError, match="ValidationScores"):
        calibrate(scores, method)
    with pytest.raises(TypeError, match="ValidationScores"):
        best_calibrator(scores)


@pytest.mark.parametrize("function", [calibrate, best_calibrator])
def test_no_parameter_of_a_fit_could_take_test_scores(function: Any) -> None:
    hints = inspect.get_annotations(function, eval_str=True).values()
    assert [hint for hint in hints if isinstance(hint, type) and issubclass(hint, Scores)] == [ValidationScores]


@QUICK
@given(found=st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_applying_to_test_scores_never_changes_the_calibrator(found: list[float]) -> None:
    fitted = fitted_once("platt")
    before = dataclasses.asdict(fitted)
    applied = fitted.apply(on_test([0] * len(found), found))
    assert dataclasses.asdict(fitted) == before
    assert fitted.apply(on_test([1] * len(found), found)).y_score.tolist() == applied.y_score.tolist()


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown calibration method 'plat'; known: temperature, platt, isotonic"):
        calibrate(scaled(2.0), "plat")


def test_a_single_fold_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 folds, not 1"):
        calibrate(scaled(2.0), folds=1)


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_validation_images_changes_nothing(method: str) -> None:
    val = with_patients(scaled(3.0, n=60), [f"p{i // 2}" for i in range(60)])
    order = np.random.default_rng(1).permutation(60)
    assert val.patient is not None
    shuffled = ValidationScores("val", val.y_true[order], val.y_score[order], tuple(val.patient[i] for i in order))
    assert calibrate(shuffled, method) == calibrate(val, method)


@pytest.mark.parametrize("patients", [False, True])
def test_a_fit_is_repeated_by_its_seed(patients: bool) -> None:
    val = scaled(3.0, n=60)
    val = with_patients(val, [f"p{i // 3}" for i in range(60)]) if patients else val
    assert calibrate(val, seed=3) == calibrate(val, seed=3)
    assert len({calibrate(val, seed=seed).log_loss_after for seed in range(5)}) > 1
    assert len({calibrate(val, seed=seed).parameters for seed in range(5)}) == 1


def test_images_of_one_patient_share_a_fold() -> None:
    """Copies of an image would betray an isotonic fit's noise; with a patient each, their copies do not help it."""
    val = scaled(1.0, n=60)
    tripled = on_val(np.repeat(val.y_true, 3).tolist(), np.repeat(val.y_score, 3).tolist())
    apart = calibrate(tripled, "isotonic")
    together = calibrate(with_patients(tripled, [f"p{i // 3}" for i in range(180)]), "isotonic")
    assert (apart.by_patient, together.by_patient) == (False, True)
    assert apart.log_loss_after is not None
    assert together.log_loss_after is not None
    assert apart.log_loss_after < together.log_loss_after - 0.02


def test_the_cross_fitted_log_loss_is_that_of_a_loop_over_folds() -> None:
    val = with_patients(scaled(0.4, n=90), [f"p{i // 3:02}" for i in range(90)])
    assert val.patient is not None
    rows = sorted(zip(val.patient, val.y_true.tolist(), val.y_score.tolist(), strict=True))
    patient, y, s = (np.array(column) for column in zip(*rows, strict=True))
    fitted = calibrate(val, "temperature", folds=3, seed=7)
    losses = np.empty(90)
    for train, held_out in StratifiedGroupKFold(3, shuffle=True, random_state=7).split(s, y, patient):
        part = scikit_learn_s("temperature", on_val(y[train], s[train]), on_val(y[held_out], s[held_out]))
        losses[held_out] = np.where(y[held_out] == 1, -np.log(part), -np.log1p(-part))
    assert fitted.folds == 3
    assert fitted.log_loss_after == pytest.approx(losses.mean(), abs=1e-5)
    assert fitted.log_loss_before == pytest.approx(log_loss(y, s), abs=1e-9)


def test_folds_are_as_few_as_the_smaller_class_has_images() -> None:
    val = on_val([0] * 17 + [1] * 3, [*np.linspace(0.05, 0.6, 17), 0.3, 0.7, 0.9])
    assert calibrate(val, "platt", folds=5).folds == 3


@pytest.mark.parametrize("method", METHODS)
def test_a_calibrator_comes_back_from_json_as_it_was(method: str) -> None:
    for fitted in (calibrate(scaled(0.3), method), calibrate(on_val([0, 1], [0.5, 0.5]), method)):
        assert Calibrator(**json.loads(json.dumps(dataclasses.asdict(fitted)))) == fitted
        adapter = TypeAdapter(Calibrator)
        assert adapter.validate_json(adapter.dump_json(fitted)) == fitted


@pytest.mark.parametrize(
    "fields",
    [
        {"accepted": True},
        {"accepted": False},
        {"accepted": False, "reason": "no", "parameters": (2.0,)},
        {"accepted": True, "reason": "no", "parameters": (2.0,)},
        {"accepted": True, "knots_x": (0.1, 0.2), "knots_y": (0.1,)},
    ],
)
def test_a_calibrator_that_contradicts_itself_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="calibrator"):
        Calibrator("platt", **fields)


def test_the_best_calibrator_is_the_one_with_the_lowest_cross_fitted_log_loss() -> None:
    val = scaled(2.0, 2.0)
    found = {method: calibrate(val, method).log_loss_after or np.inf for method in METHODS}
    best = best_calibrator(val)
    assert best.accepted
    assert best.method == min(found, key=lambda method: found[method])
    assert best.method != "temperature"


def test_the_best_calibrator_of_scores_that_none_improves_is_the_identity() -> None:
    best = best_calibrator(on_val([0, 1] * 5, [0.3] * 10))
    assert not best.accepted
    assert best.reason == "all validation scores are the same"


@pytest.mark.parametrize("kind", [ValidationScores, TestScores])
def test_calibrated_scores_are_of_the_same_split_images_and_patients(kind: type[Scores]) -> None:
    split = "val" if kind is ValidationScores else "test"
    scores = kind(split, np.array([0, 1]), np.array([0.2, 0.9]), ("a", "b"))  # type: ignore[arg-type]
    applied = Calibrator("temperature", accepted=True, parameters=(2.0,)).apply(scores)
    assert type(applied) is kind
    assert (applied.split, applied.y_true.tolist(), applied.patient) == (split, [0, 1], ("a", "b"))


def test_a_temperature_of_2_halves_the_logit() -> None:
    applied = Calibrator("temperature", accepted=True, parameters=(2.0,)).apply(on_test([0, 1], [0.1, 0.9]))
    assert applied.y_score == pytest.approx([0.25, 0.75])  # odds 1 : 9 become 1 : 3


def test_the_logit_of_certainty_is_finite() -> None:
    assert logit(np.array([0.0, 0.5, 1.0])) == pytest.approx([np.log(CLIP), 0, -np.log(CLIP)], abs=1e-6)


def test_a_logistic_fit_does_not_depend_on_the_unit_of_x() -> None:
    val = scaled(2.0)
    x = logit(val.y_score)
    slope, intercept = logistic_fit(x, val.y_true)
    assert logistic_fit(x * 1e-4 + 3, val.y_true) == pytest.approx((slope * 1e4, intercept - slope * 3e4), rel=1e-6)

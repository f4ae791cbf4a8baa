"""Logistic regression with cross-validation by patient, against scikit-learn's own pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from benchmark.training.logistic import MOST_FOLDS, STRENGTHS, LinearModel, fit_logistic

Floats = np.ndarray[Any, np.dtype[np.float64]]


def rows(images: int, features: int, classes: int, seed: int = 0) -> tuple[Floats, np.ndarray[Any, Any], list[str]]:
    """Rows of two images per patient, whose first features depend on the class, on scales from 0.01 to 100."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(images // 2) % classes, 2)
    x = generator.normal(size=(images, features))
    x[np.arange(images), labels] += 1.5
    x = x * np.geomspace(0.01, 100, features) + 5
    return x, labels, [f"p{index // 2}" for index in range(images)]


def scores_of(model: LinearModel, x: Floats) -> Floats:
    logits = x @ model.kernel + model.bias
    return expit(logits[:, 0]) if logits.shape[1] == 1 else softmax(logits, axis=1)


def fitted(x: Floats, labels: Any, patients: list[str], classes: int, weights: Any = None) -> LinearModel:
    return fit_logistic(x, labels, patients, np.ones(len(x)) if weights is None else weights, classes)


@pytest.mark.parametrize("features", [6, 90], ids=["fewer-features-than-rows", "more-features-than-rows"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("balanced", [False, True])
def test_scores_are_those_of_scikit_learn_on_standardised_features(features: int, classes: int, balanced: bool) -> None:
    x, labels, patients = rows(60, features, classes)
    keep = (labels != 0) | (np.arange(60) % 4 == 0)  # class 0 is smaller
    x, labels, patients = x[keep], labels[keep], [p for p, of in zip(patients, keep, strict=True) if of]
    weights = compute_sample_weight("balanced", labels) if balanced else None
    model = fitted(x, labels, patients, classes, weights)
    assert model.facts.folds == MOST_FOLDS
    assert (model.facts.rows, model.facts.features) == x.shape
    reference = make_pipeline(StandardScaler(), LogisticRegression(C=model.facts.strength, tol=1e-10, max_iter=100_000))
    reference.fit(x, labels, logisticregression__sample_weight=weights)
    expected = reference.predict_proba(x)
    assert np.abs(scores_of(model, x) - (expected[:, 1] if classes == 2 else expected)).max() < 1e-4


def test_noise_gets_a_stronger_penalty_than_signal() -> None:
    x, labels, patients = rows(120, 40, 2)
    noise = np.random.default_rng(1).normal(size=x.shape)
    of_noise, of_signal = (fitted(each, labels, patients, 2).facts.strength for each in (noise, x))
    assert of_noise is not None
    assert of_signal is not None
    assert of_noise < of_signal
    assert {of_noise, of_signal} <= set(STRENGTHS)


def test_images_of_a_patient_are_held_out_together() -> None:
    """Random labels that a patient's images share can be remembered, but not be predicted for another patient."""
    generator = np.random.default_rng(3)
    of_patient = generator.normal(size=(30, 40))
    x = np.repeat(of_patient, 6, axis=0) + generator.normal(scale=0.01, size=(180, 40))
    labels = np.repeat(generator.permutation(np.arange(30) % 2), 6)
    by_patient = [f"p{index // 6}" for index in range(180)]
    by_image = [f"i{index}" for index in range(180)]
    apart, together = (fitted(x, labels, names, 2).facts.strength for names in (by_image, by_patient))
    assert apart is not None
    assert together is not None
    assert apart == STRENGTHS[-1]
    assert together < apart


@pytest.mark.parametrize(("patients", "folds"), [(5, 5), (3, 3), (2, 2), (1, 0)])
def test_a_class_of_few_patients_has_fewer_folds_and_it_is_said(patients: int, folds: int) -> None:
    x, labels, _ = rows(60, 4, 2)
    names = [f"n{index}" if label == 0 else f"p{index % patients}" for index, label in enumerate(labels)]
    facts = fitted(x, labels, names, 2).facts
    assert facts.folds == folds
    notes = [note for note in facts.notes if "patients" in note]
    assert len(notes) == (folds < MOST_FOLDS)
    if folds == 0:
        assert facts.strength == 1.0
        assert "without cross-validation" in facts.in_words()


@pytest.mark.parametrize("classes", [2, 3])
def test_without_features_the_answer_is_the_shares_of_the_classes(classes: int) -> None:
    labels = np.repeat(np.arange(classes), [6, 3, 1][:classes])
    names = [str(index) for index in range(len(labels))]
    model = fitted(np.zeros((len(labels), 3)), labels, names, classes)
    expected = DummyClassifier(strategy="prior").fit(labels, labels).predict_proba(labels)
    assert np.allclose(scores_of(model, np.ones((len(labels), 3))), expected[:, 1] if classes == 2 else expected)
    assert model.facts.strength is None
    assert not model.kernel.any()


def test_a_feature_that_never_varies_has_no_weight() -> None:
    x, labels, patients = rows(60, 6, 2)
    with_constant = np.column_stack([x, np.full(60, np.float32(0.1))])
    model, without = fitted(with_constant, labels, patients, 2), fitted(x, labels, patients, 2)
    assert model.kernel[-1] == 0
    assert np.allclose(model.kernel[:-1], without.kernel)
    assert np.allclose(model.bias, without.bias)


def test_the_same_rows_give_the_same_bits() -> None:
    x, labels, patients = rows(60, 90, 3)
    first, second = (fitted(x, labels, patients, 3) for _ in range(2))
    assert np.array_equal(first.kernel, second.kernel)
    assert np.array_equal(first.bias, second.bias)


def test_repeated_rows_of_half_the_weight_change_nothing() -> None:
    x, labels, patients = rows(60, 6, 2)
    once = fitted(x, labels, patients, 2)
    twice = fitted(np.tile(x, (2, 1)), np.tile(labels, 2), patients * 2, 2, np.full(120, 0.5))
    assert twice.facts.strength == once.facts.strength
    assert np.allclose(twice.kernel, once.kernel, rtol=1e-3, atol=1e-5)

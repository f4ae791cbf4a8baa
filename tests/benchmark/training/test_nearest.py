"""Nearest neighbours by cosine vote as those of scikit-learn, and their number follows from held-out patients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

import benchmark.training.backend as backend
from benchmark.training.fit import FeatureOptions, Fitted, fit
from benchmark.training.frozen.bank import Bank
from benchmark.training.logistic import folds_by_patient
from benchmark.training.nearest import NEIGHBOURS, TEMPERATURE, NearestNeighbours, fit_nearest
from benchmark.training.network import run_batched
from benchmark.training.use.model_file import load_model, save_model
from benchmark.training.use.predict import score
from tests.support import multiclass
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard

COUNT = 60


def rows(classes: int) -> tuple[Any, Any, tuple[str, ...]]:
    generator = np.random.default_rng(classes)
    labels = np.arange(COUNT) % classes
    features = generator.normal(size=(COUNT, 6)) + 1.5 * np.eye(6)[labels]
    return features.astype(np.float32), labels, tuple(f"p{number // 2}" for number in range(COUNT))


def of_scikit_learn(x: Any, y: Any, images: Any, count: int) -> Any:
    votes = KNeighborsClassifier(count, metric="cosine", weights=lambda away: np.exp(-away / TEMPERATURE))
    return votes.fit(x, y).predict_proba(images)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_layer_gives_the_shares_of_scikit_learn(classes: int) -> None:
    x, y, patients = rows(classes)
    nearest = fit_nearest(x, y, patients, np.ones(COUNT), classes)
    layer = NearestNeighbours(COUNT, classes, nearest.count)
    model = keras.Model(inputs := keras.Input((6,)), layer(inputs))
    layer.set_weights([nearest.directions, nearest.votes])
    images = np.random.default_rng(9).normal(size=(20, 6)).astype(np.float32)
    expected = of_scikit_learn(x, y, images, nearest.count)
    assert np.allclose(run_batched(model, images), expected[:, 1:] if classes == 2 else expected, atol=1e-5)
    if classes == 2:  # Grad-CAM has something to explain where the votes are not unanimous
        _, gradient = backend.gradients(lambda values: model(values, training=False), images)
        mixed = np.ptp(expected, axis=1) < 0.99
        assert mixed.sum() > 5
        assert np.abs(gradient[mixed]).max(axis=1).min() > 0


def test_the_number_of_neighbours_has_the_lowest_brier_score_of_held_out_patients() -> None:
    x, y, patients = rows(2)
    folds, _ = folds_by_patient(y, patients, 2)
    losses = {
        count: sum(((of_scikit_learn(x[a], y[a], x[b], count)[:, 1] - y[b]) ** 2).sum() for a, b in folds)
        for count in NEIGHBOURS
        if count <= min(len(a) for a, _ in folds)
    }
    nearest = fit_nearest(x, y, patients, np.ones(COUNT), 2)
    assert nearest.count == min(losses, key=lambda count: losses[count])
    assert 1 < nearest.count < max(losses)
    assert (nearest.facts.neighbours, nearest.facts.folds) == (nearest.count, 5)
    assert nearest.facts.in_words().startswith(f"nearest neighbours by cosine, k {nearest.count}, chosen by 5-fold")


def test_a_class_with_one_patient_leaves_the_default() -> None:
    x, _, patients = rows(2)
    nearest = fit_nearest(x, (np.arange(COUNT) < 2).astype(np.int64), patients, np.ones(COUNT), 2)
    assert nearest.count == 5
    assert "without cross-validation" in nearest.facts.notes[0]


def fitted(folder: Path, model: dict[str, Any], **recipe: Any) -> Fitted:
    keras.utils.set_random_seed(0)
    card = ModelCard.model_validate(
        {"name": "near", "title": "t", "change": "c", "model": model, "recipe": {"probe": "knn", **recipe}}
    )
    train, val = (multiclass.images(split, np.arange(30) % 2, 2, side=16) for split in ("train", "val"))
    return fit(card, train, val, seed=0, view_seed=0, features=FeatureOptions(Bank(folder, 1 << 30)))


def test_a_probe_by_neighbours_is_an_ordinary_model_that_can_be_stored(tmp_path: Path) -> None:
    probe = fitted(tmp_path, {"builder": "pixels", "side": 8}, augmentation={"brightness": [0.8, 1.2]})
    val = multiclass.images("val", np.arange(30) % 2, 2, side=16)
    scores = score(probe, val)
    assert probe.probe is not None
    assert probe.probe.rows == 30 * 5
    assert probe.trainable_parameters == 0
    assert np.all((scores < 0.5) == (val.labels == 0))
    stored = save_model(probe.model, tmp_path / "near.keras")
    assert np.array_equal(run_batched(stored, val.pixels)[:, 0], scores)
    assert np.array_equal(run_batched(load_model(tmp_path / "near.keras"), val.pixels)[:, 0], scores)


def test_features_that_do_not_vary_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no feature varies between images"):
        fitted(tmp_path, {"builder": "constant"})

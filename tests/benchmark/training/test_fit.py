"""Training for three classes and more, and the options that balance and smooth labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from sklearn.utils.class_weight import compute_sample_weight

from benchmark.training.epoch_figures import MulticlassEpoch
from benchmark.training.fit import FeatureOptions, fit, loss_function, total_loss
from benchmark.training.frozen.bank import Bank
from benchmark.training.network import run_batched
from benchmark.training.use.predict import score
from tests.support import multiclass, tiny
from tests.support.multiclass import images, in_turn, trained
from zoo.config.errors import ConfigError
from zoo.models import registry
from zoo.models.card import ModelSpec
from zoo.models.recipe import Loss
from zoo.models.registry import register_builder

_EITHER_WEIGHTS: tuple[dict[str, Any], ...] = ({}, {"class_weights": "balanced"})
_EITHER_SMOOTHING: tuple[dict[str, Any], ...] = ({}, {"label_smoothing": 0.5})
FOCAL = {"name": "focal_crossentropy", "gamma": 2.0}


def test_three_classes_are_learnt_and_every_epoch_has_the_accuracies_of_its_scores(tmp_path: Path) -> None:
    fitted = trained(tmp_path)
    names = "phase epoch loss accuracy balanced_accuracy val_loss val_accuracy val_balanced_accuracy seconds"
    assert [tuple(row) for row in fitted.history] == [tuple(names.split())] * 5
    val = images("val", in_turn(24))
    scores = score(fitted, val)
    assert scores.shape == (24, 3)
    assert scores.dtype == np.float64
    assert np.abs(scores.sum(axis=1) - 1).max() < 1e-12
    last = fitted.history[-1]
    assert last["val_accuracy"] == pytest.approx(accuracy_score(val.labels, scores.argmax(axis=1)))
    assert last["val_balanced_accuracy"] == pytest.approx(balanced_accuracy_score(val.labels, scores.argmax(axis=1)))
    assert float(last["val_accuracy"]) > 0.8
    assert float(last["loss"]) < float(fitted.history[0]["loss"])


def test_training_in_bfloat16_learns_the_same_with_weights_and_scores_in_float32(tmp_path: Path) -> None:
    card = tiny.card(epochs=5, model={"batch_norm_momentum": 0.9})
    fitted, again, full = (trained(tmp_path, card, precision=p) for p in ("bfloat16", "bfloat16", "float32"))
    assert {weight.dtype for weight in fitted.model.weights} == {"float32"}
    assert {layer.dtype_policy.name for layer in fitted.network.model.layers} == {"float32"}
    val = images("val", in_turn(24))
    np.testing.assert_array_equal(score(again, val), score(fitted, val))
    assert fitted.history[0]["loss"] != full.history[0]["loss"]
    assert float(fitted.history[0]["loss"]) == pytest.approx(float(full.history[0]["loss"]), rel=0.02)
    assert np.array_equal(score(fitted, val).argmax(axis=1), val.labels)
    in_float32 = total_loss(card, fitted.model, val.labels, score(fitted, val))
    assert float(fitted.history[-1]["val_loss"]) == pytest.approx(in_float32, rel=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow's convolutions are filtered")
def test_filtered_steps_train_nearly_the_same_network_whose_scores_are_those_of_keras(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(registry, "_BUILDERS", dict(registry._BUILDERS))

    @register_builder("wide")
    def wide(input_shape: tuple[int, int, int], outputs: int = 1) -> keras.Model:
        x = inputs = keras.Input(input_shape)
        for number in (1, 2):
            x = keras.layers.Conv2D(128, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, keras.layers.Dense(outputs, activation="softmax")(x))

    card = tiny.card(epochs=2).model_copy(update={"model": ModelSpec(builder="wide")})
    filtered, again, direct = (trained(tmp_path, card, convolutions=m) for m in ("filtered", "filtered", "direct"))
    assert filtered.filterable
    val = images("val", in_turn(24))
    np.testing.assert_array_equal(score(again, val), score(filtered, val))
    assert filtered.history[-1]["loss"] != direct.history[-1]["loss"]
    assert float(filtered.history[-1]["loss"]) == pytest.approx(float(direct.history[-1]["loss"]), rel=0.02)
    assert filtered.history[-1]["val_loss"] == total_loss(card, filtered.model, val.labels, score(filtered, val))
    assert not trained(tmp_path).filterable  # no convolution is wide


def test_the_balanced_accuracy_of_training_is_the_mean_over_classes_whatever_their_sizes(tmp_path: Path) -> None:
    # The learning rate is too small to move a weight, so that every batch sees the same network.
    card = tiny.card(epochs=1, batch_size=7, optimizer={"name": "sgd", "learning_rate": 1e-30})
    train = images("train", np.repeat([0, 1, 2], [30, 11, 3]))
    fitted = trained(tmp_path, card, train=train.labels)
    called = score(fitted, train).argmax(axis=1)
    assert fitted.history[0]["accuracy"] == pytest.approx(accuracy_score(train.labels, called))
    assert fitted.history[0]["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(train.labels, called))


def test_a_class_without_validation_images_is_left_out_of_the_balanced_accuracy() -> None:
    scores = np.eye(3)[[0, 1, 1, 1]]
    figures = MulticlassEpoch(3).of_validation(np.array([0, 0, 1, 1]), scores)
    assert figures == {"val_accuracy": 0.75, "val_balanced_accuracy": 0.75}


def test_the_loss_of_scores_is_the_log_loss_plus_the_penalties(tmp_path: Path) -> None:
    fitted = trained(tmp_path)
    val = images("val", in_turn(24))
    scores = score(fitted, val)
    penalties = sum(float(each) for each in fitted.model.losses)
    assert penalties > 0
    loss = total_loss(tiny.card(), fitted.model, val.labels, scores)
    assert loss == pytest.approx(log_loss(val.labels, scores) + penalties, rel=1e-5)
    assert loss == pytest.approx(float(fitted.history[-1]["val_loss"]), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "classes"),
    [(Loss(), 2), (Loss(), 3), (Loss(name="focal_crossentropy", gamma=2.0), 3)],
    ids=["two", "three", "focal"],
)
def test_smoothed_labels_are_mixed_with_equal_shares(loss: Loss, classes: int) -> None:
    generator = np.random.default_rng(0)
    y_true = np.eye(classes)[generator.integers(0, classes, 20)]
    y_score = generator.dirichlet(np.ones(classes), 20)
    mixed = 0.8 * y_true + 0.2 / classes
    factor = (1 - y_score) ** (loss.gamma or 0)
    expected = float(-(mixed * factor * np.log(y_score)).sum(axis=1).mean())
    ends = slice(1, 2) if classes == 2 else slice(None)
    value = loss_function(loss, classes, 0.2)(y_true[:, ends].astype("float32"), y_score[:, ends].astype("float32"))
    assert float(value) == pytest.approx(expected, rel=1e-4)


def test_focal_loss_without_alpha_weighs_both_of_two_classes_alike() -> None:
    y_true, y_score = np.array([[1.0], [0.0]], "float32"), np.array([[0.7], [0.3]], "float32")
    value = float(loss_function(Loss(name="focal_crossentropy", gamma=2.0))(y_true, y_score))
    assert value == pytest.approx(-(0.3**2) * np.log(0.7), rel=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_balanced_weights_count_in_training_alone(classes: int, tmp_path: Path) -> None:
    sizes = [30, 10, 4][:classes]
    train = images("train", np.repeat(np.arange(classes), sizes), classes)
    still: dict[str, Any] = {"epochs": 1, "batch_size": 64, "optimizer": {"name": "sgd", "learning_rate": 1e-30}}
    plain, balanced = (
        trained(tmp_path, tiny.card(**still, **more), classes=classes, train=train.labels) for more in _EITHER_WEIGHTS
    )
    scores = score(plain, train)
    weights = compute_sample_weight("balanced", train.labels)
    penalties = sum(float(each) for each in plain.model.losses)
    expected = log_loss(train.labels, scores, sample_weight=weights) + penalties
    assert balanced.history[0]["loss"] == pytest.approx(expected, rel=1e-4)
    assert balanced.history[0]["loss"] != pytest.approx(float(plain.history[0]["loss"]), rel=1e-2)
    assert balanced.history[0]["val_loss"] == pytest.approx(float(plain.history[0]["val_loss"]), rel=1e-6)


def test_label_smoothing_counts_in_training_alone(tmp_path: Path) -> None:
    still: dict[str, Any] = {"epochs": 1, "optimizer": {"name": "sgd", "learning_rate": 1e-30}}
    plain, smoothed = (trained(tmp_path, tiny.card(**still, **more)) for more in _EITHER_SMOOTHING)
    assert smoothed.history[0]["loss"] != pytest.approx(float(plain.history[0]["loss"]), rel=1e-2)
    assert smoothed.history[0]["val_loss"] == pytest.approx(float(plain.history[0]["val_loss"]), rel=1e-6)


@pytest.mark.parametrize("recipe", [{"loss": FOCAL}, {"label_smoothing": 0.1, "class_weights": "balanced"}])
def test_other_recipes_learn_three_classes_too(recipe: dict[str, Any], tmp_path: Path) -> None:
    assert float(trained(tmp_path, tiny.card(epochs=5, **recipe)).history[-1]["val_accuracy"]) > 0.8


def test_the_weight_of_the_positive_class_is_refused_for_three_classes(tmp_path: Path) -> None:
    card = tiny.card(loss={"name": "binary_focal_crossentropy", "alpha": 0.25, "gamma": 2.0})
    with pytest.raises(ConfigError, match=r"^card tiny: recipe\.loss\.alpha 0\.25 is the weight .* 3 classes; give"):
        trained(tmp_path, card)


def test_early_stopping_ends_the_training_of_three_classes(tmp_path: Path) -> None:
    stopping = {"patience": 1, "monitor": "val_accuracy"}
    still = {"name": "sgd", "learning_rate": 1e-30}
    assert len(trained(tmp_path, tiny.card(epochs=9, optimizer=still, early_stopping=stopping)).history) == 2


@pytest.mark.slow
def test_features_of_frozen_layers_are_shared_by_runs_of_two_and_of_three_classes(tmp_path: Path) -> None:
    card = tiny.card(epochs=1).model_copy(
        update={"model": ModelSpec.model_validate({"builder": "vgg16", "weights": "random", "dense_units": 4})}
    )
    labels = {2: in_turn(12, 2), 3: in_turn(12, 3)}
    pixels = images("train", labels[3], side=32)
    folder, stored = tmp_path / "bank", []
    for classes in (2, 3):
        keras.utils.set_random_seed(0)  # the same random base
        train = replace(pixels, labels=labels[classes])
        val = replace(images("val", labels[3], side=32), labels=labels[classes])
        options = FeatureOptions(Bank(folder, 1 << 30))
        fitted = fit(card, train, val, seed=0, view_seed=0, features=options, classes=classes)
        assert run_batched(fitted.network.tail, fitted.network.unaugmented(val)).shape == (12, 1 if classes == 2 else 3)
        stored.append({path.name: path.stat().st_ino for path in folder.rglob("*") if path.is_file()})
    assert stored[0]
    assert stored[0] == stored[1]


def test_a_network_for_two_classes_is_refused_for_three(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "_BUILDERS", dict(registry._BUILDERS))

    @register_builder("pair")
    def pair(input_shape: tuple[int, int, int]) -> keras.Model:
        inputs = keras.Input(input_shape)
        return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(inputs)))

    card = tiny.card().model_copy(update={"model": ModelSpec(builder="pair")})
    with pytest.raises(ConfigError, match=r"^builder pair: makes one probability, for two classes, .* 3 classes;"):
        trained(tmp_path, card)


def test_the_number_of_classes_of_these_tests_is_no_special_one(tmp_path: Path) -> None:
    fitted = trained(tmp_path, tiny.card(epochs=1), classes=5)
    assert fitted.model.output_shape == (None, 5)
    assert score(fitted, images("test", in_turn(multiclass.CLASSES, 5), 5)).shape == (3, 5)

"""A probe fits the last layer on features that are computed once, and is an ordinary model afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.training.augmentation import augmented_view
from benchmark.training.fit import FeatureOptions, Fitted, Step, fit
from benchmark.training.frozen.bank import Bank
from benchmark.training.frozen.logistic_probe import FRESH_VIEWS
from benchmark.training.logistic import fit_logistic
from benchmark.training.network import run_batched
from benchmark.training.use.predict import score
from benchmark.training.use.probe import score_in_both_modes
from tests.support import multiclass
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard

VIEWS = {"rotation_degrees": 10, "brightness": [0.8, 1.2]}
POOLED = {"builder": "vgg16_pooled", "weights": "random"}
PIXELS = {"builder": "pixels", "side": 8}


def card(model: dict[str, Any], **recipe: Any) -> ModelCard:
    return ModelCard.model_validate(
        {"name": "probe", "title": "t", "change": "c", "model": model, "recipe": {"probe": "logistic", **recipe}}
    )


def fitted(folder: Path, of: ModelCard, *, seed: int = 0, classes: int = 2, **options: Any) -> Fitted:
    keras.utils.set_random_seed(seed)
    train = options.pop("train", images("train", classes))
    features = FeatureOptions(Bank(folder, 1 << 30))
    return fit(of, train, images("val", classes), seed=seed, view_seed=0, features=features, classes=classes, **options)


def features_of(fitted: Fitted, pixels: Any) -> Any:
    """What the last layer gets, computed in one piece from pixels."""
    model = fitted.network.model
    return run_batched(keras.Model(model.inputs, model.layers[-1].input), run_batched(fitted.network.front, pixels))


def images(split: Any, classes: int = 2) -> LabelledImages:
    return multiclass.images(split, np.arange(30) % classes, classes, side=32)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("model", [PIXELS, POOLED], ids=["pixels", "behind-the-bank"])
def test_scores_are_those_of_logistic_regression_on_the_features(
    model: dict[str, Any], classes: int, tmp_path: Path
) -> None:
    probe, train, val = fitted(tmp_path, card(model), classes=classes), images("train", classes), images("val", classes)
    x, y = (features_of(probe, part.pixels) for part in (train, val))
    expected = fit_logistic(x, train.labels, train.patients, np.ones(len(train)), classes)
    logits = y @ expected.kernel + expected.bias
    positive = 1 / (1 + np.exp(-logits[:, 0]))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.abs(score(probe, val) - (positive if classes == 2 else shares)).max() < 1e-4
    assert np.array_equal(score(probe, val).shape, (30,) if classes == 2 else (30, classes))
    assert probe.probe == expected.facts


def test_a_probe_has_no_epochs_and_trains_the_last_layer_alone(tmp_path: Path) -> None:
    steps: list[Step] = []
    probe = fitted(tmp_path, card(POOLED), on_step=steps.append)
    assert probe.history == ()
    assert probe.seconds_per_epoch is None
    assert probe.trainable_parameters == 513
    assert (steps[-1].done, steps[-1].total) == (1, 1)
    labels, inference, batch = score_in_both_modes(probe, images("train"), 32)
    assert len(labels) == len(inference) == 30
    assert batch is None


def test_the_features_are_read_from_the_bank_the_second_time(tmp_path: Path) -> None:
    labels: list[list[str]] = [[], []]
    for of_run in labels:
        fitted(tmp_path, card({**POOLED, "pooling": "max"}), on_step=lambda step, of=of_run: of.append(step.label))
    assert any("features" in label for label in labels[0])
    assert labels[1] == ["probe"]


def test_every_seed_gives_the_same_weights(tmp_path: Path) -> None:
    first, second = (fitted(tmp_path, card(PIXELS, augmentation=VIEWS), seed=seed, views=1) for seed in (0, 1))
    for one, other in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(("views", "count"), [(1, 1), (3, 3), (None, FRESH_VIEWS)])
def test_each_view_is_a_row_beside_the_image_itself(views: int | None, count: int, tmp_path: Path) -> None:
    of, train = card(PIXELS, augmentation=VIEWS), images("train")
    probe = fitted(tmp_path, of, views=views)
    assert probe.probe is not None
    assert probe.probe.rows == 30 * (1 + count)
    parts = [train.pixels.astype(np.float32)]
    parts += [augmented_view(train.pixels, train.digests, of.recipe.augmentation, view, 0) for view in range(count)]
    x = features_of(probe, np.concatenate(parts))
    rows = 1 + count
    expected = fit_logistic(x, np.tile(train.labels, rows), train.patients * rows, np.full(30 * rows, 1 / rows), 2)
    assert probe.probe.strength == expected.facts.strength
    assert np.allclose(probe.model.get_weights()[-2], expected.kernel, rtol=1e-3, atol=1e-5)


def test_balanced_classes_move_the_answer_of_a_constant(tmp_path: Path) -> None:
    train = multiclass.images("train", np.repeat([0, 1], [24, 6]), 2, side=32)
    plain, balanced = (
        fitted(tmp_path, card({"builder": "constant"}, class_weights=weights), train=train)
        for weights in (None, "balanced")
    )
    assert score(plain, images("val")) == pytest.approx(np.full(30, 0.2), abs=1e-6)
    assert score(balanced, images("val")) == pytest.approx(np.full(30, 0.5), abs=1e-6)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ({"builder": "vgg16", "weights": "random", "dense_units": 4}, "'dense' would keep random weights; choose"),
        ({"builder": "scratch_cnn", "filters": [2]}, "'conv1' would keep random weights"),
    ],
)
def test_a_network_with_other_layers_to_train_is_refused(model: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says):
        fitted(tmp_path, card(model))


def test_a_class_without_training_images_is_refused(tmp_path: Path) -> None:
    train = multiclass.images("train", np.repeat([0, 1], 15), 3, side=32)
    with pytest.raises(ConfigError, match="class 2 has no image in train"):
        fitted(tmp_path, card(PIXELS), classes=3, train=train)

"""Weights of classes against scikit-learn's, weights of images against Keras'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from benchmark.training.targets import class_weights_of, image_weights, targets_of
from tests.support import tiny
from tests.support.multiclass import trained
from zoo.config.errors import ConfigError
from zoo.models.card import recipe_problem

LABELS = np.repeat([0, 1, 2], [30, 10, 4])
NAMES = ("ant", "bee", "cat")


@pytest.mark.parametrize("declared", ["balanced", {"bee": 2.0, "cat": 0.5, "ant": 1.0}])
def test_weights_are_those_of_scikit_learn(declared: Any) -> None:
    by_index = declared if declared == "balanced" else {NAMES.index(name): value for name, value in declared.items()}
    expected = compute_class_weight(by_index, classes=np.arange(3), y=LABELS)
    weights = class_weights_of(declared, LABELS, NAMES, 3)
    assert [weights[index] for index in range(3)] == pytest.approx(expected)


def test_weights_by_name_that_equal_the_balanced_ones_train_the_same_network(tmp_path: Path) -> None:
    expected = compute_class_weight("balanced", classes=np.arange(3), y=LABELS)
    by_name = dict(zip(NAMES, map(float, expected), strict=True))
    one, other = (
        trained(tmp_path, tiny.card(epochs=1, class_weights=weights), train=LABELS, class_names=NAMES)
        for weights in ("balanced", by_name)
    )
    assert other.history[0]["loss"] == one.history[0]["loss"]


def test_weights_of_other_classes_are_a_problem_that_names_those_of_the_data(tmp_path: Path) -> None:
    card = tiny.card(class_weights={"ant": 1.0, "wasp": 2.0})
    problem = recipe_problem(card, 3, NAMES)
    assert problem is not None
    assert problem.startswith(
        "recipe.class_weights has the classes ant, wasp, but those of the data are ant, bee, cat;"
    )
    with pytest.raises(ConfigError, match="those of the data are ant, bee, cat"):
        trained(tmp_path, card, class_names=NAMES)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("mixed", [False, True])
def test_weights_of_images_are_those_of_keras_class_weight(classes: int, mixed: bool) -> None:
    generator = np.random.default_rng(0)
    targets = targets_of(generator.integers(0, classes, 40), classes)
    if mixed:
        share = generator.random((40, 1), np.float32)
        targets = share * targets + (1 - share) * targets[::-1]
    by_class = {0: 0.25, 1: 3.0}  # class 2 has no weight of its own
    inputs = generator.random((40, 4), np.float32)
    losses = []
    for how in ({"class_weight": by_class}, {"sample_weight": image_weights(targets, by_class)}):
        keras.utils.set_random_seed(0)
        dense = keras.layers.Dense(1 if classes == 2 else classes, "sigmoid" if classes == 2 else "softmax")
        model = keras.Sequential([keras.Input((4,)), dense])
        model.compile("sgd", "binary_crossentropy" if classes == 2 else "categorical_crossentropy")
        losses.append(float(model.train_on_batch(inputs, targets, **how)))
    assert losses[0] == losses[1]

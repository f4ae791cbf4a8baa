"""A network of keras.applications under a new head: its weights, what is unfrozen, and what training changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmark.training.fit import FeatureOptions, fit
from benchmark.training.frozen.bank import Bank
from benchmark.training.use.probe import score_in_both_modes
from tests.support import multiclass
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard
from zoo.models.catalog import check_preprocessing
from zoo.models.registry import build, complete_params, get_builder

SMALL = {"builder": "application", "backbone": "MobileNetV3Small", "weights": "random"}
SIDE = 32


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build("application", {"backbone": "MobileNetV3Small", "weights": "random"}, (SIDE, SIDE, 3))


def base_of(model: keras.Model) -> keras.Model:
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def card(recipe: dict[str, Any], **model: Any) -> ModelCard:
    return ModelCard.model_validate(
        {"name": "net", "title": "t", "change": "c", "model": SMALL | model, "recipe": recipe}
    )


def test_weights_in_a_file_give_the_features_of_the_network_that_wrote_it(model: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "base.weights.h5"
    base_of(model).save_weights(path)
    params = {"backbone": "MobileNetV3Small", "weights": str(path), "dense_units": 3, "dropout": 0.5}
    again = build("application", params, (SIDE, SIDE, 3), 3)
    levels = np.random.default_rng(0).uniform(0, 255, (2, SIDE, SIDE, 3)).astype(np.float32)
    one, other = (keras.ops.convert_to_numpy(base_of(each)(levels, training=False)) for each in (model, again))
    assert np.ptp(one) > 0
    assert np.array_equal(one, other)
    assert again.output_shape == (None, 3)
    assert [layer.name for layer in again.layers[-3:]] == ["dense", "dropout", "probabilities"]
    path.write_bytes(b"no weights")
    with pytest.raises(ConfigError, match=r"base.weights.h5: not a readable file of MobileNetV3Small weights"):
        build("application", params, (SIDE, SIDE, 3), 3)


@pytest.mark.parametrize(
    ("layers", "first", "count"),
    [
        (3, None, 3),
        ("conv_1", "conv_1", None),
        ("expanded_conv_1", "expanded_conv_1_expand", None),
        (10_000, None, None),
    ],
)
def test_the_base_is_unfrozen_by_number_or_from_a_block_on(
    model: keras.Model, layers: int | str, first: str | None, count: int | None
) -> None:
    base = base_of(model)
    base.trainable = False
    unfreeze = get_builder("application").unfreeze
    assert unfreeze is not None
    unfreeze.apply(model, layers)
    flags = [layer.trainable for layer in base.layers]
    start = flags.index(True)
    assert all(flags[start:])
    assert not any(flags[:start])
    assert first is None or base.layers[start].name == first
    assert count is None or sum(flags) == count
    base.trainable = False


def test_a_block_that_does_not_exist_is_refused(model: keras.Model) -> None:
    unfreeze = get_builder("application").unfreeze
    assert unfreeze is not None
    with pytest.raises(ConfigError, match=r"model\.unfreeze: no layer of .* begins with 'conv5'"):
        unfreeze.apply(model, "conv5")


def test_an_unknown_backbone_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="Did you mean DenseNet121 or"):
        complete_params("application", {"backbone": "densenet121"}, "card")


def test_levels_are_converted_once() -> None:
    check_preprocessing(card({"probe": "logistic", "preprocessing": "builder"}), "card")
    with pytest.raises(ConfigError, match="preprocessing must be builder"):
        check_preprocessing(card({"probe": "logistic"}), "card")
    other = ModelCard.model_validate(
        card({"probe": "logistic", "preprocessing": "builder"}).model_dump() | {"model": {"builder": "constant"}}
    )
    with pytest.raises(ConfigError, match="give rescale or caffe"):
        check_preprocessing(other, "card")


@pytest.mark.slow
def test_training_changes_the_head_and_what_is_unfrozen_alone(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    recipe = {
        "optimizer": {"learning_rate": 1e-2},
        "epochs": 1,
        "batch_size": 8,
        "preprocessing": "builder",
        "finetune": {"learning_rate": 1e-2, "epochs": 1},
    }
    images = [multiclass.images(split, np.arange(8) % 2, 2, side=SIDE) for split in ("train", "val")]
    features = FeatureOptions(Bank(tmp_path, 1 << 30))
    fitted = fit(card(recipe, unfreeze="conv_1"), *images, seed=0, view_seed=0, features=features)
    keras.utils.set_random_seed(0)
    fresh = base_of(build("application", {"backbone": "MobileNetV3Small", "weights": "random"}, (SIDE, SIDE, 3)))
    changed = {
        f"{layer.name}/{variable.name}"
        for layer in (each for each in fresh.layers if each.weights)
        for variable, trained in zip(
            layer.weights, fitted.network.model.get_layer(layer.name).get_weights(), strict=True
        )
        if not np.array_equal(keras.ops.convert_to_numpy(variable), trained)
    }
    # The statistics stay as they are. With random weights, hardly any signal reaches the scale.
    assert {"conv_1/kernel", "conv_1_bn/beta"} <= changed <= {"conv_1/kernel", "conv_1_bn/beta", "conv_1_bn/gamma"}
    assert fitted.network.prefix_end == "expanded_conv_10_add"
    assert [row["phase"] for row in fitted.history] == ["head", "finetune"]
    assert score_in_both_modes(fitted, images[0], 8)[2] is None  # normalisation never uses batches

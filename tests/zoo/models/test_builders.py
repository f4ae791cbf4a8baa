"""What every builder promises, and what the two families are made of."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
import pytest

from zoo import ModelCard
from zoo.models.catalog import REPORT_COLLECTION, load_catalog
from zoo.models.recipe import ProbeRecipe
from zoo.models.registry import build, get_builder
from zoo.models.weights_files import WeightsUnavailable

CARDS = load_catalog().of(REPORT_COLLECTION)
SCRATCH = {name: card for name, card in CARDS.items() if card.model.builder == "scratch_cnn"}
TRANSFER = {name: card for name, card in CARDS.items() if card.model.builder == "vgg16"}
SIZE = 64
CONVOLUTIONS = [
    f"block{block}_conv{conv}" for block, count in enumerate((2, 2, 3, 3, 3), 1) for conv in range(1, count + 1)
]
VGG16_BASE_WEIGHTS = 14_714_688
BLOCK_5_WEIGHTS = 7_079_424


@pytest.fixture(autouse=True)
def _same_weights_every_time() -> None:
    keras.utils.set_random_seed(0)


def params_of(card: ModelCard) -> dict[str, Any]:
    """The card's parameters, without the time it takes to read pretrained weights."""
    params = card.model.params
    return {**params, "weights": "random"} if "weights" in params else params


@cache
def built(name: str, size: int = SIZE) -> keras.Model:
    """The model of a card, built once; a test that changes a model builds its own."""
    keras.utils.set_random_seed(0)
    return build(CARDS[name].model.builder, params_of(CARDS[name]), (size, size, 3))


def scratch(size: int = 32, **params: Any) -> keras.Model:
    return build("scratch_cnn", {"filters": [2, 3], "dense_units": 4, **params}, (size, size, 3))


def vgg(size: int = 32, **params: Any) -> keras.Model:
    return build("vgg16", {"weights": "random", "dense_units": 4, **params}, (size, size, 3))


def images(size: int, count: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, size, size, 3), dtype=np.float32)


def layers_of(model: keras.Model, kind: type[keras.layers.Layer]) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, kind)]


def count(weights: list[Any]) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


def trainable_convolutions(model: keras.Model) -> list[str]:
    return [name for name in CONVOLUTIONS if model.get_layer(name).trainable_weights]


def expected_scratch_weights(size: int, filters: list[int], dense: int, normalised: bool) -> int:
    total, channels = 0, 3
    for number in filters:
        total += number * (9 * channels + 1) + (4 * number if normalised else 0)
        size, channels = (size - 2) // 2, number
    return total + (size * size * channels + 1) * dense + dense + 1


@pytest.mark.parametrize("name", CARDS)
def test_a_card_builds_a_model_from_images_to_probabilities(name: str) -> None:
    model = built(name)
    scores = keras.ops.convert_to_numpy(model(images(SIZE), training=False))
    assert model.input_shape == (None, SIZE, SIZE, 3)
    assert model.output_shape == (None, 1)
    assert scores.shape == (3, 1)
    assert np.all((scores >= 0) & (scores <= 1))
    assert len(set(scores.ravel().tolist())) == 3


@pytest.mark.parametrize("name", CARDS)
def test_a_card_in_inference_answers_the_same_twice(name: str) -> None:
    model, batch = built(name), images(SIZE)
    first, second = (keras.ops.convert_to_numpy(model(batch, training=False)) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_has_the_dropout_and_the_head_it_declares(name: str) -> None:
    params, model = CARDS[name].model.params, built(name)
    assert [layer.rate for layer in layers_of(model, keras.layers.Dropout)] == [params["dropout"]]
    hidden, last = layers_of(model, keras.layers.Dense)
    assert (hidden.units, last.units) == (params["dense_units"], 1)
    assert (hidden.activation, last.activation) == (keras.activations.relu, keras.activations.sigmoid)
    assert hidden.trainable
    assert last.trainable


@pytest.mark.parametrize("name", CARDS)
def test_a_card_whose_second_phase_unfreezes_layers_has_a_builder_that_can(name: str) -> None:
    recipe = CARDS[name].recipe
    if isinstance(recipe, ProbeRecipe) or recipe.finetune is None:
        assert not get_builder(CARDS[name].model.builder).unfrozen(CARDS[name].model.params)
    else:
        assert get_builder(CARDS[name].model.builder).unfreeze is not None


@pytest.mark.parametrize("name", CARDS)
def test_the_smallest_size_of_a_card_is_exact(name: str) -> None:
    builder, params = get_builder(CARDS[name].model.builder), params_of(CARDS[name])
    smallest = builder.minimum_size(params)
    assert build(builder.name, params, (smallest, smallest, 3)).output_shape == (None, 1)
    with pytest.raises(ValueError, match="zero or negative"):
        builder.function((smallest - 1, smallest - 1, 3), **params)


@pytest.mark.parametrize(("filters", "smallest"), [([2], 4), ([2, 2], 10), ([2, 2, 2], 22), ([2] * 4, 46)])
def test_every_block_more_than_doubles_the_smallest_image(filters: list[int], smallest: int) -> None:
    assert scratch(smallest, filters=filters).output_shape == (None, 1)
    with pytest.raises(ValueError, match=f"at least {smallest} px"):
        scratch(smallest - 1, filters=filters)
    with pytest.raises(ValueError, match="zero or negative"):
        get_builder("scratch_cnn").function((smallest - 1, 50, 3), filters=filters)


def test_vgg16_needs_32_pixels() -> None:
    assert vgg(32).output_shape == (None, 1)
    with pytest.raises(ValueError, match="at least 32 px"):
        vgg(31)
    with pytest.raises(ValueError, match="zero or negative"):
        get_builder("vgg16").function((32, 31, 3), weights="random")


def test_height_and_width_may_differ() -> None:
    assert build("scratch_cnn", {"filters": [2]}, (8, 12, 3)).input_shape == (None, 8, 12, 3)
    assert build("vgg16", {"weights": "random", "dense_units": 1}, (32, 64, 3)).input_shape == (None, 32, 64, 3)


def test_the_scratch_network_of_attempt_1_has_4_828_481_weights() -> None:
    by_hand = (27 * 32 + 32) + (288 * 64 + 64) + (576 * 128 + 128) + (17 * 17 * 128 * 128 + 128) + (128 + 1)
    assert by_hand == expected_scratch_weights(150, [32, 64, 128], 128, normalised=False) == 4_828_481
    assert built("attempt-1", 150).count_params() == by_hand


@pytest.mark.parametrize("name", SCRATCH)
def test_a_scratch_network_has_the_weights_that_its_figures_give(name: str) -> None:
    params = SCRATCH[name].model.params
    normalised = params["batch_norm_momentum"] is not None
    expected = expected_scratch_weights(SIZE, params["filters"], params["dense_units"], normalised)
    model = built(name)
    assert model.count_params() == expected
    assert count(model.non_trainable_weights) == (2 * sum(params["filters"]) if normalised else 0)


@pytest.mark.parametrize(
    ("pooling", "kind", "other"),
    [
        ("max", keras.layers.MaxPooling2D, keras.layers.AveragePooling2D),
        ("average", keras.layers.AveragePooling2D, keras.layers.MaxPooling2D),
    ],
)
def test_pooling_is_the_one_asked_for(pooling: str, kind: type[Any], other: type[Any]) -> None:
    model = scratch(pooling=pooling)
    assert len(layers_of(model, kind)) == 2
    assert layers_of(model, other) == []


def test_average_and_max_pooling_give_other_answers_with_the_same_weights() -> None:
    peak, mean = scratch(pooling="max"), scratch(pooling="average")
    mean.set_weights(peak.get_weights())
    batch = images(32)
    assert not np.allclose(peak(batch, training=False), mean(batch, training=False))


def test_each_convolution_is_three_by_three_with_its_filters() -> None:
    convolutions = layers_of(scratch(filters=[5, 7]), keras.layers.Conv2D)
    assert [(layer.filters, layer.kernel_size) for layer in convolutions] == [(5, (3, 3)), (7, (3, 3))]
    assert all(layer.activation is keras.activations.relu for layer in convolutions)


@pytest.mark.parametrize("momentum", [0.9, 0.99])
def test_the_momentum_of_batch_normalisation_reaches_every_block(momentum: float) -> None:
    layers = layers_of(scratch(batch_norm_momentum=momentum), keras.layers.BatchNormalization)
    assert [layer.momentum for layer in layers] == [momentum, momentum]


def test_one_training_step_moves_the_statistics_by_one_minus_the_momentum() -> None:
    model = scratch(filters=[2], batch_norm_momentum=0.9)
    (norm,) = layers_of(model, keras.layers.BatchNormalization)
    batch = images(32)
    before = keras.Model(model.input, norm.input)(batch)
    model(batch, training=True)
    expected = 0.1 * np.mean(keras.ops.convert_to_numpy(before), axis=(0, 1, 2))
    assert keras.ops.convert_to_numpy(norm.moving_mean) == pytest.approx(expected, rel=1e-4)


def test_without_a_momentum_there_is_no_batch_normalisation() -> None:
    assert layers_of(scratch(batch_norm_momentum=None), keras.layers.BatchNormalization) == []


def test_l2_adds_the_squared_weights_of_the_hidden_layer_to_the_loss() -> None:
    model = scratch(l2=0.25)
    hidden = layers_of(model, keras.layers.Dense)[0]
    (loss,) = model.losses
    assert float(loss) == pytest.approx(0.25 * float(np.sum(np.square(hidden.get_weights()[0]))), rel=1e-5)


def test_no_l2_adds_nothing_to_the_loss() -> None:
    assert scratch(l2=0).losses == []


@pytest.mark.parametrize(
    ("builder", "params"),
    [
        ("scratch_cnn", {"filters": []}),
        ("scratch_cnn", {"filters": [8, 0]}),
        ("scratch_cnn", {"filters": [1] * 9}),
        ("scratch_cnn", {"pooling": "min"}),
        ("scratch_cnn", {"dropout": 1.0}),
        ("scratch_cnn", {"l2": -0.1}),
        ("scratch_cnn", {"batch_norm_momentum": 1.0}),
        ("scratch_cnn", {"dense_units": 0}),
        ("vgg16", {"unfreeze_layers": -1}),
        ("vgg16", {"unfreeze_layers": 19}),
        ("vgg16", {"unfreeze_layers": 1.5}),
        ("vgg16", {"weights": None}),
        ("vgg16", {"dropout": -0.1}),
        ("vgg16", {"pooling": "max"}),
    ],
)
def test_an_impossible_parameter_is_refused_by_name(builder: str, params: dict[str, Any]) -> None:
    (name,) = params
    with pytest.raises(ValueError, match=f"builder {builder}: {name}"):
        build(builder, params, (SIZE, SIZE, 3))


@pytest.mark.parametrize("name", TRANSFER)
def test_every_convolution_of_vgg16_is_frozen_at_birth(name: str) -> None:
    model = built(name)
    assert [layer.name for layer in layers_of(model, keras.layers.Conv2D)] == CONVOLUTIONS
    assert trainable_convolutions(model) == []
    assert count(model.non_trainable_weights) == VGG16_BASE_WEIGHTS
    assert count(model.trainable_weights) == (2 * 2 * 512 + 1) * 128 + 129


def test_the_base_of_vgg16_computes_what_keras_own_computes() -> None:
    model = vgg(40)
    reference = keras.applications.VGG16(weights=None, include_top=False, input_shape=(40, 40, 3))
    names = [layer.name for layer in reference.layers[1:]]
    assert [layer.name for layer in model.layers[1 : len(names) + 1]] == names
    for name in CONVOLUTIONS:
        reference.get_layer(name).set_weights(model.get_layer(name).get_weights())
    batch = images(40)
    features = keras.Model(model.input, model.get_layer("block5_pool").output)(batch, training=False)
    assert np.allclose(features, reference(batch, training=False), rtol=1e-4, atol=1e-6)
    assert float(np.max(features)) > 0


def test_four_unfrozen_layers_are_the_three_convolutions_of_block_5() -> None:
    model = vgg()
    head = count(model.trainable_weights)
    get_builder("vgg16").unfreeze.apply(model, 4)
    assert trainable_convolutions(model) == ["block5_conv1", "block5_conv2", "block5_conv3"]
    assert count(model.trainable_weights) - head == BLOCK_5_WEIGHTS == 3 * (9 * 512 * 512 + 512)


@pytest.mark.parametrize(("layers", "convolutions"), [(0, 0), (1, 0), (2, 1), (5, 3), (6, 4), (9, 6), (18, 13)])
def test_pool_layers_count_as_layers(layers: int, convolutions: int) -> None:
    model = vgg()
    get_builder("vgg16").unfreeze.apply(model, layers)
    assert trainable_convolutions(model) == CONVOLUTIONS[len(CONVOLUTIONS) - convolutions :]


def test_unfreezing_one_layer_changes_no_trainable_weight() -> None:
    model = vgg()
    before = [weight.path for weight in model.trainable_weights]
    get_builder("vgg16").unfreeze.apply(model, 1)
    assert [weight.path for weight in model.trainable_weights] == before


def test_unfrozen_layers_are_those_of_keras_own_model() -> None:
    reference = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    for layers in (1, 4, 7):
        model = vgg()
        get_builder("vgg16").unfreeze.apply(model, layers)
        expected = [layer.name for layer in reference.layers[-layers:] if layer.weights]
        assert trainable_convolutions(model) == expected


def test_a_card_that_unfreezes_layers_is_born_frozen_all_the_same() -> None:
    assert trainable_convolutions(vgg(unfreeze_layers=4)) == []


def test_unfreezing_leaves_the_numbers_as_they_are() -> None:
    model, batch = vgg(), images(32)
    before = keras.ops.convert_to_numpy(model(batch, training=False))
    get_builder("vgg16").unfreeze.apply(model, 4)
    assert np.array_equal(keras.ops.convert_to_numpy(model(batch, training=False)), before)


def test_the_imagenet_weights_stand_in_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    try:
        model = vgg(weights="imagenet")
    except WeightsUnavailable as error:
        pytest.skip(str(error))
    kernel, _ = model.get_layer("block1_conv1").get_weights()
    assert kernel[0, 0, 0, :3] == pytest.approx([0.42947057, 0.11727387, 0.03401296], abs=1e-7)
    assert model.get_layer("block5_conv3").get_weights()[1][0] == pytest.approx(0.18837857, abs=1e-7)
    assert trainable_convolutions(model) == []


def test_random_weights_are_drawn_anew_and_repeat_with_a_seed() -> None:
    def first_kernel(seed: int) -> np.ndarray:
        keras.utils.set_random_seed(seed)
        kernel: np.ndarray = vgg().get_layer("block1_conv1").get_weights()[0]
        return kernel

    assert np.array_equal(first_kernel(1), first_kernel(1))
    assert not np.array_equal(first_kernel(1), first_kernel(2))


@pytest.mark.parametrize(("builder", "params"), [("scratch_cnn", {"filters": [2]}), ("vgg16", {"weights": "random"})])
def test_a_network_for_several_classes_gives_a_share_to_each(builder: str, params: dict[str, Any]) -> None:
    model = build(builder, {"dense_units": 4, **params}, (32, 32, 3), outputs=4)
    scores = keras.ops.convert_to_numpy(model(images(32), training=False))
    assert scores.shape == (3, 4)
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-6)
    one = build(builder, {"dense_units": 4, **params}, (32, 32, 3))
    assert [layer.name for layer in one.layers[:-1]] == [layer.name for layer in model.layers[:-1]]
    assert (one.layers[-1].name, model.layers[-1].name) == ("probability", "probabilities")


@pytest.mark.parametrize("classes", [1, 3])
def test_a_constant_scores_every_image_alike_whatever_its_weights(classes: int) -> None:
    model = build("constant", {}, (9, 7, 3), classes)
    model.set_weights([np.ones_like(weight) * index for index, weight in enumerate(model.get_weights(), 1)])
    scores = keras.ops.convert_to_numpy(model(images(9)[:, :, :7], training=False))
    assert scores.shape == (3, classes)
    assert np.ptp(scores, axis=0).max() == 0


@pytest.mark.parametrize(
    ("size", "side", "blocks"), [(150, 32, 30), (64, 32, 32), (32, 32, 32), (20, 32, 20), (9, 3, 3)]
)
def test_pixels_become_means_of_blocks(size: int, side: int, blocks: int) -> None:
    model = build("pixels", {"side": side}, (size, size, 3))
    batch = images(size)
    step = -(-size // side)
    features = keras.Model(model.inputs, model.layers[-1].input)(batch)
    means = [
        batch[:, top : top + step, left : left + step].mean(axis=(1, 2))
        for top in range(0, size, step)
        for left in range(0, size, step)
    ]
    assert features.shape == (3, blocks * blocks * 3)
    assert np.allclose(keras.ops.convert_to_numpy(features), np.concatenate(means, axis=1), atol=1e-6)


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_pooled_features_are_those_of_the_same_convolutions(pooling: str) -> None:
    plain = vgg(33)
    pooled = build("vgg16_pooled", {"weights": "random", "pooling": pooling}, (33, 33, 3))
    for name in CONVOLUTIONS:
        pooled.get_layer(name).set_weights(plain.get_layer(name).get_weights())
    batch = images(33)
    maps = keras.Model(plain.inputs, plain.get_layer("block5_pool").output)(batch)
    reduced = {"average": np.mean, "max": np.max}[pooling](keras.ops.convert_to_numpy(maps), axis=(1, 2))
    features = keras.Model(pooled.inputs, pooled.layers[-1].input)(batch)
    assert np.allclose(keras.ops.convert_to_numpy(features), reduced, atol=1e-6)
    assert count(pooled.trainable_weights) == 513


def test_a_pooled_head_has_the_units_and_the_dropout_of_its_card() -> None:
    card = load_catalog().cards["vgg16-frozen"]
    model = build(card.model.builder, params_of(card), (32, 32, 3))
    hidden, last = layers_of(model, keras.layers.Dense)
    assert (hidden.units, last.units) == (card.model.params["dense_units"], 1)
    assert [layer.rate for layer in layers_of(model, keras.layers.Dropout)] == [card.model.params["dropout"]]
    get_builder("vgg16_pooled").unfreeze.apply(model, 4)
    assert trainable_convolutions(model) == CONVOLUTIONS[-3:]

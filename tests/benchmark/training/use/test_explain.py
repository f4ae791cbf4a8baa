"""Grad-CAM locates the deciding feature in every kind of model, and changes with random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest

from benchmark.evidence.diagnosis.saliency import sanity
from benchmark.training.backend import gradients
from benchmark.training.network import join, preprocessing_model, segment
from benchmark.training.use.explain import Explanation, NoFeatureMaps, explain
from benchmark.training.use.model_file import load_model
from zoo.models.registry import build

SIDE = 40
SPOT = (slice(24, 34), slice(6, 16))


def spots(count: int = 4) -> npt.NDArray[np.uint8]:
    """Dark noisy images with one bright square."""
    pixels = np.random.default_rng(0).integers(0, 30, (count, SIDE, SIDE, 1)).astype(np.uint8)
    pixels[:, *SPOT] = 250
    return pixels


def bright_is_positive(head: str = "pooled") -> keras.Model:
    """A model of known weights: channel 0 is brightness, channel 1 darkness, and only brightness supports class 1."""
    inputs = keras.Input((SIDE, SIDE, 1), name="pixels")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    convolution = keras.layers.Conv2D(2, 1, activation="relu", name="maps")
    x = convolution(x)
    convolution.set_weights([np.array([[[[1.0, -1.0]]]]), np.array([0.0, 1.0])])
    x = keras.layers.GlobalAveragePooling2D()(x) if head == "pooled" else keras.layers.Flatten()(x)
    dense = keras.layers.Dense(1, activation="sigmoid", name="probability")
    outputs = dense(x)
    places = 1 if head == "pooled" else SIDE * SIDE
    dense.set_weights([np.tile([[4.0], [-4.0]], (places, 1)) / places, np.array([0.0])])
    return keras.Model(inputs, outputs, name="bright")


def inside(maps: npt.NDArray[np.float32]) -> float:
    return float(maps[:, *SPOT].sum() / maps.sum())


def wholes() -> dict[str, Callable[[], keras.Model]]:
    """Every kind of saved model, each from grey levels to a probability."""

    def front(model: keras.Model) -> keras.Model:
        return join(preprocessing_model((SIDE, SIDE, 1), "rescale"), model, "whole")

    def cut(model: keras.Model, name: str) -> keras.Model:
        first = preprocessing_model((SIDE, SIDE, 1), "caffe")
        features = segment(model, None, name)(first.outputs[0])
        return keras.Model(first.inputs, segment(model, name, None)(features), name="cut")

    def scratch(**more: object) -> keras.Model:
        return build("scratch_cnn", {"filters": [4, 6], "dense_units": 8, **more}, (SIDE, SIDE, 3))

    def vgg() -> keras.Model:
        return build("vgg16", {"weights": "random", "dense_units": 8}, (SIDE, SIDE, 3))

    def nested() -> keras.Model:
        base = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Conv2D(5, 3, name="inner")], name="base")
        inputs = keras.Input((SIDE, SIDE, 3))
        x = keras.layers.GlobalMaxPooling2D()(keras.layers.ReLU(name="active")(base(inputs)))
        return keras.Model(inputs, keras.layers.Activation("sigmoid")(keras.layers.Dense(1)(x)), name="nested")

    def residual() -> keras.Model:
        inputs = keras.Input((SIDE, SIDE, 3))
        x = keras.layers.Conv2D(4, 3, padding="same", strides=2)(inputs)
        y = keras.layers.Conv2D(4, 3, padding="same")(x)
        x = keras.layers.ReLU(name="joined")(keras.layers.Add()([x, y]))
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x), name="residual")

    return {
        "conv2": lambda: front(scratch()),
        "norm2": lambda: front(scratch(batch_norm_momentum=0.9)),
        "block5_conv3": lambda: cut(vgg(), "flatten"),
        "active": lambda: front(nested()),
        "joined": lambda: front(residual()),
    }


def test_gradients_are_those_of_the_function() -> None:
    x = np.array([[1.0, 2.0], [3.0, -1.0]], np.float32)
    value, slope = gradients(lambda t: keras.ops.sum(t**3, axis=1, keepdims=True), x)
    np.testing.assert_allclose(value, (x**3).sum(axis=1, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(slope, 3 * x**2, rtol=1e-6)


@pytest.mark.parametrize("head", ["pooled", "flat"])
def test_the_map_lies_where_the_deciding_feature_is(head: str) -> None:
    found = explain(bright_is_positive(head), spots(), np.ones(4, int), seeds=())
    assert found.layer == "maps"
    assert found.maps.shape == (4, SIDE, SIDE)
    assert found.maps.dtype == np.float32
    assert inside(found.maps) > 0.9
    assert found.maps.max(axis=(1, 2)) == pytest.approx(1.0)
    assert found.maps.min() >= 0


def test_the_map_of_the_other_class_lies_elsewhere() -> None:
    found = explain(bright_is_positive(), spots(), np.array([1, 0, 1, 0]), seeds=())
    assert inside(found.maps[::2]) > 0.9
    assert inside(found.maps[1::2]) < 0.02


def test_the_map_is_the_definition_of_the_paper() -> None:
    """For a pooled head the gradient is the weight of a channel, the same at all places."""
    pixels = spots(1)
    grey = pixels[0, ..., 0] / 255
    expected = np.maximum(4.0 * grey - 4.0 * np.maximum(1 - grey, 0), 0)
    found = explain(bright_is_positive(), pixels, np.array([1]), seeds=())
    np.testing.assert_allclose(found.coarse[0], expected / expected.max(), atol=1e-5)


def test_a_saturated_probability_still_has_a_map() -> None:
    model = bright_is_positive()
    kernel, bias = model.get_layer("probability").get_weights()
    model.get_layer("probability").set_weights([1000 * kernel, bias + 9000])
    found = explain(model, spots(), np.ones(4, int), seeds=())
    assert (found.scores == 1).all()
    assert inside(found.maps) > 0.9


def test_without_evidence_for_the_class_the_map_is_empty() -> None:
    model = bright_is_positive()
    model.get_layer("probability").set_weights([np.array([[-1.0], [-1.0]]), np.array([9.0])])
    assert not explain(model, spots(), np.ones(4, int), seeds=()).maps.any()


@pytest.mark.parametrize("layer", list(wholes()))
def test_every_kind_of_saved_model_has_a_map(layer: str) -> None:
    keras.utils.set_random_seed(0)
    model, pixels = wholes()[layer](), spots(9)
    before = [weight.copy() for weight in model.get_weights()]
    found = explain(model, pixels, np.ones(9, int), seeds=(0, 1))
    assert found.layer == layer
    np.testing.assert_allclose(found.scores, model.predict_on_batch(pixels)[:, 0], atol=1e-5)
    assert found.head_random.shape == found.all_random.shape == (2, *found.coarse.shape)
    assert not np.array_equal(found.all_random[0], found.all_random[1])
    assert not np.array_equal(found.all_random[0], found.coarse)
    for one, other in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_a_model_read_from_its_file_has_the_same_map(tmp_path: Path) -> None:
    model = wholes()["norm2"]()
    model.save(tmp_path / "model.keras")
    kept = load_model(tmp_path / "model.keras")
    one, other = (explain(each, spots(), np.ones(4, int)) for each in (model, kept))
    np.testing.assert_allclose(one.maps, other.maps, atol=1e-5)
    np.testing.assert_allclose(one.all_random, other.all_random, atol=1e-5)


def test_the_same_seeds_draw_the_same_weights() -> None:
    model = wholes()["conv2"]()
    one, other = (explain(model, spots(), np.ones(4, int), seeds=(5,)) for _ in range(2))
    assert np.array_equal(one.head_random, other.head_random)
    assert np.array_equal(one.all_random, other.all_random)


def test_new_weights_of_the_head_leave_the_feature_maps() -> None:
    found = explain(bright_is_positive(), spots(), np.ones(4, int), seeds=range(8))
    spread = [tuple(np.round(np.unique(maps), 3)) for maps in found.head_random]
    assert len(set(spread)) > 1


@pytest.mark.usefixtures("needs_bfloat16")
def test_a_bfloat16_model_has_a_map_in_float32() -> None:
    keras.utils.set_random_seed(0)
    model = build("scratch_cnn", {"filters": [4], "dense_units": 8}, (SIDE, SIDE, 3))
    model.get_layer("conv1").dtype_policy = keras.DTypePolicy("mixed_bfloat16")
    found = explain(
        join(preprocessing_model((SIDE, SIDE, 1), "rescale"), model, "low"), spots(), np.ones(4, int), seeds=(0,)
    )
    assert found.maps.dtype == found.all_random.dtype == np.float32


def test_a_model_without_a_convolution_has_no_map() -> None:
    inputs = keras.Input((SIDE, SIDE, 1))
    outputs = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(inputs))
    with pytest.raises(NoFeatureMaps, match="flat: has no convolution"):
        explain(keras.Model(inputs, outputs, name="flat"), spots(), np.ones(4, int))


def test_a_branch_that_bypasses_the_maps_is_refused() -> None:
    inputs = keras.Input((SIDE, SIDE, 1))
    maps = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3, name="maps")(inputs))
    both = keras.layers.Concatenate()([maps, keras.layers.Flatten()(inputs)])
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(both), name="branched")
    with pytest.raises(NoFeatureMaps, match="a branch bypasses layer maps"):
        explain(model, spots(), np.ones(4, int))


def test_an_explanation_needs_no_random_seeds() -> None:
    found: Explanation = explain(bright_is_positive(), spots(1), np.array([1]), seeds=())
    assert found.all_random.shape == (0, 1, SIDE, SIDE)


def test_a_model_whose_weights_decide_nothing_fails_the_sanity_check() -> None:
    """All weights are what the initialisers give again, as where a map only traces the image."""
    inputs = keras.Input((SIDE, SIDE, 1))
    x = keras.layers.Conv2D(1, 3, kernel_initializer="ones", use_bias=False, name="maps")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    outputs = keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones", use_bias=False)(x)
    found = explain(keras.Model(inputs, outputs), spots(), np.ones(4, int))
    assert np.array_equal(found.all_random, np.stack([found.coarse] * 3))
    assert sanity(found.coarse, found.head_random, found.all_random).passes is False


def bands_to_classes(end: str = "dense") -> keras.Model:
    """A model of known weights for three classes: class c is channel c in the c-th third of the rows."""
    inputs = keras.Input((SIDE, SIDE, 1), name="pixels")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    convolution = keras.layers.Conv2D(3, 1, use_bias=False, name="maps")
    x = convolution(x)
    convolution.set_weights([np.array([[[[0.25, 1.0, 0.5]]]])])
    in_thirds = np.zeros((SIDE, SIDE, 3, 3), np.float32)
    for label in range(3):
        in_thirds[np.arange(SIDE) * 3 // SIDE == label, :, label, label] = 0.5
    flat = keras.layers.Flatten()(x)
    if end == "dense":
        last = keras.layers.Dense(3, activation="softmax", name="probabilities")
        outputs = last(flat)
        last.set_weights([in_thirds.reshape(-1, 3) / SIDE, np.zeros(3)])
        return keras.Model(inputs, outputs, name="bands")
    hidden = keras.layers.Dense(3, name="hidden")
    x = hidden(flat)
    hidden.set_weights([in_thirds.reshape(-1, 3) / SIDE, np.zeros(3)])
    x = keras.layers.Softmax()(x) if end == "softmax" else keras.ops.softmax(x)
    return keras.Model(inputs, keras.layers.Identity()(x) if end == "other" else x, name="bands")


@pytest.mark.parametrize("end", ["dense", "softmax", "other"])
def test_the_map_of_a_class_of_three_weights_the_maps_by_the_gradient_of_its_logit(end: str) -> None:
    model, pixels = bands_to_classes(end), spots(2)
    explained = explain(model, pixels, np.array([1, 1]), seeds=())
    assert explained.scores.shape == (2, 3)
    np.testing.assert_allclose(explained.scores, model.predict_on_batch(pixels.astype(np.float32)), atol=1e-4)
    assert explained.maps.max(axis=(1, 2)) == pytest.approx(1.0)


def test_called_and_true_class_of_an_image_have_maps_of_their_own() -> None:
    keras.utils.set_random_seed(0)
    inner = build("scratch_cnn", {"filters": [4, 6], "dense_units": 8}, (SIDE, SIDE, 3), outputs=3)
    model = join(preprocessing_model((SIDE, SIDE, 1), "rescale"), inner, "whole")
    by_class = [explain(model, spots(3), np.full(3, label), seeds=(0,)) for label in range(3)]
    mixed = explain(model, spots(3), np.array([2, 0, 1]), seeds=(0,))
    for image, label in enumerate((2, 0, 1)):
        np.testing.assert_allclose(mixed.coarse[image], by_class[label].coarse[image], atol=1e-5)
    assert not np.allclose(by_class[0].coarse, by_class[1].coarse, atol=1e-3)
    assert mixed.head_random.shape == (1, *mixed.coarse.shape)
    np.testing.assert_allclose(mixed.scores.sum(axis=1), 1, atol=1e-6)


def test_the_map_of_a_class_is_the_definition_of_the_paper() -> None:
    """The logit of a class is differentiated, not its probability, and channels are weighted by mean gradients."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((SIDE, SIDE, 1))
    maps = keras.layers.Conv2D(3, 3, activation="relu", name="maps")(inputs)
    dense = keras.layers.Dense(4, activation="softmax")
    model = keras.Model(inputs, dense(keras.layers.GlobalAveragePooling2D()(maps)))
    pixels = spots(2)
    features = keras.Model(inputs, maps).predict_on_batch(pixels.astype(np.float32))
    kernel = dense.get_weights()[0]
    for label in range(4):
        expected = np.maximum(features @ kernel[:, label], 0)
        expected /= expected.max(axis=(1, 2), keepdims=True).clip(1e-12)
        explained = explain(model, pixels, np.full(2, label), seeds=())
        np.testing.assert_allclose(explained.coarse, expected, atol=1e-4)

"""Every method computes the same features of a frozen prefix as Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import benchmark.training.backend as backend
from benchmark.training.frozen.methods import BFLOAT16, AllowedMethods
from benchmark.training.frozen.prefix import ChosenMethod, available_methods, choose_method, filtered_layers, prefix
from benchmark.training.frozen.winograd import Chain
from benchmark.training.network import join, preprocessing_model, run_batched, segment
from zoo.models.registry import build

SIDE = 32
L = keras.layers


@pytest.fixture(scope="module")
def vgg16() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = build("vgg16", {"weights": "random"}, (SIDE, SIDE, 3))
    for layer in model.layers:
        if isinstance(layer, L.Conv2D):
            layer.bias.assign(keras.random.normal(layer.bias.shape, stddev=0.1, seed=1))
    return model


def grey(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 1)).astype(np.float32)


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Chain]:
    """The chains that are computed by filtering."""
    found: list[Chain] = []
    monkeypatch.setattr(Chain, "is_batch_invariant", lambda _: True)  # tested in test_winograd
    whole = Chain.__call__
    monkeypatch.setattr(Chain, "__call__", lambda self, *given: [found.append(self), whole(self, *given)][1])
    return found


VGG16_FRONT = preprocessing_model((SIDE, SIDE, 1), "caffe")


@pytest.mark.parametrize("stop", ["block1_conv1", "block2_conv2", "block3_pool", "block4_pool", "flatten"])
def test_a_prefix_from_pixels_equals_the_network(vgg16: keras.Model, stop: str, made: list[Chain]) -> None:
    found = prefix(VGG16_FRONT, vgg16, None, stop, filtered_layers(vgg16))(grey(7))
    assert_close(found, run_batched(join(VGG16_FRONT, segment(vgg16, None, stop), "whole"), grey(7)))
    assert len(made) == 1


@pytest.mark.parametrize(
    ("start", "stop", "chains"),
    [
        ("block3_pool", "block4_pool", 1),
        ("block4_conv2", "flatten", 1),
        ("block3_conv3", "block4_conv1", 1),
        ("block5_conv3", "block5_pool", 0),
        ("block5_pool", "flatten", 0),
    ],
)
def test_a_part_between_two_layers_equals_the_network(
    vgg16: keras.Model, start: str, stop: str, chains: int, made: list[Chain]
) -> None:
    values = run_batched(join(VGG16_FRONT, segment(vgg16, None, start), "to_start"), grey(5))
    found = prefix(VGG16_FRONT, vgg16, start, stop, filtered_layers(vgg16))(values)
    assert_close(found, run_batched(segment(vgg16, start, stop), values))
    assert len(made) == chains


@pytest.mark.parametrize("stop", ["block1_conv2", "block3_pool", "block5_conv1", "block5_conv3", "block5_pool"])
def test_a_stop_in_between_changes_no_bit(vgg16: keras.Model, stop: str) -> None:
    filtered = filtered_layers(vgg16)
    whole = prefix(VGG16_FRONT, vgg16, None, "flatten", filtered)(grey(7))
    first = prefix(VGG16_FRONT, vgg16, None, stop, filtered)(grey(7))
    assert np.array_equal(prefix(VGG16_FRONT, vgg16, stop, "flatten", filtered)(first), whole)


def test_without_filtered_layers_it_is_keras(vgg16: keras.Model, made: list[Chain]) -> None:
    found = prefix(VGG16_FRONT, vgg16, None, "block3_pool")(grey(3))
    assert np.array_equal(found, run_batched(join(VGG16_FRONT, segment(vgg16, None, "block3_pool"), "whole"), grey(3)))
    assert not made


def test_all_convolutions_of_vgg16_are_filtered_or_none(vgg16: keras.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chain, "is_batch_invariant", lambda _: True)
    filtered = filtered_layers(vgg16)
    assert (filtered[0], filtered[-1], len(filtered)) == ("block1_conv1", "block5_pool", 18)
    monkeypatch.setattr(Chain, "is_batch_invariant", lambda _: False)
    assert filtered_layers(vgg16) == ()


def test_on_an_accelerator_none_is_filtered(vgg16: keras.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "tensorflow_on_cpu", lambda: False)
    assert filtered_layers(vgg16) == ()


def chained(*layers: Any) -> keras.Model:
    inputs = keras.Input((SIDE, SIDE, 3), name="in")
    x = inputs
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def residual() -> keras.Model:
    inputs = keras.Input((SIDE, SIDE, 3), name="in")
    first = L.Conv2D(16, 3, padding="same", activation="relu", name="first")(inputs)
    second = L.Conv2D(16, 3, padding="same", name="second")(first)
    return keras.Model(inputs, L.Add(name="last")([first, second]))


def parallel() -> keras.Model:
    inputs = keras.Input((SIDE, SIDE, 3), name="in")
    sides = [L.Conv2D(16, 3, padding="same", name=name)(inputs) for name in ("left", "right")]
    return keras.Model(inputs, L.Concatenate(name="last")(sides))


def twice() -> keras.Model:
    inputs = keras.Input((SIDE, SIDE, 3), name="in")
    again = L.Conv2D(3, 3, padding="same", name="again")
    return keras.Model(inputs, L.Flatten(name="last")(again(again(inputs))))


def plain(name: str, **options: Any) -> Any:
    return L.Conv2D(16, 3, name=name, **({"padding": "same", "activation": "relu"} | options))


OTHERS: dict[str, tuple[Callable[[], keras.Model], int]] = {
    "batch normalisation": (lambda: chained(plain("a"), L.BatchNormalization(), plain("last")), 1),
    "strides": (lambda: chained(plain("a"), plain("last", strides=2)), 1),
    "no padding": (lambda: chained(plain("a"), plain("last", padding="valid")), 1),
    "dilation": (lambda: chained(plain("a"), plain("last", dilation_rate=2)), 1),
    "groups": (lambda: chained(plain("a"), plain("last", groups=4)), 1),
    "another activation": (lambda: chained(plain("a"), plain("last", activation="tanh")), 1),
    "another kernel": (lambda: chained(plain("a"), L.Conv2D(8, 5, padding="same", name="last")), 1),
    "another pooling": (lambda: chained(plain("a"), L.MaxPooling2D(3, 2, name="last")), 1),
    "padded pooling": (lambda: chained(plain("a"), L.MaxPooling2D(2, padding="same", name="last")), 1),
    "average pooling": (lambda: chained(plain("a"), L.AveragePooling2D(2, name="last")), 1),
    "pooling twice": (lambda: chained(plain("a"), L.MaxPooling2D(2), L.MaxPooling2D(2, name="last")), 2),
    "pooling first": (lambda: chained(L.MaxPooling2D(2), plain("last")), 0),
    "no bias": (lambda: chained(plain("a", use_bias=False), plain("b", activation=None), L.Flatten(name="last")), 2),
    "an operation between": (lambda: chained(plain("a"), lambda x: x * 2, plain("last")), 1),
    "an operation before": (lambda: chained(lambda x: x / 127.5 - 1, plain("a"), plain("last")), 0),
    "an operation before pooling": (lambda: chained(plain("a"), keras.ops.sin, L.MaxPooling2D(2, name="last")), 1),
    "a branch": (residual, 1),
    "two sides": (parallel, 0),
    "a layer used twice": (twice, 0),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_networks_are_computed_correctly(name: str, made: list[Chain]) -> None:
    keras.utils.set_random_seed(0)
    make, count = OTHERS[name]
    model = make()
    filtered = filtered_layers(model)
    assert len(filtered) == count
    front = preprocessing_model((SIDE, SIDE, 1), "rescale")
    found = prefix(front, model, None, "last", filtered)(grey(3))
    assert_close(found, run_batched(join(front, model, "whole"), grey(3)))
    assert len(made) == min(count, 1)


def test_images_of_open_size_are_left_to_keras() -> None:
    inputs = keras.Input((None, None, 3))
    assert filtered_layers(keras.Model(inputs, plain("a")(inputs))) == ()


def frozen(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers if not isinstance(layer, L.InputLayer)]


FASTEST = AllowedMethods((("bfloat16", "fastest"), ("filtered", "next"), ("keras", "last")))


def test_the_first_method_that_fits_is_chosen(
    vgg16: keras.Model, made: list[Chain], monkeypatch: pytest.MonkeyPatch
) -> None:
    to_the_pool = [name for name in frozen(vgg16) if name.startswith("block")]
    assert choose_method(vgg16, to_the_pool, FASTEST) == ChosenMethod("bfloat16", "fastest")
    filtered = AllowedMethods(FASTEST.order[1:])
    assert choose_method(vgg16, to_the_pool, filtered) == ChosenMethod("filtered", "next", filtered_layers(vgg16))
    monkeypatch.setattr(Chain, "is_batch_invariant", lambda _: False)
    found = choose_method(vgg16, to_the_pool, filtered)
    assert (found.method, found.filtered) == ("keras", ())
    assert "does not fit" in found.reason


def test_a_trial_of_convolutions_decides_for_no_other_network(made: list[Chain]) -> None:
    model = chained(plain("a"), L.BatchNormalization(), plain("last"))
    found = choose_method(model, frozen(model), FASTEST)
    assert (found.method, found.filtered) == ("filtered", ("a",))
    model = chained(L.Conv2D(8, 5, name="last"))
    assert choose_method(model, frozen(model), FASTEST).method == "keras"
    assert choose_method(model, frozen(model), BFLOAT16).method == "bfloat16"


def test_on_an_accelerator_keras_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "tensorflow_on_cpu", lambda: False)
    for native, expected in ((True, "bfloat16"), (False, "keras")):
        monkeypatch.setattr(backend, "accelerator_has_bfloat16", lambda native=native: native)
        assert available_methods("auto", "auto", "filtered").names == [expected]
        assert available_methods("float32", "auto", "filtered").names == ["keras"]
        assert available_methods("auto", "keras", "filtered").names == ["keras"]
        assert available_methods("bfloat16", "auto", None) == BFLOAT16

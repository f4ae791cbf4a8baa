"""Faster convolutions in training: which are replaced, what they come to, and that they are put back."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from benchmark.training.convolutions.methods import ConvolutionMethod
from benchmark.training.convolutions.operations import can_filter, faster_convolutions
from benchmark.training.network import training_in
from benchmark.training.trials import rms_difference

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow's is replaced")
METHODS: tuple[ConvolutionMethod, ...] = ("direct", "filtered")


def network(channels: int, kernel: int = 3, **settings: object) -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((6, 5, channels))
    x = keras.layers.Conv2D(channels, kernel, padding="same", activation="relu", name="first", **settings)(image)
    x = keras.layers.Conv2D(channels, kernel, padding="same", name="second", **settings)(x)
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    model.compile(keras.optimizers.SGD(1e-4), "mse", jit_compile=False)
    return model


def trained(model: keras.Model) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((8, *model.input_shape[1:])), generator.standard_normal((8, 1))
    for _ in range(3):
        model.train_on_batch(x.astype(np.float32), y.astype(np.float32))
    return [np.asarray(weight) for weight in model.get_weights()]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_training_comes_to_the_same_weights(kernel: int, method: ConvolutionMethod) -> None:
    plain = trained(network(256, kernel))
    model = network(256, kernel)
    with faster_convolutions(model, method):
        replaced = trained(model)
    for start, one, other in zip(network(256, kernel).get_weights(), plain, replaced, strict=True):
        assert float(np.abs(one - start).max()) > 1e-6
        assert rms_difference(other - start, one - start) < 1e-3


def test_filtering_is_really_another_computation() -> None:
    direct, filtered = network(256), network(256)
    with faster_convolutions(direct, "direct"):
        one = trained(direct)
    with faster_convolutions(filtered, "filtered"):
        other = trained(filtered)
    assert not np.array_equal(one[0], other[0])


@pytest.mark.parametrize("method", METHODS)
def test_layers_are_as_they_were_afterwards(method: ConvolutionMethod) -> None:
    model = network(256)
    before = model.get_layer("first").convolution_op
    with faster_convolutions(model, method):
        assert model.get_layer("first").convolution_op is not before
    assert model.get_layer("first").convolution_op == before


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("channels", "settings"), [(8, {}), (256, {"dilation_rate": 2}), (256, {"groups": 2}), (256, {"strides": 2})]
)
def test_other_convolutions_are_left_alone(
    channels: int, settings: dict[str, object], method: ConvolutionMethod
) -> None:
    model = network(channels, **settings)
    before = model.get_layer("first").convolution_op
    with faster_convolutions(model, method):
        assert model.get_layer("first").convolution_op == before


def test_convolutions_of_128_channels_are_filtered_but_not_turned() -> None:
    model = network(128)
    before = model.get_layer("first").convolution_op
    with faster_convolutions(model, "direct"):
        assert model.get_layer("first").convolution_op == before
    with faster_convolutions(model, "filtered"):
        assert model.get_layer("first").convolution_op != before


def test_bfloat16_is_never_filtered() -> None:
    one, other = network(256), network(256)
    with training_in(one, "bfloat16"), faster_convolutions(one, "direct"):
        direct = trained(one)
    with training_in(other, "bfloat16"), faster_convolutions(other, "filtered"):
        filtered = trained(other)
    assert all(map(np.array_equal, direct, filtered))


def test_only_wide_convolutions_of_three_by_three_can_be_filtered() -> None:
    assert can_filter(network(128))
    assert not can_filter(network(64))
    assert not can_filter(network(256, 5))


def test_a_frozen_convolution_behind_the_prefix_is_filtered_and_counts() -> None:
    model = network(128)
    for name in ("first", "second"):
        model.get_layer(name).trainable = False
    assert can_filter(model)


def test_a_layer_that_convolves_in_its_own_way_keeps_it() -> None:
    class Doubled(keras.layers.Conv2D):  # type: ignore[misc]
        def convolution_op(self, inputs: object, kernel: object) -> object:
            return 2 * super().convolution_op(inputs, kernel)

    image = keras.Input((6, 6, 256))
    model = keras.Model(image, Doubled(256, 3, padding="same")(image))
    assert not can_filter(model)
    with faster_convolutions(model, "filtered"):
        assert "convolution_op" not in vars(model.layers[1])


@pytest.mark.parametrize("side", [1, 2])
def test_small_maps_are_direct(side: int) -> None:
    layer = keras.layers.Conv2D(256, 3, padding="same")
    image = keras.Input((side, side, 256))
    model = keras.Model(image, layer(image))
    x = np.random.default_rng(0).standard_normal((2, side, side, 256)).astype(np.float32)
    plain = keras.ops.convert_to_numpy(model(x, training=True))
    with faster_convolutions(model, "filtered"):
        replaced = keras.ops.convert_to_numpy(model(x, training=True))
    np.testing.assert_array_equal(replaced, plain)


def test_a_map_whose_size_is_not_known_is_direct() -> None:
    weights = []
    for method in METHODS:
        keras.utils.set_random_seed(0)
        image = keras.Input((None, None, 128))
        convolved = keras.layers.Conv2D(128, 3, padding="same")(image)
        model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(convolved))
        model.compile("sgd", "mse", jit_compile=False)
        with faster_convolutions(model, method):
            for side in (6, 7):  # the second size is traced with sides that are not known
                x = np.random.default_rng(side).random((2, side, side, 128), np.float32)
                model.train_on_batch(x, np.ones((2, 128), np.float32))
        weights.append(model.get_weights())
    for direct, filtered in zip(*weights, strict=True):
        np.testing.assert_allclose(filtered, direct, rtol=0, atol=1e-5)

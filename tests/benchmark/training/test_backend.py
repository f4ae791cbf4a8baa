"""The preparation of processes; the faster gradient of wide convolutions, which equals that of TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

import benchmark.training.backend as backend

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow's is replaced")


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


NAMES = """
import json
import keras
from benchmark.training import backend
from zoo.models.registry import build

def names():
    model = build("application", {"backbone": "MobileNetV3Small", "weights": "random"}, (32, 32, 3))
    return [layer.name for layer in model.get_layer("MobileNetV3Small").layers]

names()
before = names()
keras.config.set_dtype_policy("mixed_bfloat16")  # as a user's module may do
backend.prepare_process(0, 1)
print(json.dumps([before, names(), keras.layers.ReLU().name, keras.config.dtype_policy().name]))
"""


def test_layers_without_a_name_get_the_names_of_a_fresh_process() -> None:
    answer = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True, check=True)
    later, fresh, following, policy = json.loads(answer.stdout.splitlines()[-1])
    assert "re_lu" in fresh
    assert "re_lu" not in later
    assert following not in fresh
    assert policy == "mixed_bfloat16"


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_training_comes_to_the_same_weights(kernel: int) -> None:
    plain = trained(network(256, kernel))
    model = network(256, kernel)
    with backend.faster_gradients(model):
        turned = trained(model)
    for start, one, other in zip(network(256, kernel).get_weights(), plain, turned, strict=True):
        moved = float(np.abs(one - start).max())
        assert moved > 1e-6
        assert float(np.abs(one - other).max()) < 1e-3 * moved


def test_layers_are_as_they_were_afterwards() -> None:
    model = network(256)
    before = model.get_layer("first").convolution_op
    with backend.faster_gradients(model):
        assert model.get_layer("first").convolution_op is not before
    assert model.get_layer("first").convolution_op == before


@pytest.mark.parametrize(
    ("channels", "settings"), [(8, {}), (256, {"dilation_rate": 2}), (256, {"groups": 2}), (256, {"strides": 2})]
)
def test_other_convolutions_are_left_alone(channels: int, settings: dict[str, object]) -> None:
    model = network(channels, **settings)
    before = model.get_layer("first").convolution_op
    with backend.faster_gradients(model):
        assert model.get_layer("first").convolution_op == before

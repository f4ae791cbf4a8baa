"""Digests of leading layers, and the precision of training."""

from __future__ import annotations

import keras
import numpy as np

from benchmark.training.network import layer_digests, training_in


def scaled(by: float, seed: int = 0) -> dict[str, str]:
    keras.utils.clear_session()  # restarts the numbers in names of operations
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((8, 8, 3), name="pixels")
    first = keras.layers.Conv2D(4, 3, name="first")(pixels)
    second = keras.layers.Conv2D(4, 3, name="second")(first * by)
    model = keras.Model(pixels, keras.layers.Flatten(name="flatten")(second))
    return layer_digests(model, ("first", "second"))


def test_weights_and_operations_change_digests_from_their_layer_on() -> None:
    base = scaled(2.0)
    assert scaled(2.0) == base
    assert scaled(3.0)["first"] == base["first"]
    assert scaled(3.0)["second"] != base["second"]
    assert not set(scaled(2.0, seed=1).values()) & set(base.values())


def test_a_lower_precision_ends_before_the_last_weights_and_with_the_context() -> None:
    inputs = keras.Input((8, 8, 3))
    layers = [
        keras.layers.Conv2D(4, 3, name="convolution"),
        keras.layers.Flatten(dtype="float64", name="other"),
        keras.layers.Dense(2, name="last"),
        keras.layers.Softmax(name="softmax"),
    ]
    x, outputs = inputs, []
    for layer in layers:
        x = layer(x)
        outputs.append(x)
    model = keras.Model(inputs, x)
    pixels = np.ones((1, 8, 8, 3), np.float32)

    def precisions() -> list[str]:
        return [keras.backend.standardize_dtype(keras.Model(inputs, each)(pixels).dtype) for each in outputs]

    assert precisions() == ["float32", "float64", "float32", "float32"]
    with training_in(model, "bfloat16"):
        assert precisions() == ["bfloat16", "float64", "float32", "float32"]
    assert precisions() == ["float32", "float64", "float32", "float32"]

"""A digest of leading layers covers everything that decides their output."""

from __future__ import annotations

import keras

from benchmark.training.network import layer_digests


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

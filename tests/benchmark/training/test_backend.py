"""The preparation of processes, and products of matrices."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import pytest

import benchmark.training.backend as backend

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


@pytest.mark.parametrize("transpose_first", [False, True])
@pytest.mark.parametrize("transpose_second", [False, True])
def test_matrices_are_multiplied_as_they_are_or_transposed(transpose_first: bool, transpose_second: bool) -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random((4, 2, 3), np.float32), generator.random((4, 3, 5), np.float32)
    product = backend.matrix_product(
        keras.ops.convert_to_tensor(first.swapaxes(1, 2) if transpose_first else first),
        keras.ops.convert_to_tensor(second.swapaxes(1, 2) if transpose_second else second),
        transpose_first=transpose_first,
        transpose_second=transpose_second,
    )
    np.testing.assert_allclose(keras.ops.convert_to_numpy(product), first @ second, rtol=1e-6)


def small_network() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 5, 2))
    x = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
    x = keras.layers.Dropout(0.5, seed=1)(x)
    model = keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(keras.layers.Flatten()(x)))
    metrics = [keras.metrics.BinaryAccuracy(name="accuracy"), keras.metrics.Recall(name="recall")]
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy", metrics=metrics, jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_trains_as_keras_own_does(weighted: bool) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.random((20, 6, 5, 2), np.float32), generator.integers(0, 2, (20, 1)).astype(np.float32)
    weights = generator.random(20, np.float32) if weighted else None
    model, again, other = small_network(), small_network(), small_network()
    step, repeated = backend.training_step(model), backend.training_step(again)
    for start in (0, 8, 16, 0, 8, 16):  # the last batch is smaller
        rows = slice(start, start + 8)
        of_batch = None if weights is None else weights[rows]
        logs = step(x[rows], y[rows], of_batch)
        assert logs == repeated(x[rows], y[rows], of_batch)
        other.reset_metrics()
        assert logs == pytest.approx(other.train_on_batch(x[rows], y[rows], of_batch, return_dict=True), rel=1e-5)
    for one, same, keras_own in zip(model.get_weights(), again.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
        np.testing.assert_allclose(one, keras_own, rtol=1e-4, atol=1e-6)


def test_batches_of_another_size_are_not_traced_again(monkeypatch: pytest.MonkeyPatch) -> None:
    if backend.name() != "tensorflow":
        pytest.skip("only TensorFlow traces here")
    model = small_network()
    traced: list[int] = []
    original = model.train_step
    monkeypatch.setattr(model, "train_step", lambda data: traced.append(1) or original(data))
    step = backend.training_step(model)
    for images in (8, 8, 4, 8, 3):
        step(np.zeros((images, 6, 5, 2), np.float32), np.zeros((images, 1), np.float32), None)
    assert len(traced) == 1


def test_steps_are_traced_within_their_context(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_network()
    within, computed = False, []

    @contextmanager
    def tracing() -> Iterator[None]:
        nonlocal within
        within = True
        yield
        within = False

    original = model.compute_loss
    monkeypatch.setattr(model, "compute_loss", lambda *args, **rest: computed.append(within) or original(*args, **rest))
    step = backend.training_step(model, tracing)
    for images in (8, 8, 4):
        step(np.zeros((images, 6, 5, 2), np.float32), np.zeros((images, 1), np.float32), None)
    assert computed
    assert all(computed)

"""Learning rates over steps, and weight decay, against their published formulas."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from benchmark.training.optimizers import learning_rate, make_optimizer
from tests.support import tiny
from zoo.models.recipe import Recipe


def recipe(**changes: Any) -> Recipe:
    declared = tiny.card(**changes).recipe
    assert isinstance(declared, Recipe)
    return declared


def rates(epochs: int = 5, batches: int = 4, **changes: Any) -> list[float]:
    """The learning rate at each step of a phase with the peak 0.1."""
    rate = learning_rate(recipe(epochs=10, **changes), 0.1, epochs, batches)
    return [float(rate(step)) if callable(rate) else float(rate) for step in range(epochs * batches)]


def test_a_cosine_falls_from_its_peak_to_zero_over_the_steps_of_the_phase() -> None:
    steps = np.arange(20)
    assert rates(schedule="cosine") == pytest.approx(0.05 * (1 + np.cos(np.pi * steps / 20)), abs=1e-7)


@pytest.mark.parametrize("warmup", [2, 0.4])
def test_a_warm_up_rises_in_a_line_and_the_cosine_follows(warmup: float) -> None:
    steps = np.arange(20)
    expected = np.where(steps < 8, 0.1 * steps / 8, 0.05 * (1 + np.cos(np.pi * (steps - 8) / 12)))
    assert rates(schedule="cosine", warmup=warmup) == pytest.approx(expected, abs=1e-7)


def test_a_warm_up_without_a_schedule_ends_at_the_peak() -> None:
    steps = np.arange(20)
    assert rates(warmup=2) == pytest.approx(np.minimum(0.1, 0.1 * steps / 8), abs=1e-7)


def test_a_warm_up_takes_at_most_half_of_a_phase_that_a_protocol_has_shortened() -> None:
    assert rates(epochs=2, schedule="cosine", warmup=9) == rates(epochs=2, schedule="cosine", warmup=0.5)


def test_a_recipe_without_these_options_has_a_plain_rate() -> None:
    assert learning_rate(recipe(), 0.1, 5, 4) == 0.1


def test_weight_decay_with_adam_is_adamw_and_spares_biases_and_normalisation() -> None:
    """The update of Loshchilov and Hutter (2019), by hand, over three steps of one gradient."""
    inputs = keras.Input((3,))
    outputs = keras.layers.Dense(1)(keras.layers.BatchNormalization()(keras.layers.Dense(4)(inputs)))
    model = keras.Model(inputs, outputs)
    generator = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign(generator.normal(size=weight.shape))
    start = [keras.ops.convert_to_numpy(weight).astype(np.float64) for weight in model.trainable_variables]
    gradients = [generator.normal(size=weight.shape).astype(np.float32) for weight in model.trainable_variables]
    rate, decay = 0.1, 0.3
    optimizer = make_optimizer(recipe(weight_decay=decay), rate, 5, 4, model)
    for _ in range(3):
        optimizer.apply([keras.ops.convert_to_tensor(each) for each in gradients], model.trainable_variables)
    decayed = 0
    for weight, before, gradient in zip(model.trainable_variables, start, gradients, strict=True):
        expected, first, second = before, 0.0, 0.0
        for step in (1, 2, 3):
            first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
            previous = expected
            mean, spread = first / (1 - 0.9**step), np.sqrt(second / (1 - 0.999**step))
            expected = expected - rate * mean / (spread + 1e-7)
            if gradient.ndim == 2:
                decayed += 1
                expected = expected - rate * decay * previous
        assert keras.ops.convert_to_numpy(weight) == pytest.approx(expected, abs=1e-3), weight.path
    assert decayed == 6  # three steps of two kernels; biases, scale and offset did not decay

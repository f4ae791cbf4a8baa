"""The trial of a machine: speed and accuracy of filtered convolutions in a step of training."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

import benchmark.training.backend as backend
from benchmark.training.convolutions.filtered import convolve
from benchmark.training.convolutions.methods import ConvolutionMethod, ConvolutionTrial
from benchmark.training.convolutions.operations import faster_convolutions
from benchmark.training.network import BATCH
from benchmark.training.trials import fastest_rounds, rms_difference

Floats = npt.NDArray[np.float32]

_SIDE, _CHANNELS = 14, 256  # between the narrow layers, where filtering gains least, and the widest
_MIN_ROUNDS, _MAX_ROUNDS = 3, 6  # an idle machine needs the minimum, a busy one up to the maximum


def measure() -> ConvolutionTrial | None:
    """Measure a step of training by both methods on this machine. It takes about two seconds on two cores.

    Returns:
        The trial; None on an accelerator or with a backend other than TensorFlow.
    """
    if not backend.tensorflow_on_cpu():
        return None
    generator = np.random.default_rng(0)
    images = generator.standard_normal((BATCH, _SIDE, _SIDE, _CHANNELS), np.float32)
    labels = (np.arange(BATCH) % 2).astype(np.float32).reshape(-1, 1)
    models: dict[ConvolutionMethod, keras.Model] = {"direct": _network(), "filtered": _network()}
    steps = {
        method: backend.training_step(model, partial(faster_convolutions, model, method))
        for method, model in models.items()
    }

    def step(method: ConvolutionMethod) -> float:
        begin = time.perf_counter()
        steps[method](images, labels, None)
        return time.perf_counter() - begin

    for method in models:
        step(method)  # traces
    seconds = fastest_rounds({method: partial(step, method) for method in models}, _MIN_ROUNDS, _MAX_ROUNDS)
    return ConvolutionTrial(
        direct=seconds["direct"],
        filtered=seconds["filtered"],
        difference=max(map(rms_difference, _results(convolve), _results(_keras_convolution))),
    )


def _network() -> keras.Model:
    """Two convolutions, so that one has a gradient by its inputs."""
    inputs = keras.Input((_SIDE, _SIDE, _CHANNELS))
    x = inputs
    for seed in (1, 2):
        kernel = keras.initializers.HeNormal(seed=seed)
        x = keras.layers.Conv2D(_CHANNELS, 3, padding="same", activation="relu", kernel_initializer=kernel)(x)
    kernel = keras.initializers.GlorotNormal(seed=3)
    outputs = keras.layers.Dense(1, kernel_initializer=kernel)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.SGD(1e-4), loss="mean_squared_error")
    model.optimizer.build(model.trainable_variables)
    return model


def _results(operation: Callable[[Any, Any], Any]) -> list[Floats]:
    """The outputs of a convolution of some images, its gradient by the kernel and that by the images."""
    generator = np.random.default_rng(1)
    images, gradient = generator.standard_normal((2, 4, _SIDE, _SIDE, _CHANNELS), np.float32)
    kernel = generator.standard_normal((3, 3, _CHANNELS, _CHANNELS), np.float32)
    outputs, by_kernel = backend.gradients(lambda x: operation(images, x) * gradient, kernel)
    _, by_images = backend.gradients(lambda x: operation(x, kernel) * gradient, images)
    return [outputs, by_kernel, by_images]


def _keras_convolution(images: Any, kernel: Any) -> Any:
    return keras.ops.conv(images, kernel, padding="same")

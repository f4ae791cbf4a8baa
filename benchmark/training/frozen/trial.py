"""The trial of a machine: speed and accuracy of each method that computes frozen convolutions."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

import benchmark.training.backend as backend
from benchmark.training.frozen.methods import PrefixMethod, PrefixTrial
from benchmark.training.frozen.prefix import filtered_layers, prefix
from benchmark.training.frozen.winograd import GROUP
from benchmark.training.network import BATCH, join, preprocessing_model, run_batched, segment, set_precision
from benchmark.training.trials import fastest_rounds, rms_difference

Images = npt.NDArray[np.float32]

SIDE = 96
BLOCKS = ((64, 64), (128, 128), (256, 256), (512, 512), (512,))
MIN_ROUNDS, MAX_ROUNDS = 3, 6  # an idle machine needs the minimum, a busy one up to the maximum
_GROUPS = 3 * BATCH // GROUP  # groups of images in a chunk of the bank


def measure() -> PrefixTrial | None:
    """Measure every method on this machine. It takes a few seconds on two cores.

    The network has the convolutions of VGG16 up to the last pooling, each shape once. The size of the images lies
    between those of the built-in protocols.

    Returns:
        The trial; None on an accelerator or with a backend other than TensorFlow.
    """
    if not backend.tensorflow_on_cpu():
        return None
    workloads = _workloads()
    features: dict[PrefixMethod, npt.NDArray[Any]] = {}
    for method, workload in list(workloads.items()):
        try:
            features[method] = workload()  # compiles, and warms the caches
        except Exception:  # of many kinds: this machine or version cannot compute it
            if method == "keras":
                raise
            del workloads[method]

    def seconds_per_image(method: PrefixMethod) -> float:
        start = time.perf_counter()
        workloads[method]()
        seconds = (time.perf_counter() - start) / len(features[method])
        return seconds / _utilisation(backend.threads()) if method == "filtered" else seconds

    works = {method: partial(seconds_per_image, method) for method in workloads}
    fastest = fastest_rounds(works, MIN_ROUNDS, MAX_ROUNDS)
    return PrefixTrial(
        rates={method: 1 / seconds for method, seconds in fastest.items()},
        speedups={method: fastest["keras"] / seconds for method, seconds in fastest.items()},
        differences={method: rms_difference(values, features["keras"]) for method, values in features.items()},
    )


def _workloads() -> dict[PrefixMethod, Callable[[], npt.NDArray[Any]]]:
    """For each method that this machine offers, return a function that computes features of some images."""
    model, lowered = small_vgg(), small_vgg()
    lowered.set_weights(model.get_weights())
    last = model.layers[-1].name
    set_precision(lowered, tuple(layer.name for layer in lowered.layers[1:]), "bfloat16")
    front = preprocessing_model((SIDE, SIDE, 1), "rescale")
    count = GROUP * min(_GROUPS, max(2, backend.threads()))  # enough to keep all threads busy
    images = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 1)).astype(np.float32)
    batch = min(count, BATCH)
    whole_batches = images[: count // batch * batch]
    whole = join(front, segment(model, None, last), "keras")
    workloads: dict[PrefixMethod, Callable[[], npt.NDArray[Any]]] = {
        "keras": lambda: run_batched(whole, whole_batches, batch)
    }
    if filtered := filtered_layers(model):
        chain = prefix(front, model, None, last, filtered)
        workloads["filtered"] = lambda: chain(images)
    low = join(front, segment(lowered, None, last), "bfloat16")
    workloads["bfloat16"] = lambda: run_batched(low, whole_batches, batch)
    return workloads


def _utilisation(threads: int) -> float:
    """Return the share of the threads' time that a chunk of the bank uses, in (0, 1].

    In the trial each thread has a group of images in every turn. The groups of a chunk leave some threads idle in the
    last turn.
    """
    turns = -(-_GROUPS // threads)
    return 1.0 if threads > _GROUPS else _GROUPS / (threads * turns)


def small_vgg() -> keras.Model:
    """Build the network of the trial.

    Its weights keep the size of activations from layer to layer, as trained ones do (He et al. 2015).

    Returns:
        A model from images (n, SIDE, SIDE, 3) to the features after its last pooling.
    """
    inputs = keras.Input((SIDE, SIDE, 3))
    x, seed = inputs, 0
    for block, widths in enumerate(BLOCKS, 1):
        for number, filters in enumerate(widths, 1):
            seed += 1
            kernel = keras.initializers.HeNormal(seed=seed)
            name = f"block{block}_conv{number}"
            convolution = keras.layers.Conv2D(
                filters, 3, padding="same", activation="relu", kernel_initializer=kernel, name=name
            )
            x = convolution(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return keras.Model(inputs, x)

"""The trial of a machine: in which way it computes frozen convolutions fastest, and how near to float32 by Keras."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

import benchmark.training.backend as backend
from benchmark.training.frozen.methods import Trial, Way
from benchmark.training.frozen.prefix import filtered_layers, prefix
from benchmark.training.frozen.winograd import GROUP
from benchmark.training.network import BATCH, entry, join, run_batched, segment, set_precision

Images = npt.NDArray[np.float32]

SIDE = 96
BLOCKS = ((64, 64), (128, 128), (256, 256), (512, 512), (512,))
LEAST, MOST = 3, 6  # rounds: the least on a machine at rest, the most on one that does other things
_SETTLED = 1.05
_FAR = 1e9
_GROUPS = 3 * BATCH // GROUP  # that the bank's chunks have


def measure() -> Trial | None:
    """The trial, a few seconds on two cores; None where an accelerator or another backend than TensorFlow computes.

    The network is VGG16's convolutions up to the last pooling, each shape once, on images between the sizes of the
    built-in protocols. The ways are computed in turn, so that whatever else the machine does at a time slows all of
    them, until the two fastest rounds of each agree; the fastest counts, since others only add to it.
    """
    if not backend.tensorflow_on_cpu():
        return None
    works = _works()
    found: dict[Way, npt.NDArray[Any]] = {}
    for way, work in list(works.items()):
        try:
            found[way] = work()  # compiles, and warms the caches
        except Exception:  # of many kinds: this machine or version cannot do it
            if way == "keras":
                raise
            del works[way]
    taken: dict[Way, list[float]] = {way: [] for way in works}
    for done in range(MOST):
        if done >= LEAST and all(map(_settled, taken.values())):
            break
        for way, work in works.items():
            start = time.perf_counter()
            work()
            seconds = (time.perf_counter() - start) / len(found[way])
            taken[way].append(seconds / _busy(backend.threads()) if way == "filtered" else seconds)
    fastest = {way: min(seconds) for way, seconds in taken.items()}
    return Trial(
        rates={way: 1 / seconds for way, seconds in fastest.items()},
        speedups={way: fastest["keras"] / seconds for way, seconds in fastest.items()},
        differences={way: _difference(values, found["keras"]) for way, values in found.items()},
    )


def _works() -> dict[Way, Callable[[], npt.NDArray[Any]]]:
    """For each way that there is here the function that computes features of some images."""
    model, lowered = _network(), _network()
    lowered.set_weights(model.get_weights())
    last = model.layers[-1].name
    set_precision(lowered, tuple(layer.name for layer in lowered.layers[1:]), "bfloat16")
    front = entry((SIDE, SIDE, 1), "rescale")
    count = GROUP * min(_GROUPS, max(2, backend.threads()))  # as many as keep all threads busy
    images = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 1)).astype(np.float32)
    batch = min(count, BATCH)
    whole_batches = images[: count // batch * batch]
    whole = join(front, segment(model, None, last), "keras")
    works: dict[Way, Callable[[], npt.NDArray[Any]]] = {"keras": lambda: run_batched(whole, whole_batches, batch)}
    if filtered := filtered_layers(model):
        chain = prefix(front, model, None, last, filtered)
        works["filtered"] = lambda: chain(images)
    low = join(front, segment(lowered, None, last), "bfloat16")
    works["bfloat16"] = lambda: run_batched(low, whole_batches, batch)
    return works


def _settled(seconds: list[float]) -> bool:
    first, second = sorted(seconds)[:2]
    return second <= _SETTLED * first


def _busy(threads: int) -> float:
    """The share of the threads' time that the bank's chunks use. In the trial each thread has a group in every turn;
    the groups of a chunk leave some threads without one in the last turn."""
    turns = -(-_GROUPS // threads)
    return 1.0 if threads > _GROUPS else _GROUPS / (threads * turns)


def _network() -> keras.Model:
    """Weights keep the size of activations from layer to layer, as trained ones do (He et al. 2015)."""
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


def _difference(values: npt.NDArray[Any], reference: npt.NDArray[Any]) -> float:
    count = min(len(values), len(reference))
    ours, theirs = (array[:count].astype(np.float64) for array in (values, reference))
    found = float(np.sqrt(np.mean((ours - theirs) ** 2) / np.mean(theirs**2)))
    return found if found < _FAR else _FAR  # not a number, too

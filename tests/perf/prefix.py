"""Images per second of the frozen VGG16 prefix, as a share of what a matrix product reaches on the same machine.

    python tests/perf/prefix.py [--size 150] [--precision all|float32|bfloat16] [--rounds 5]

Every method of computing it (`benchmark.training.frozen.methods`) and the products are measured in turns in one
process. Medians are compared, each with the product of its precision: in float32 the faster of the backend's and
NumPy's. The prefix is what the feature bank runs: grey levels in, features of block5_pool out. Operations are counted
by the definition of a convolution, so that a method that needs fewer may exceed 100%. The last lines show what the
trial of the machine chooses, and how long it takes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np

import benchmark.training.backend as backend
from benchmark.training.frozen.methods import WAYS, WORDS, Way
from benchmark.training.frozen.prefix import filtered_layers, prefix
from benchmark.training.frozen.trial import measure
from benchmark.training.network import BATCH, entry, set_precision
from zoo.models.registry import build

SIDE = 4096
CUT = "block5_pool"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--precision", choices=("all", "float32", "bfloat16"), default="all")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    backend.prepare_process(0, os.cpu_count() or 1)
    precisions = ("float32", "bfloat16") if asked.precision == "all" else (asked.precision,)
    images = np.random.default_rng(0).integers(0, 256, (3 * BATCH, asked.size, asked.size, 1)).astype(np.float32)
    model = network(asked.size)
    prefixes: dict[Way, Callable[[], object]] = {
        way: compute for way in WAYS if (compute := computed(way, model, images)) and precision_of(way) in precisions
    }
    products = {name: work for precision in precisions for name, work in products_in(precision).items()}
    works: dict[str, Callable[[], object]] = {**products, **prefixes}
    for work in works.values():
        work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(asked.rounds):
        for name, work in works.items():
            taken[name].append(seconds(work))
    peaks = dict.fromkeys(precisions, 0.0)
    for name in products:
        speed = 2 * SIDE**3 / statistics.median(taken[name]) / 1e9
        print(f"{name} matrix product, {SIDE} x {SIDE}: {speed:.0f} GFLOP/s")
        precision = name.rpartition(" ")[2]
        peaks[precision] = max(peaks[precision], speed)
    for way in prefixes:
        rate = len(images) / statistics.median(taken[way])
        reached = rate * 2 * multiplications(model) / 1e9
        share = reached / peaks[precision_of(way)]
        print(f"{WORDS[way]}, to {CUT} at {asked.size} px: {rate:.1f} images/s, {reached:.0f} GFLOP/s: {share:.0%}")
    start = time.perf_counter()
    trial = measure()
    if trial is None:
        print("no trial: an accelerator or another backend than TensorFlow computes")
        return
    rates = ", ".join(
        f"{way} {rate:.1f} images/s ({trial.speedups[way]:.2f} times Keras, features {trial.differences[way]:.2g} off)"
        for way, rate in trial.rates.items()
    )
    print(f"trial of {time.perf_counter() - start:.1f} s: {rates}")
    for allowed in (WAYS, ("keras", "filtered")):
        print(f"it takes, of {', '.join(allowed)}: {trial.preferred(allowed)[0]}")


def network(size: int) -> keras.Model:
    return build("vgg16", {"weights": "random"}, (size, size, 3))


def precision_of(way: Way) -> str:
    return "bfloat16" if way == "bfloat16" else "float32"


def computed(way: Way, model: keras.Model, images: np.ndarray) -> Callable[[], object] | None:
    """The prefix of `images` in this way; None where there is none."""
    front = entry(images.shape[1:], "rescale")
    if way == "bfloat16":
        lowered = network(images.shape[1])
        lowered.set_weights(model.get_weights())
        set_precision(lowered, frozen(lowered), "bfloat16")
        model = lowered
    filtered = filtered_layers(model) if way == "filtered" else ()
    if way == "filtered" and not filtered:
        return None
    compute = prefix(front, model, None, CUT, filtered)
    return lambda: compute(images)


def products_in(precision: str) -> dict[str, Callable[[], object]]:
    matrix = keras.ops.cast(keras.random.normal((SIDE, SIDE), seed=0), precision)
    # A sum in bfloat16 is a number, not an array of one, when it comes out of TensorFlow; cast, it is an array.
    works: dict[str, Callable[[], object]] = {
        f"{keras.backend.backend()}'s {precision}": lambda: keras.ops.convert_to_numpy(
            keras.ops.sum(keras.ops.cast(keras.ops.matmul(matrix, matrix)[0], "float32"))
        )
    }
    if precision == "float32":
        rows = keras.ops.convert_to_numpy(matrix)
        out = np.empty_like(rows)
        works["NumPy's float32"] = lambda: np.matmul(rows, rows, out=out)
    return works


def frozen(model: keras.Model) -> tuple[str, ...]:
    names = [layer.name for layer in model.layers]
    return tuple(names[1 : names.index(CUT) + 1])


def multiplications(model: keras.Model) -> int:
    """Multiply-adds that the convolutions up to the cut need for one image."""
    total = 0
    for name in frozen(model):
        layer = model.get_layer(name)
        if isinstance(layer, keras.layers.Conv2D):
            _, height, width, _ = layer.output.shape
            total += height * width * int(np.prod(layer.kernel.shape))
    return total


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

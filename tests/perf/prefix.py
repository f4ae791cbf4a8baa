"""Images per second of the frozen VGG16 prefix, as a share of what a matrix product reaches on the same machine.

    python tests/perf/prefix.py [--size 150] [--precision all|float32|bfloat16] [--rounds 5]

The methods (`benchmark.training.frozen.methods`) and the matrix products take turns in one process. The median of each
method is compared with that of the product in its precision: in float32 the faster one of the backend and NumPy. The
prefix goes from grey levels to the features of block5_pool, as in the feature bank. Operations are counted by the
definition of a convolution, so a method that needs fewer may exceed 100%. The last lines show what the trial of the
machine chooses, and how long it takes.
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
from benchmark.training.frozen.methods import METHOD_LABELS, METHODS, PrefixMethod
from benchmark.training.frozen.prefix import filtered_layers, prefix
from benchmark.training.frozen.trial import measure
from benchmark.training.network import BATCH, preprocessing_model, set_precision
from zoo.models.registry import build

SIDE = 4096
PREFIX_END = "block5_pool"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--precision", choices=("all", "float32", "bfloat16"), default="all")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    backend.prepare_process(0, os.cpu_count() or 1)
    precisions = ("float32", "bfloat16") if options.precision == "all" else (options.precision,)
    images = np.random.default_rng(0).integers(0, 256, (3 * BATCH, options.size, options.size, 1)).astype(np.float32)
    model = network(options.size)
    prefixes: dict[PrefixMethod, Callable[[], object]] = {
        method: compute
        for method in METHODS
        if (compute := computed(method, model, images)) and precision_of(method) in precisions
    }
    products = {name: work for precision in precisions for name, work in products_in(precision).items()}
    works: dict[str, Callable[[], object]] = {**products, **prefixes}
    for work in works.values():
        work()
    durations: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(options.rounds):
        for name, work in works.items():
            durations[name].append(seconds(work))
    peaks = dict.fromkeys(precisions, 0.0)
    for name in products:
        speed = 2 * SIDE**3 / statistics.median(durations[name]) / 1e9
        print(f"{name} matrix product, {SIDE} x {SIDE}: {speed:.0f} GFLOP/s")
        precision = name.rpartition(" ")[2]
        peaks[precision] = max(peaks[precision], speed)
    for method in prefixes:
        rate = len(images) / statistics.median(durations[method])
        speed = rate * 2 * multiplications(model) / 1e9
        share = speed / peaks[precision_of(method)]
        print(
            f"{METHOD_LABELS[method]}, to {PREFIX_END} at {options.size} px: "
            f"{rate:.1f} images/s, {speed:.0f} GFLOP/s: {share:.0%}"
        )
    start = time.perf_counter()
    trial = measure()
    if trial is None:
        print("no trial: an accelerator, or a backend other than TensorFlow")
        return
    rates = ", ".join(
        f"{method} {rate:.1f} images/s "
        f"({trial.speedups[method]:.2f} times Keras, features differ by {trial.differences[method]:.2g})"
        for method, rate in trial.rates.items()
    )
    print(f"trial of {time.perf_counter() - start:.1f} s: {rates}")
    for allowed in (METHODS, ("keras", "filtered")):
        print(f"chosen from {', '.join(allowed)}: {trial.preferred(allowed)[0]}")


def network(size: int) -> keras.Model:
    return build("vgg16", {"weights": "random"}, (size, size, 3))


def precision_of(method: PrefixMethod) -> str:
    return "bfloat16" if method == "bfloat16" else "float32"


def computed(method: PrefixMethod, model: keras.Model, images: np.ndarray) -> Callable[[], object] | None:
    """Return a function that computes the prefix of `images` by `method`; None if this machine cannot."""
    front = preprocessing_model(images.shape[1:], "rescale")
    if method == "bfloat16":
        lowered = network(images.shape[1])
        lowered.set_weights(model.get_weights())
        set_precision(lowered, frozen(lowered), "bfloat16")
        model = lowered
    filtered = filtered_layers(model) if method == "filtered" else ()
    if method == "filtered" and not filtered:
        return None
    compute = prefix(front, model, None, PREFIX_END, filtered)
    return lambda: compute(images)


def products_in(precision: str) -> dict[str, Callable[[], object]]:
    matrix = keras.ops.cast(keras.random.normal((SIDE, SIDE), seed=0), precision)
    # TensorFlow returns a sum in bfloat16 as a number, not as an array of one; the cast makes it an array.
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
    return tuple(names[1 : names.index(PREFIX_END) + 1])


def multiplications(model: keras.Model) -> int:
    """Multiply-adds per image in the convolutions of the prefix."""
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

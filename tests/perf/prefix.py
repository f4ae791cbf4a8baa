"""Images per second of the frozen VGG16 prefix, as a share of what a matrix product reaches on the same machine.

    python tests/perf/prefix.py [--size 150] [--precision float32|bfloat16] [--rounds 5]

Both are measured in turns in one process, in the same precision, and the medians compared. The product is the faster
one of the backend's and, in float32, NumPy's. The prefix is what the feature bank runs: grey levels in, features of
block5_pool out. Its operations are counted as the definition of a convolution has them, so that one which gets by with
fewer may pass 100%. Keras' own prefix stands beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import benchmark.training.backend as backend

# isort: split
import keras
import numpy as np

from benchmark.training.network import BATCH, entry, join, run_batched, segment, set_precision
from benchmark.training.prefix import filtered_layers, prefix
from zoo.registry import build

SIDE = 4096
CUT = "block5_pool"
PREFIX = "prefix"
KERAS = "prefix by Keras"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    backend.prepare_process(0, os.cpu_count() or 1)
    model = build("vgg16", {"weights": "random"}, (asked.size, asked.size, 3))
    names = [layer.name for layer in model.layers]
    lowered = tuple(names[1 : names.index(CUT) + 1])
    set_precision(model, lowered, asked.precision)
    front = entry((asked.size, asked.size, 1), "rescale")
    ours = prefix(front, model, None, CUT, filtered_layers(model) if asked.precision == "float32" else ())
    theirs = join(front, segment(model, None, CUT), "prefix")
    images = np.random.default_rng(0).integers(0, 256, (3 * BATCH, asked.size, asked.size, 1)).astype(np.float32)
    matrix = keras.ops.cast(keras.random.normal((SIDE, SIDE), seed=0), asked.precision)

    works: dict[str, Callable[[], object]] = {
        f"{keras.backend.backend()}'s": lambda: keras.ops.convert_to_numpy(
            keras.ops.sum(keras.ops.matmul(matrix, matrix)[0])
        ),
        PREFIX: lambda: ours(images),
        KERAS: lambda: run_batched(theirs, images),
    }
    if asked.precision == "float32":
        rows = keras.ops.convert_to_numpy(matrix)
        out = np.empty_like(rows)
        works["NumPy's"] = lambda: np.matmul(rows, rows, out=out)
    for work in works.values():
        work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(asked.rounds):
        for name, work in works.items():
            taken[name].append(seconds(work))
    peak = 0.0
    for name in works:
        if name in (PREFIX, KERAS):
            continue
        product = 2 * SIDE**3 / statistics.median(taken[name]) / 1e9
        print(f"{name} matrix product {SIDE} x {SIDE}, {asked.precision}: {product:.0f} GFLOP/s")
        peak = max(peak, product)
    for name in (PREFIX, KERAS):
        rate = len(images) / statistics.median(taken[name])
        reached = rate * 2 * multiplications(model, lowered) / 1e9
        print(f"{name} to {CUT} at {asked.size} px: {rate:.1f} images/s, {reached:.0f} GFLOP/s: {reached / peak:.0%}")


def multiplications(model: keras.Model, layers: tuple[str, ...]) -> int:
    """Multiply-adds that the convolutions among `layers` need for one image."""
    total = 0
    for name in layers:
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

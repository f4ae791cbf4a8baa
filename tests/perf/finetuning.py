"""The time of a step of fine-tuning the last blocks of VGG16, by each method for its convolutions.

    python -m tests.perf.finetuning [--size 150] [--threads N] [--rounds 5] [--blocks 3]

A step trains the last one, two, ... blocks and a head on the features of 32 random images. Methods take turns in one
process: direct convolutions, filtered ones, and direct ones in bfloat16. The median of the rounds counts. Differences
of the loss after the first steps show that all of them train the same network.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import keras
import numpy as np

import benchmark.training.backend as backend
from benchmark.training.convolutions.methods import ConvolutionMethod
from benchmark.training.convolutions.operations import faster_convolutions
from benchmark.training.machine_speed import VGG16_BLOCKS
from benchmark.training.network import BATCH, training_in
from benchmark.training.precision import TrainingPrecision

METHODS: tuple[tuple[ConvolutionMethod, TrainingPrecision], ...] = (
    ("direct", "float32"),
    ("filtered", "float32"),
    ("direct", "bfloat16"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=3, choices=range(1, len(VGG16_BLOCKS)))
    options = parser.parse_args()
    backend.prepare_process(0, options.threads)
    for blocks in range(1, options.blocks + 1):
        steps = {which: step_of(blocks, options.size, *which) for which in METHODS}
        losses = {which: [float(step()["loss"]) for _ in range(2)] for which, step in steps.items()}
        seconds: dict[tuple[str, str], list[float]] = {which: [] for which in METHODS}
        for _ in range(options.rounds):
            for which, step in steps.items():
                begin = time.perf_counter()
                step()
                seconds[which].append(time.perf_counter() - begin)
        print(f"VGG16 from block {len(VGG16_BLOCKS) - blocks + 1}, {options.size} px, threads {options.threads}:")
        slowest = statistics.median(seconds[METHODS[0]])
        for which, spent in seconds.items():
            median = statistics.median(spent)
            print(
                f"  {which[0]} in {which[1]}: {median:.3f} s, {slowest / median:.2f} times as fast; "
                f"loss of the second step {losses[which][1]:.5f}"
            )


def step_of(
    blocks: int, size: int, method: ConvolutionMethod, precision: TrainingPrecision
) -> Callable[[], dict[str, np.ndarray]]:
    """Return a step of training the last `blocks` of VGG16 and a head."""
    model = tail(blocks, size)
    generator = np.random.default_rng(0)
    features = generator.random((BATCH, *model.input_shape[1:]), np.float32)
    labels = (np.arange(BATCH) % 2).astype(np.float32).reshape(-1, 1)

    @contextmanager
    def tracing() -> Iterator[None]:
        with training_in(model, precision), faster_convolutions(model, method):
            yield

    return partial(backend.training_step(model, tracing), features, labels, None)


def tail(blocks: int, size: int) -> keras.Model:
    """Build the last `blocks` of VGG16 with random weights, and a head."""
    first = len(VGG16_BLOCKS) - blocks
    side = size // 2**first
    inputs = keras.Input((side, side, VGG16_BLOCKS[first - 1][-1]))
    x, seed = inputs, 0
    for widths in VGG16_BLOCKS[first:]:
        for filters in widths:
            seed += 1
            kernel = keras.initializers.HeNormal(seed=seed)
            x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer=kernel)(x)
        x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    outputs = keras.layers.Dense(1, "sigmoid", kernel_initializer=keras.initializers.GlorotNormal(seed=0))(x)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(1e-5), "binary_crossentropy", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


if __name__ == "__main__":
    main()

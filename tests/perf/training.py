"""The speed of training a CNN from scratch (`attempt-1`), as a share of what a matrix product reaches on the machine.

    python tests/perf/training.py [--size 150] [--threads N] [--rounds 5] [--operations 12]

Training steps in each precision and the matrix product in float32 take turns in one process. An epoch is 15 steps of 32
images and the scores of 120 validation images, with new views in each step. Multiplications are counted by the
definition of a convolution: forward, by weights, and, except in the first layer, by inputs. Times are processor times
divided by the number of threads, which other load changes least. The last lines are the slowest operations of a step.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

import benchmark.training.backend as backend
from benchmark.training.augmentation import augmented_view
from benchmark.training.network import BATCH, join, preprocessing_model, run_batched, training_in
from benchmark.training.precision import TrainingPrecision
from zoo.models.catalog import load_cards
from zoo.models.registry import build

STEPS, VALIDATION, SIDE = 15, 120, 2048
PRECISIONS: tuple[TrainingPrecision, ...] = ("float32", "bfloat16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--operations", type=int, default=12)
    options = parser.parse_args()
    backend.prepare_process(0, options.threads)
    generator = np.random.default_rng(0)
    matrix = keras.ops.convert_to_tensor(generator.normal(size=(SIDE, SIDE)).astype(np.float32))
    works: dict[str, Callable[[], object]] = {
        "matrix product": lambda: keras.ops.convert_to_numpy(keras.ops.matmul(matrix, matrix))
    }
    steps = {precision: Training(options.size, precision) for precision in PRECISIONS}
    works |= {precision: training.epoch for precision, training in steps.items()}
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(options.rounds + 1):
        for name, work in works.items():
            start = time.process_time()
            work()
            if number:  # the first round compiles
                seconds[name].append((time.process_time() - start) / options.threads)
    peak = 2 * SIDE**3 / statistics.median(seconds["matrix product"]) / 1e9
    print(f"matrix product in float32, {SIDE} x {SIDE}, threads {options.threads}: {peak:.0f} GFLOP/s")
    for precision, training in steps.items():
        spent = statistics.median(seconds[precision])
        speed = training.operations() / spent / 1e9
        print(f"epoch in {precision}: {spent:.2f} s, {speed:.0f} GFLOP/s, {speed / peak:.0%} of the matrix product")
    for precision, training in steps.items():
        print(f"slowest operations of a step in {precision}, ms:")
        for name, spent in training.profile().most_common(options.operations):
            print(f"  {spent:7.1f}  {name}")


class Training:
    """A network of `attempt-1` in training on random images."""

    def __init__(self, size: int, precision: TrainingPrecision) -> None:
        self.card = load_cards()["attempt-1"]
        self.precision = precision
        self.model = build(self.card.model.builder, self.card.model.params, (size, size, 3), 1)
        self.whole = join(preprocessing_model((size, size, 1), "rescale"), self.model, "whole")
        loss, metrics = keras.losses.BinaryCrossentropy(), [keras.metrics.BinaryAccuracy(), keras.metrics.Recall()]
        self.whole.compile(optimizer=keras.optimizers.Adam(1e-4), loss=loss, metrics=metrics, jit_compile=False)
        generator = np.random.default_rng(0)
        self.images = generator.integers(0, 256, (BATCH, size, size, 1)).astype(np.uint8)
        self.keys = [f"{number:064x}" for number in generator.integers(1 << 62, size=BATCH)]
        self.labels = np.arange(BATCH, dtype=np.float32)[:, None] % 2
        self.view = 0

    def step(self) -> None:
        self.view += 1
        inputs = augmented_view(self.images, self.keys, self.card.recipe.augmentation, self.view, 0)
        self.whole.reset_metrics()
        with training_in(self.model, self.precision):
            self.whole.train_on_batch(inputs, self.labels, return_dict=True)

    def epoch(self) -> None:
        for _ in range(STEPS):
            self.step()
        run_batched(self.whole, np.repeat(self.images, 4, axis=0)[:VALIDATION])

    def operations(self) -> float:
        """Multiplications and additions of an epoch."""
        forward, first = 0.0, 0.0
        for layer in self.model.layers:
            if layer.weights:
                positions = float(np.prod(layer.output.shape[1:-1]))
                count = 2 * float(np.prod(layer.kernel.shape)) * positions
                forward, first = forward + count, first or count
        return STEPS * BATCH * (3 * forward - first) + VALIDATION * forward

    def profile(self) -> Counter[str]:
        """Milliseconds of each operation of a step."""
        import tensorflow as tf
        from tensorflow.tsl.profiler.protobuf import xplane_pb2

        with tempfile.TemporaryDirectory(prefix="zoo-perf-") as folder:
            tf.profiler.experimental.start(folder)
            for _ in range(5):
                self.step()
            tf.profiler.experimental.stop()
            space: Any = xplane_pb2.XSpace()
            space.ParseFromString(next(Path(folder).rglob("*.xplane.pb")).read_bytes())
        spent: Counter[str] = Counter()
        for plane in space.planes:
            for line in plane.lines if "CPU" in plane.name else ():
                for event in line.events:
                    name = plane.event_metadata[event.metadata_id].name
                    if ":" in name and "::" not in name and "__inference" not in name:
                        spent[name] += event.duration_ps / 1e9 / 5
        return spent


if __name__ == "__main__":
    main()

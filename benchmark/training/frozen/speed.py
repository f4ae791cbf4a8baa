"""Measures how fast this machine computes frozen layers and trains a small network."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import keras
import numpy as np

import benchmark.training.backend as backend
from benchmark.training.frozen.methods import METHODS, PrefixTrial
from benchmark.training.frozen.trial import BLOCKS, SIDE, small_vgg
from benchmark.training.machine_speed import MachineSpeed, convolution_work
from benchmark.training.network import BATCH
from zoo.models.registry import build

_ROUNDS = 4
_BUSY = 0.75  # load per thread, as the mean of a minute
_MEGA, _GIGA = 1e6, 1e9


def measure_speed(trial: PrefixTrial | None) -> MachineSpeed:
    """Measure this machine. It takes a few seconds on two cores.

    The fastest of some rounds counts, because other load only adds time. On a busy machine without an accelerator, the
    time of the processors counts instead of the clock, since the speed is kept for later benchmarks.

    Args:
        trial: The trial of the methods for frozen layers; None where there is none, on an accelerator for example.

    Returns:
        The speed.
    """
    busy = backend.tensorflow_on_cpu() and os.getloadavg()[0] > _BUSY * backend.threads()
    speedup = 1.0 if trial is None else trial.speedups[trial.preferred(METHODS)[0]]
    images = speedup * BATCH / _fastest(_forward(), busy)
    pixels = BATCH * SIDE * SIDE / _fastest(_training_step(), busy)
    return MachineSpeed(frozen=images * convolution_work(SIDE, BLOCKS) / _GIGA, training=pixels / _MEGA, busy=busy)


def _forward() -> Callable[[], object]:
    model, images = small_vgg(), _images()
    return lambda: np.asarray(model(images, training=False))


def _training_step() -> Callable[[], object]:
    model = build("scratch_cnn", {}, (SIDE, SIDE, 3))
    model.compile(optimizer=keras.optimizers.Adam(1e-4), loss="binary_crossentropy")
    images, labels = _images(), np.arange(BATCH).reshape(-1, 1) % 2
    return lambda: model.train_on_batch(images, labels)


def _images() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).random((BATCH, SIDE, SIDE, 3), dtype=np.float32)


def _fastest(workload: Callable[[], object], busy: bool) -> float:
    """Seconds of the fastest round, after one that compiles; of the processors, shared by the threads, if `busy`."""
    workload()
    seconds = []
    for _ in range(_ROUNDS):
        clock, processors = time.perf_counter(), time.process_time()
        workload()
        elapsed = time.perf_counter() - clock
        shared = (time.process_time() - processors) / backend.threads()
        seconds.append(min(elapsed, shared) if busy else elapsed)
    return min(seconds)

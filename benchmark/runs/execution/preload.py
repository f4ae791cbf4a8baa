"""Imports of the process from which workers are forked, done once for all of them."""

from benchmark.training.quiet import load_keras

load_keras()

import scipy.fft  # noqa: E402
import scipy.optimize  # noqa: E402, F401

import benchmark.runs.execution.worker  # noqa: E402, F401

"""Imports of the process from which workers are forked, done once for all of them."""

import atexit
import os
import sys

from benchmark.training.quiet import load_keras

load_keras()

import scipy.fft  # noqa: E402
import scipy.optimize  # noqa: E402, F401

import benchmark.runs.execution.worker  # noqa: E402, F401
from zoo.models.registry import get_builder  # noqa: E402

get_builder("constant")  # imports all built-in builders

if any("multiprocessing.forkserver" in word for word in sys.orig_argv):  # not where a tool imports all modules
    # TensorFlow takes a second to end, during which a pipe of the command's output would stay open.
    atexit.register(os._exit, 0)

"""Imports of the process from which workers are forked, done once for all of them."""

from benchmark.training.quiet import load_keras

load_keras()

import benchmark.runs.execution.worker  # noqa: E402, F401

"""What the process that workers are forked from imports, once for all of them."""

from benchmark.training.quiet import load_keras

load_keras()

import benchmark.runs.execution.worker  # noqa: E402, F401

"""Load Keras without the messages of native code.

A process that computes calls `load_keras` before it imports a module that needs Keras.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib.util import find_spec

from zoo.config.errors import ConfigError

BACKENDS = ("tensorflow", "jax", "torch")
"""The backends of Keras that train."""

VARIABLE = "KERAS_BACKEND"

NATIVE_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
"""The variable that decides which native messages TensorFlow writes."""

_SAME_STRUCTURE = "The structure of `inputs`"
"""With JAX, Keras warns of one input where a model has a list of one."""


def check_backend() -> None:
    """Raise ConfigError if the environment names a backend of Keras that does not train or is not installed."""
    name = os.environ.get(VARIABLE)
    if not name:
        return
    if name not in BACKENDS:
        raise ConfigError(f"{VARIABLE}={name[:40]}: cannot train; give {', '.join(BACKENDS)}, or leave it out")
    if find_spec(name) is None:
        raise ConfigError(f"{VARIABLE}={name}: {name} is not installed; install it, or leave {VARIABLE} out")


def load_keras() -> None:
    """Import Keras and its backend, and discard what native code writes to stderr meanwhile.

    TensorFlow logs from C++ before any of its loggers can be configured. Setting TF_CPP_MIN_LOG_LEVEL below 3 shows
    these messages. Level 3 alone does not silence them, and child processes inherit it, so a 3 is treated as unset.

    Raises:
        ConfigError: The environment names a backend that cannot be used.
    """
    check_backend()
    if os.environ.setdefault(NATIVE_LOG_LEVEL, "3") != "3" or "keras" in sys.modules:
        return
    warnings.filterwarnings("ignore", _SAME_STRUCTURE, UserWarning)
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import benchmark.training.backend  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)

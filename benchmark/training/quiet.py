"""Load Keras without the messages of native code.

A process that computes calls `load_keras` before it imports a module that needs Keras.
"""

from __future__ import annotations

import os
import sys


def load_keras() -> None:
    """Import Keras and its backend, and discard what native code writes to stderr meanwhile.

    TensorFlow logs from C++ before any of its loggers can be configured. Setting TF_CPP_MIN_LOG_LEVEL below 3 shows
    these messages. Level 3 alone does not silence them, and child processes inherit it, so a 3 is treated as unset.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") != "3" or "keras" in sys.modules:
        return
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import keras  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)

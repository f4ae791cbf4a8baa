"""The process from which workers are forked: it has imported Keras, so that starting a worker is cheap."""

from __future__ import annotations

import multiprocessing
import signal
from typing import Any


def warm_up() -> None:
    """Start the process from which workers are forked, so that it imports Keras in the background."""
    if worker_context().get_start_method() == "forkserver":
        from multiprocessing import forkserver, resource_tracker  # not on every platform

        resource_tracker.ensure_running()  # first, since the fork server would start it, and its start unblocks SIGINT
        # Blocked from the start of the new process: only this process handles Ctrl-C.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def worker_context() -> Any:
    """The context that starts workers: forked from a server that has imported Keras, where the platform can fork."""
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(["benchmark.runs.execution.preload"])
    return context

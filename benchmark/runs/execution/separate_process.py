"""Calls a function in a separate process, so that a crash or a hang costs only its result."""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from benchmark.runs.execution.main_module import without_main_module

_Result = TypeVar("_Result")


def call_in_process(context: Any, function: Callable[..., _Result], arguments: tuple[Any, ...], limit_s: float) -> Any:
    """Call a function in a process of its own.

    Args:
        context: The context of `multiprocessing` that starts processes.
        function: A function of a module; its arguments and its result can be pickled.
        arguments: Its arguments.
        limit_s: Seconds after which the process is ended.

    Returns:
        What the function returns. None if it raises, crashes, or exceeds the limit.
    """
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(function, arguments, there), daemon=True)
    with without_main_module():
        process.start()
    there.close()
    try:
        return here.recv() if here.poll(limit_s) else None
    except EOFError:  # the process crashed
        return None
    finally:
        process.kill()
        process.join()
        here.close()


def _send(function: Callable[..., Any], arguments: tuple[Any, ...], pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        pipe.send(function(*arguments))
    except Exception:  # libraries raise errors of many kinds; the caller has a default
        pipe.send(None)

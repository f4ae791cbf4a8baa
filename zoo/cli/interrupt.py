"""Ends a command on Ctrl-C. It imports nothing large, so that Ctrl-C works from the start."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""The exit code."""


_RECEIVED = threading.Event()


def remember_interrupts() -> None:
    """Remember that Ctrl-C was pressed, unless it is ignored, as in the background of a shell.

    A library may turn the KeyboardInterrupt into another error, such as that of a half-imported module.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _remember)


def was_interrupted() -> bool:
    """Whether Ctrl-C was pressed since `remember_interrupts`."""
    return _RECEIVED.is_set()


def _remember(signum: int, frame: FrameType | None) -> None:
    _RECEIVED.set()
    signal.default_int_handler(signum, frame)


def interrupted() -> NoReturn:
    """Report that Ctrl-C ended the command, and exit with 130."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would interrupt the exit
    print("zoo: interrupted; run the same command again to resume", file=sys.stderr)
    sys.exit(INTERRUPTED)

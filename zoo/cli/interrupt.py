"""Ends a command on Ctrl-C, SIGTERM and SIGHUP. It imports nothing large, so that they work from the start."""

from __future__ import annotations

import contextlib
import signal
import sys
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 and the number of the signal, as shells count. SIGHUP gives 129, SIGTERM 143."""

_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_received: list[int] = []


def remember_interrupts() -> None:
    """Raise KeyboardInterrupt on Ctrl-C, SIGTERM and SIGHUP, and remember that they arrived.

    A signal that is ignored stays ignored, as SIGINT in the background of a shell and SIGHUP under nohup. A library may
    turn the KeyboardInterrupt into another error, such as that of a half-imported module.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _remember)
    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _remember)


def was_interrupted() -> bool:
    """Whether one of the signals arrived since `remember_interrupts`."""
    return bool(_received)


def _remember(signum: int, frame: FrameType | None) -> None:
    _received.append(signum)
    raise KeyboardInterrupt(signum)


def interrupted() -> NoReturn:
    """Report that a signal ended the command, and exit with 128 and its number: 130 after Ctrl-C."""
    for number in (signal.SIGINT, *_ENDING):
        signal.signal(number, signal.SIG_IGN)  # a second one would interrupt the exit
    with contextlib.suppress(OSError):  # the terminal may be closed
        print("zoo: interrupted; run the same command again to resume", file=sys.stderr)
    sys.exit(128 + _received[0] if _received else INTERRUPTED)

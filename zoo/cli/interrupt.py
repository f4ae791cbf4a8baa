"""Ends a command on Ctrl-C. It imports nothing large, so that Ctrl-C works from the start."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

INTERRUPTED = 130
"""The exit code."""


def interrupted() -> NoReturn:
    """Report that Ctrl-C ended the command, and exit with 130."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would interrupt the exit
    print("zoo: interrupted; run the same command again to resume", file=sys.stderr)
    sys.exit(INTERRUPTED)

"""How a command ends on Ctrl-C. It imports nothing heavy, so that it can answer from the first moment."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

INTERRUPTED = 130
"""The exit code."""


def interrupted() -> NoReturn:
    """Report that Ctrl-C ended the command, and exit with 130."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the next one would only disturb the end
    print("zoo: interrupted; run the same command again to resume", file=sys.stderr)
    sys.exit(INTERRUPTED)

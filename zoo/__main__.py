"""`python -m zoo`, and the `zoo` command: what is loaded first, so that Ctrl-C has an answer from the start."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

INTERRUPTED = 130


def main() -> None:
    """Load and run the command line (`zoo.cli.main`)."""
    try:
        from zoo.cli import main as run

        run()
    except KeyboardInterrupt:
        interrupted()


def interrupted() -> NoReturn:
    """Say that Ctrl-C ended the command, and exit with 130."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the next one would only disturb the end
    print("zoo: interrupted; the same command goes on from what is stored", file=sys.stderr)
    sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()

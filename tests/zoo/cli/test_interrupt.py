"""Ctrl-C, SIGTERM and SIGHUP, and what libraries make of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.guests import environment

INTERRUPTED_IN_A_LIBRARY = """
import os, signal, sys
for name in ("SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_IGN if name in sys.argv[2:] else signal.SIG_DFL)
import zoo.__main__ as front, zoo.cli.app as line
signal.signal(signal.SIGINT, signal.default_int_handler)

def library(**options):
    try:
        if sys.argv[1] != "broken":
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))
        raise ValueError("half imported")
    except BaseException:
        raise RuntimeError("half imported") from None

line.app = library
front.main()
"""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("SIGINT",), 130),
        (("SIGTERM",), 143),
        (("SIGHUP",), 129),
        (("SIGHUP", "SIGHUP"), 1),  # ignored, as under nohup
        (("broken",), 1),
    ],
)
def test_an_error_that_a_library_makes_of_a_signal_is_an_interruption(
    words: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IN_A_LIBRARY, *words],
        env=environment(tmp_path / "no-packages", tmp_path / "cache"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    if code != 1:
        assert done.stderr == "zoo: interrupted; run the same command again to resume\n"
    else:
        assert done.stderr.splitlines()[-1] == "RuntimeError: half imported"

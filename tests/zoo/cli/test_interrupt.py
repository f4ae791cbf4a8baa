"""Ctrl-C, and what libraries make of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.guests import environment

INTERRUPTED_IN_A_LIBRARY = """
import os, signal, sys
import zoo.__main__ as front, zoo.cli.app as line
signal.signal(signal.SIGINT, signal.default_int_handler)

def library(**options):
    try:
        if sys.argv[1] == "interrupted":
            os.kill(os.getpid(), signal.SIGINT)
        raise ValueError("half imported")
    except BaseException:
        raise RuntimeError("half imported") from None

line.app = library
front.main()
"""


@pytest.mark.parametrize(("word", "code"), [("interrupted", 130), ("broken", 1)])
def test_an_error_that_a_library_makes_of_ctrl_c_is_an_interruption(word: str, code: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IN_A_LIBRARY, word],
        env=environment(tmp_path / "no-packages", tmp_path / "cache"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    if code == 130:
        assert done.stderr == "zoo: interrupted; run the same command again to resume\n"
    else:
        assert done.stderr.splitlines()[-1] == "RuntimeError: half imported"

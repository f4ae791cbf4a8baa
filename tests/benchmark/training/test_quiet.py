"""Keras is loaded without the messages of native code, unless they are asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(("level", "quiet"), [(None, True), ("3", True), ("0", False)])
def test_native_messages_are_silenced_unless_a_level_below_3_asks_for_them(level: str | None, quiet: bool) -> None:
    """A child process inherits the 3 that its parent set: it must be as quiet as the parent."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    if level is not None:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    done = subprocess.run(
        [sys.executable, "-c", "from benchmark.training.quiet import load_keras; load_keras(); import keras"],
        env=environment,
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stderr == "") == quiet

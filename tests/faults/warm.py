"""Commands in forks of this process, which has imported the program: a fault costs no import of TensorFlow.

All commands share one server of workers. Variables of the clock or of Python's start need a process of its own
(`Study.start_cold`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import psutil

from tests.support import forked, shared_workers
from zoo.__main__ import main

_POLL_S = 0.02


@cache
def _load() -> None:
    forked.preload()
    shared_workers.start()


class Command:
    """A command in a fork of this process, the leader of a process group."""

    def __init__(self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> None:
        """Start a command.

        Args:
            arguments: The words after `zoo`.
            cwd: The folder in which it runs.
            env: All its environment variables.
            log: The file that receives what it prints.
        """
        _load()
        sys.stdout.flush()
        sys.stderr.flush()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            log.write_bytes(b"")
            _run({"arguments": list(arguments), "cwd": str(cwd), "env": dict(env), "out": str(log), "err": str(log)})

    def poll(self) -> int | None:
        """Its exit code, negative after a signal; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, seconds: float | None = None) -> int:
        """Wait for its end.

        Args:
            seconds: How long; for ever by default.

        Returns:
            Its exit code.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while self.poll() is None:
            left = _POLL_S if until is None else min(_POLL_S, until - time.monotonic())
            if left <= 0:
                raise subprocess.TimeoutExpired("zoo", seconds or 0)
            time.sleep(left)
        assert self.returncode is not None
        return self.returncode

    def strike(self, number: signal.Signals) -> bool:
        """Send a signal to it and to the processes that it started itself, not to its workers.

        Args:
            number: The signal.

        Returns:
            Whether it was still running.
        """
        running = self.poll() is None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        return running


def kill_workers() -> None:
    """Kill the workers of all commands."""
    server: Any = forkserver._forkserver  # type: ignore[attr-defined]
    if server._forkserver_pid is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        for worker in psutil.Process(server._forkserver_pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()


def _run(request: Mapping[str, Any]) -> None:
    """Become the command; never returns."""
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent in the background may ignore it
        forked.become(request)
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)  # nothing of the process that forked it is to be cleaned up here

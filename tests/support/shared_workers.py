"""Workers of forked commands, from one server that has loaded Keras: a command of its own would load it for seconds.

The server is that of `benchmark.runs.execution.fork_server`, started before the commands are forked. A worker takes on
the variables and the output of its command before it unpickles what it is to do, as it would have inherited them. Keras
reads some variables when it is loaded, so a command with others than those of the server starts a server of its own.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping
from multiprocessing import forkserver, popen_forkserver, reduction, resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchmark.runs.execution.fork_server import warm_up

READ_LATER = ("ZOO_", "PIP_", "PYTEST_", "COLUMNS", "PATH", "PYTHONPATH")
"""How the names of variables begin that no library reads when it is loaded."""


def start() -> None:
    """Start the server unless it runs; only before a fork."""
    warm_up()


def adopt(environment: Mapping[str, str], output: Path, errors: Path) -> None:
    """Let the command in this fork use the server, if it runs and the command could not tell it from its own.

    Args:
        environment: The variables of the process that started the server.
        output: The file of the command's standard output.
        errors: The file of its standard error.
    """
    server: Any = forkserver._forkserver  # type: ignore[attr-defined]
    if server._forkserver_address is None:
        return
    tracker: Any = resource_tracker._resource_tracker  # type: ignore[attr-defined]
    tracker._pid = None  # a child of the process that was forked, not of this one
    if _read_when_loaded(environment) != _read_when_loaded(os.environ):
        server.__init__()
        return
    server.ensure_running = forkserver.ensure_running = lambda: None  # type: ignore[assignment]
    launch: Callable[[Any, object], None] = popen_forkserver.Popen._launch  # type: ignore[attr-defined]

    def launch_like_command(self: object, process: BaseProcess) -> None:
        launch(self, _Worker(process, output, errors))

    popen_forkserver.Popen._launch = launch_like_command  # type: ignore[attr-defined]


def _read_when_loaded(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(READ_LATER)}


class _Worker:
    """A process that is pickled with what a fork of the command's own server would inherit."""

    def __init__(self, process: BaseProcess, output: Path, errors: Path) -> None:
        self._name = process.name
        self._process, self._files = process, (str(output), str(errors))

    def __reduce__(self) -> tuple[Callable[..., BaseProcess], tuple[Any, ...]]:
        content = bytes(reduction.ForkingPickler.dumps(self._process))
        return _unpickle, (dict(os.environ), self._files, content)


def _unpickle(environment: dict[str, str], files: tuple[str, str], content: bytes) -> BaseProcess:
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(files, start=1):
        opened = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    process: BaseProcess = pickle.loads(content)
    return process

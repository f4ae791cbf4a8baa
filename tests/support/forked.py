"""`zoo` in forks of one process that has imported the program: a command without the seconds that its imports take.

A fork begins where `python -m zoo` is after its imports: no command has run in the process, and no network library is
loaded in it. Commands that train share one server of workers (`tests.support.shared_workers`). Tests that kill a
command, or that check how it starts, use `tests.support.tiny.start_zoo`.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PRELOADED = ("zoo.cli", "zoo.api", "benchmark.data", "benchmark.evidence", "benchmark.runs", "reports")
"""Packages whose modules are imported before the first fork. None may load a network library: its threads would be
lost in a fork."""
LEFT_OUT = (
    "benchmark.runs.deployment.service",
    "benchmark.runs.execution.job_training",
    "benchmark.runs.execution.preload",
    "benchmark.runs.execution.worker",
)
TRAINING = (["bench"], ["search"])
NETWORK_LIBRARIES = ("keras", "tensorflow", "torch", "jax")


def run_forked(arguments: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `zoo` and wait for it.

    Args:
        arguments: The words after `zoo`.
        cwd: The folder in which it runs.
        env: All its environment variables. Entries of `PYTHONPATH` are searched first.

    Returns:
        Its exit code and what it printed.
    """
    if sys.platform != "linux":
        words = [sys.executable, "-m", "zoo", *arguments]
        return subprocess.run(words, cwd=cwd, env=dict(env), capture_output=True, text=True, check=False)
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        request = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env), "out": str(out), "err": str(err)}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        try:
            answer = server.stdout.readline()
        except BaseException:  # a test that has timed out; the next one must not read this answer
            server.kill()
            _server.cache_clear()
            raise
        assert answer, "the process that forks commands has ended"
        texts = [path.read_bytes().decode("utf-8") for path in (out, err)]
    return subprocess.CompletedProcess(["zoo", *arguments], int(answer), *texts)


@cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", __name__],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)  # closes its input, upon which it ends
    return server


def preload() -> None:
    """Import the program into this process, which loads no network library and may be forked."""
    for package in PRELOADED:
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if module.name not in LEFT_OUT and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    loaded = [name for name in NETWORK_LIBRARIES if name in sys.modules]
    assert not loaded, f"{loaded}: must not be imported before a fork"
    gc.collect()
    gc.freeze()  # the forks collect none of this, and share its pages


def _next_command() -> dict[str, Any] | None:
    """Serve requests. Returns a request in the fork that is to run it, and None at the end of the input."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what other processes print is no answer
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        if request["arguments"][:1] in TRAINING and "--dry-run" not in request["arguments"]:
            shared_workers.start()
        pid = os.fork()
        if pid == 0:
            return request
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)
    return None


def become(request: Mapping[str, Any]) -> None:
    """Take on the folder, the variables, the words and the output of a command in a fork.

    Args:
        request: `arguments`, `cwd`, `env`, and the files `out` and `err` that receive what it prints.
    """
    from tests.support import shared_workers  # loads the harness, which `preload` has done in the forks

    environment = dict(os.environ)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    write = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = ((os.devnull, os.O_RDONLY), (request["out"], write), (request["err"], write))
    for number, (path, flags) in enumerate(files):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["zoo", *request["arguments"]]
    folders = [folder for folder in request["env"].get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.path[:] = [*folders, *(folder for folder in sys.path if folder not in folders)]
    importlib.invalidate_caches()  # a package that was installed since
    shared_workers.adopt(environment, Path(request["out"]), Path(request["err"]))


if __name__ == "__main__":
    from tests.support import shared_workers

    preload()
    command = _next_command()
    if command is not None:
        from zoo.__main__ import main

        become(command)
        main()

"""Functions and objects in separate processes: a failure there costs only a result, and nothing outlives its caller."""

from __future__ import annotations

import importlib
import math
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmark.runs.execution.separate_process import SeparateObject, call_in_process

CONTEXT = multiprocessing.get_context("spawn")


def test_the_result_comes_back() -> None:
    assert call_in_process(CONTEXT, math.gcd, (12, 18), 60.0) == 6


@pytest.mark.parametrize(
    ("function", "arguments", "limit_s"),
    [(math.sqrt, (-1.0,), 60.0), (os._exit, (3,), 60.0), (time.sleep, (60.0,), 0.2)],
    ids=["raises", "crashes", "hangs"],
)
def test_a_failure_is_none(function: object, arguments: tuple[object, ...], limit_s: float) -> None:
    assert call_in_process(CONTEXT, function, arguments, limit_s) is None  # type: ignore[arg-type]


@contextmanager
def separate(make: Any, *arguments: Any) -> Iterator[SeparateObject]:
    with closing(SeparateObject(CONTEXT, make, arguments)) as its:
        yield its


def test_an_object_keeps_its_state_between_calls() -> None:
    with separate(list, [1, 2]) as its:
        its.call("append", 3)
        assert its.call("copy") == [1, 2, 3]


def test_what_a_method_raises_is_raised_here_and_the_object_remains() -> None:
    with separate(list, [1]) as its:
        with pytest.raises(ValueError, match="not in list"):
            its.call("remove", 7)
        assert its.call("copy") == [1]


def test_each_call_raises_what_prevented_the_object() -> None:
    with separate(int, "seven") as its:
        for _ in range(2):
            with pytest.raises(ValueError, match="seven"):
                its.call("bit_length")


def test_a_process_that_has_ended_is_an_error_with_its_code() -> None:
    with separate(importlib.import_module, "os") as its:
        for _ in range(2):
            with pytest.raises(ChildProcessError, match="ended with code 3"):
                its.call("_exit", 3)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals that end a process")
def test_a_process_that_was_killed_is_an_error_with_its_signal() -> None:
    with separate(importlib.import_module, "os") as its:
        psutil.Process(its.call("getpid")).kill()
        with pytest.raises(ChildProcessError, match="ended by SIGKILL"):
            its.call("getpid")


def test_what_cannot_be_sent_is_an_error_and_the_object_remains() -> None:
    with separate(importlib.import_module, "threading") as its:
        with pytest.raises(RuntimeError, match=r"lock object.*cannot be sent"):
            its.call("Lock")
        with pytest.raises(AttributeError, match="no_such_method"):
            its.call("no_such_method")
        assert its.call("active_count") >= 1


def test_an_error_has_the_traceback_of_its_process() -> None:
    with separate(importlib.import_module, "statistics") as its, pytest.raises(statistics.StatisticsError) as raised:
        its.call("mean", [])
    assert "in mean" in "".join(raised.value.__notes__)


def test_what_cannot_be_received_is_an_error_with_its_traceback() -> None:
    with separate(importlib.import_module, __name__) as its:
        with pytest.raises(RuntimeError, match=r"two words.*cannot be sent") as raised:
            its.call("raise_an_error_of_two_arguments")
        assert "in raise_an_error_of_two_arguments" in "".join(raised.value.__notes__)


class OfTwoArguments(Exception):
    """An error that pickles and cannot be unpickled."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


def raise_an_error_of_two_arguments() -> None:
    raise OfTwoArguments("two", "words")


def test_an_interrupted_call_leaves_no_answer_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with separate(list, [1, 2]) as its:
        with monkeypatch.context() as patch:
            patch.setattr(its, "_pipe", Interrupted(its._pipe))
            with pytest.raises(KeyboardInterrupt):
                its.call("copy")
        with pytest.raises(ChildProcessError, match="a helper process ended"):
            its.call("index", 2)


class Interrupted:
    """A pipe at which a Ctrl-C arrives while the answer is awaited."""

    def __init__(self, pipe: Any) -> None:
        self.send, self.close = pipe.send, pipe.close

    def recv(self) -> None:
        raise KeyboardInterrupt


def test_the_process_ends_when_the_object_is_closed() -> None:
    with separate(importlib.import_module, "os") as its:
        process = its.call("getpid")
        assert psutil.pid_exists(process)
    assert not psutil.pid_exists(process)


def test_the_process_ends_with_a_caller_that_is_killed() -> None:
    code = (
        "import importlib, multiprocessing, time\n"
        "from benchmark.runs.execution.separate_process import SeparateObject\n"
        "if __name__ == '__main__':\n"
        "    spawn = multiprocessing.get_context('spawn')\n"
        "    print(SeparateObject(spawn, importlib.import_module, ('os',)).call('getpid'), flush=True)\n"
        "    time.sleep(60)"
    )
    root = Path(__file__).parents[4]
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root) as caller:
        assert caller.stdout is not None
        process = psutil.Process(int(caller.stdout.readline()))
        caller.kill()
        until = time.monotonic() + 30
        while _runs(process) and time.monotonic() < until:
            time.sleep(0.05)
    assert not _runs(process)


def _runs(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that nobody waited for has."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

"""Functions and objects in separate processes.

A function whose crash or hang costs only its result, and an object whose libraries this process does not load.
"""

from __future__ import annotations

import pickle
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from operator import methodcaller
from typing import Any, TypeVar

from benchmark.runs.execution.main_module import without_main_module

_Result = TypeVar("_Result")
_ENDING_S = 1.0
"""A process may close its pipe before its exit code is known."""


def call_in_process(context: Any, function: Callable[..., _Result], arguments: tuple[Any, ...], limit_s: float) -> Any:
    """Call a function in a process of its own.

    Args:
        context: The context of `multiprocessing` that starts processes.
        function: A function of a module; its arguments and its result can be pickled.
        arguments: Its arguments.
        limit_s: Seconds after which the process is ended.

    Returns:
        What the function returns. None if it raises, crashes, or exceeds the limit.
    """
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(function, arguments, there), daemon=True)
    with without_main_module():
        process.start()
    there.close()
    try:
        return here.recv() if here.poll(limit_s) else None
    except EOFError:  # the process crashed
        return None
    finally:
        process.kill()
        process.join()
        here.close()


class SeparateObject:
    """An object in a process of its own. Its methods are called from this process, one at a time."""

    def __init__(
        self, context: Any, make: Callable[..., Any], arguments: tuple[Any, ...], name: str = "a helper process"
    ) -> None:
        """Start the process, without waiting for the object.

        Args:
            context: The context of `multiprocessing` that starts processes.
            make: A class or function of a module that makes the object in the new process.
            arguments: Its arguments. They can be pickled, and so can those and the results of all methods.
            name: What the process is, for errors.
        """
        self._name = name
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(make, arguments, there), daemon=True)
        try:
            with without_main_module():
                self._process.start()
        except BaseException:
            self._pipe.close()
            raise
        finally:
            there.close()

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the object.

        Args:
            method: Its name.
            arguments: Its arguments. If they cannot be pickled, the process is ended.

        Returns:
            The result of the method.

        Raises:
            ChildProcessError: The process has ended.
            Exception: What the method raises, or what `make` raised; the traceback in that process is a note of it.
                RuntimeError if it, or the result, cannot be pickled.
        """
        try:
            self._pipe.send((method, arguments))
            is_error, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(_ENDING_S)
            self._process.kill()
            self._process.join()
            raise ChildProcessError(f"{self._name} ended {_end_in_words(self._process.exitcode)}") from error
        except BaseException:  # as by Ctrl-C: the next call would get the answer of this one
            self.close()
            raise
        if is_error:
            raise answer
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(make: Callable[..., Any], arguments: tuple[Any, ...], pipe: Connection) -> None:
    """Make the object, and answer calls until the other process closes the pipe or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    is_error, served = _outcome(make, *arguments)
    with suppress(EOFError, OSError):
        while True:
            method, values = pipe.recv()
            outcome = (True, served) if is_error else _outcome(methodcaller(method, *values), served)
            try:
                content = ForkingPickler.dumps(outcome)
                pickle.loads(content)
            except Exception as error:  # objects and errors of libraries may not be picklable
                problem = RuntimeError(f"{outcome[1]!r:.500}: cannot be sent: {error}")
                for note in getattr(outcome[1], "__notes__", ()):
                    problem.add_note(note)
                content = ForkingPickler.dumps((True, problem))
            pipe.send_bytes(content)


def _outcome(function: Callable[..., Any], *arguments: Any) -> tuple[bool, Any]:
    """Whether a function raises an exception, and the exception or the result."""
    try:
        return False, function(*arguments)
    except Exception as error:  # the other process handles it
        error.add_note(traceback.format_exc())
        return True, error


def _end_in_words(code: int | None) -> str:
    """How a process ended: `by SIGKILL`, `with code 3`."""
    return f"by {signal.Signals(-code).name}" if code is not None and code < 0 else f"with code {code}"


def _send(function: Callable[..., Any], arguments: tuple[Any, ...], pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        pipe.send(function(*arguments))
    except Exception:  # libraries raise errors of many kinds; the caller has a default
        pipe.send(None)

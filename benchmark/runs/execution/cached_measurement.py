"""What is measured once on a machine, in a separate process, and kept in the cache with the other choices."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import filelock
from pydantic import ValidationError

from benchmark.data.cache import read_json, write_json
from benchmark.runs.execution.separate_process import call_in_process
from benchmark.training.quiet import BACKENDS
from benchmark.training.quiet import VARIABLE as BACKEND
from zoo.config.errors import ConfigError
from zoo.config.strict import Strict

MEASURING = "measuring what this machine computes fastest"
M = TypeVar("M", bound=Strict)
T = TypeVar("T", bound=str)


def read_measurement(path: Path, kind: type[M]) -> M | None:
    """Read the measurement in `path`; None if it is missing or damaged."""
    try:
        return kind.model_validate(read_json(path))
    except ValidationError:
        return None


def read_or_measure(path: Path, kind: type[M], measure: Callable[[], M | None]) -> M | None:
    """Read the measurement in a file, or measure and write it.

    If several processes call this at once, one of them measures. If the cache cannot be written, each of them does.

    Args:
        path: The file.
        kind: The class of the measurement.
        measure: Measures; None if there is nothing to measure on this machine.

    Returns:
        The measurement, or None from `measure`.
    """
    lock = filelock.FileLock(f"{path}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError:
        return measure()
    try:
        measurement = read_measurement(path, kind)
        if measurement is None and (measurement := measure()) is not None:
            write_json(path, measurement.model_dump(mode="json"))
        return measurement
    finally:
        lock.release()


def named_method(variable: str, methods: tuple[T, ...]) -> T | None:
    """Return the method that a variable of the environment names in place of a measurement.

    Args:
        variable: The variable.
        methods: The methods that it can name.

    Returns:
        The method; None if the variable is missing or empty.

    Raises:
        ConfigError: It names something else.
    """
    text = os.environ.get(variable, "")
    for method in methods:
        if text == method:
            return method
    if text:
        raise ConfigError(f"{variable} is '{text}'; it can be {', '.join(methods)}, or left out")
    return None


def can_measure() -> bool:
    """Whether the backend of Keras has methods to choose from."""
    return os.environ.get(BACKEND) in (None, "", BACKENDS[0])


class Measurements(Generic[M]):
    """Measurements of one kind for the runs of one command, each read or made at most once."""

    def __init__(self, kind: type[M], load_or_measure: Callable[[Path, int], M | None], limit_s: float) -> None:
        """Make an empty collection.

        Args:
            kind: The class of the measurements.
            load_or_measure: Reads a file, or measures with so many threads and writes it; runs in its own process.
            limit_s: Seconds after which that process is ended.
        """
        self._kind = kind
        self._load_or_measure = load_or_measure
        self._limit_s = limit_s
        self._known: dict[Path, M | None] = {}

    def get(self, path: Path, threads: int, context: Any, on_measure: Callable[[], None]) -> M | None:
        """Return the measurement in `path`, which is made if it is missing.

        Args:
            path: The file.
            threads: Number of threads that workers use.
            context: The context of `multiprocessing` that starts processes.
            on_measure: Called before something is measured.

        Returns:
            The measurement; None if there is nothing to measure, or measuring failed.
        """
        if path not in self._known:
            measurement = read_measurement(path, self._kind)
            if measurement is None:
                on_measure()
                measurement = call_in_process(context, self._load_or_measure, (path, threads), self._limit_s)
            self._known[path] = measurement
        return self._known[path]

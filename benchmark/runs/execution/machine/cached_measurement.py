"""Measurements and trials of a machine, made once in a separate process and kept in the cache with other choices."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import filelock
from pydantic import ValidationError

from benchmark.data.cache import read_json, write_json
from benchmark.runs.execution.separate_process import call_in_process
from benchmark.runs.run import RunSpec
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


@dataclass(frozen=True)
class TrialKind(Generic[M, T]):
    """A trial of the machine that chooses between methods.

    Attributes:
        result: The class of its result.
        variable: The variable of the environment that names a method instead.
        methods: The methods that it can name.
        path: The cache file of the result, by the number of threads.
        read_or_measure: Reads a file, or measures with so many threads and writes it; runs in a process of its own.
        limit_s: Seconds after which that process is ended.
        is_open: Whether a run leaves the choice to the trial.
    """

    result: type[M]
    variable: str
    methods: tuple[T, ...]
    path: Callable[[int], Path]
    read_or_measure: Callable[[Path, int], M | None]
    limit_s: float
    is_open: Callable[[RunSpec], bool]


class MachineTrials(Generic[M, T]):
    """The trials of one kind for the runs of one command, each read or measured at most once."""

    def __init__(self, kind: TrialKind[M, T], threads: int, context: Any) -> None:
        """Make an empty collection.

        Args:
            kind: The kind of trial.
            threads: Number of threads that workers use.
            context: The context of `multiprocessing` that starts processes.
        """
        self._kind = kind
        self._threads = threads
        self._context = context
        self._known: dict[Path, M | None] = {}

    def trial_for(self, spec: RunSpec, on_measure: Callable[[], None]) -> M | T | None:
        """Find what chooses the method for a run.

        Args:
            spec: The run.
            on_measure: Called before this machine is measured, which takes a few seconds in a separate process.

        Returns:
            The method that the variable names, or the trial of this machine. None if there is no choice: the run leaves
            none, another backend or an accelerator computes, or the trial failed.

        Raises:
            ConfigError: The variable names something else than a method.
        """
        kind = self._kind
        if not kind.is_open(spec):
            return None
        if (method := self._named_method()) is not None:
            return method
        if os.environ.get(BACKEND) not in (None, "", BACKENDS[0]):  # it has no methods to choose from
            return None
        path = kind.path(self._threads)
        if path not in self._known:
            measurement = read_measurement(path, kind.result)
            if measurement is None:
                on_measure()
                measurement = call_in_process(self._context, kind.read_or_measure, (path, self._threads), kind.limit_s)
            self._known[path] = measurement
        return self._known[path]

    def _named_method(self) -> T | None:
        kind, text = self._kind, os.environ.get(self._kind.variable, "")
        for method in kind.methods:
            if text == method:
                return method
        if text:
            raise ConfigError(f"{kind.variable} is '{text}'; it can be {', '.join(kind.methods)}, or left out")
        return None

"""Which way this machine computes frozen layers fastest: tried out once in a process of its own, and kept.

What was found is kept in the user's cache folder for a processor, its threads, the versions and the settings that
choose kernels, until one of them changes: the same spec on the same machine goes the same way. Clearing the cache
leaves it, unless that is asked for.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, get_args

import filelock
from pydantic import ValidationError

from benchmark.data.cache import CHOICES, cache_dir, read_json, write_json
from benchmark.runs.environment import processor, processor_features
from benchmark.runs.run import RunSpec
from benchmark.training.frozen.methods import PrefixMethod, PrefixTrial
from benchmark.training.frozen.winograd import VERSION as FILTERING
from benchmark.training.quiet import load_keras
from zoo.config.strict_yaml import ConfigError
from zoo.models.registry import get_builder

VARIABLE = "ZOO_PREFIX"
MEASURING = "measuring how this machine computes frozen layers fastest"
_VERSION = 1  # raised when a trial would measure something else
_LIMIT_S = 180.0
_PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "numpy")
_SETTINGS = (
    "KERAS_BACKEND",
    "OPENBLAS_CORETYPE",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "TF_ENABLE_ONEDNN_OPTS",
    "NPY_DISABLE_CPU_FEATURES",
    "CUDA_VISIBLE_DEVICES",
)


class Machine:
    """This machine as the runs of one command see it: it is asked, or measured, once. Workers compute with `threads`
    threads, in processes of `context`."""

    def __init__(self, threads: int, context: Any) -> None:
        self._threads = threads
        self._context = context
        self._trials: dict[Path, PrefixTrial | None] = {}

    def trial_for(self, spec: RunSpec, on_measure: Callable[[], None]) -> PrefixTrial | PrefixMethod | None:
        """What chooses how the frozen layers of `spec` are computed: the trial of this machine, or what ZOO_PREFIX
        names.

        None where there is nothing to choose: the protocol says it, the builder has no base that could be frozen, an
        accelerator computes, or the trial failed. A machine that has no trial yet gets one, in a process of its own;
        `on_measure` hears of it. Raises ConfigError for a ZOO_PREFIX that is none of the ways.
        """
        free = spec.protocol.precision != "bfloat16" and spec.protocol.prefix == "auto"
        if not free or get_builder(spec.card.model.builder).unfreeze is None:
            return None
        if (named := _named()) is not None:
            return named
        path = trial_file(self._threads)
        if path not in self._trials:
            trial = read_trial(path)
            if trial is None:
                on_measure()
                trial = _measured(path, self._threads, self._context)
            self._trials[path] = trial
        return self._trials[path]


def trial_file(threads: int) -> Path:
    """Where the trial of this machine with `threads` threads is kept."""
    facts = {
        "version": _VERSION,
        "filtering": FILTERING,
        "processor": [processor(), *processor_features()],
        "threads": threads,
        "versions": {name: _version(name) for name in _PACKAGES},
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return cache_dir() / CHOICES / f"{digest}.json"


def read_trial(path: Path) -> PrefixTrial | None:
    """The trial kept in `path`; None where there is none, or none that can be read."""
    try:
        return PrefixTrial.model_validate(read_json(path))
    except ValidationError:
        return None


def keep_trial(path: Path, threads: int) -> PrefixTrial | None:
    """The trial in `path`, measured now if there is none; of several processes that ask at a time one measures.

    None where an accelerator or another backend than TensorFlow computes. It must be called in a process that has
    computed nothing.
    """
    lock = filelock.FileLock(f"{path}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError:  # a cache that cannot be written: every command measures for itself
        return _measure(threads)
    try:
        trial = read_trial(path)
        if trial is None and (trial := _measure(threads)) is not None:
            write_json(path, trial.model_dump(mode="json"))
        return trial
    finally:
        lock.release()


def _measure(threads: int) -> PrefixTrial | None:
    load_keras()
    import benchmark.training.backend as backend
    from benchmark.training.frozen.trial import measure

    backend.prepare_process(0, threads)
    return measure()


def _measured(path: Path, threads: int, context: Any) -> PrefixTrial | None:
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_tell_trial, args=(path, threads, there), daemon=True)
    process.start()
    there.close()
    try:
        trial: PrefixTrial | None = here.recv() if here.poll(_LIMIT_S) else None
    except EOFError:  # it crashed
        trial = None
    finally:
        process.kill()
        process.join()
        here.close()
    return trial


def _tell_trial(path: Path, threads: int, pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        pipe.send(keep_trial(path, threads))
    except Exception:  # whatever the libraries raise, Keras in float32 is left
        pipe.send(None)


def _named() -> PrefixMethod | None:
    text = os.environ.get(VARIABLE, "")
    for method in get_args(PrefixMethod):
        if text == method:
            return method  # type: ignore[no-any-return]
    if text:
        raise ConfigError(f"{VARIABLE} is '{text}'; it can be {', '.join(get_args(PrefixMethod))}, or left out")
    return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None

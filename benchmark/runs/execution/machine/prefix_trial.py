"""The trial of a machine: which method computes frozen layers fastest, measured once in a separate process.

The result is cached for a processor, its number of threads, the versions of packages, and the settings that choose
kernels, until one of them changes. So runs of one specification on one machine use one method. `clear_cache` keeps the
result; `forget_choices` removes it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from pathlib import Path

from benchmark.data.cache import CHOICES, cache_dir
from benchmark.runs.environment import processor, processor_features
from benchmark.runs.execution.machine.cached_measurement import TrialKind, read_measurement, read_or_measure
from benchmark.runs.run import RunSpec
from benchmark.training.frozen.methods import METHODS, PrefixTrial
from benchmark.training.frozen.winograd import VERSION as FILTERING
from benchmark.training.quiet import load_keras
from zoo.models.registry import get_builder

VARIABLE = "ZOO_PREFIX"
_VERSION = 1  # raised when a trial measures something different
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


def trial_file(threads: int, kind: str = "") -> Path:
    """The cache file for a trial of this machine.

    Args:
        threads: Number of threads.
        kind: What is measured, as the beginning of the file name; empty for the method of frozen layers.

    Returns:
        The path, which depends on everything that can change the result.
    """
    facts = {
        "version": _VERSION,
        "filtering": FILTERING,
        "processor": [processor(), *processor_features()],
        "threads": threads,
        "versions": {name: _version(name) for name in _PACKAGES},
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return cache_dir() / CHOICES / f"{kind}{digest}.json"


def read_trial(path: Path) -> PrefixTrial | None:
    """Read the trial in `path`; None if it is missing or damaged."""
    return read_measurement(path, PrefixTrial)


def load_or_measure(path: Path, threads: int) -> PrefixTrial | None:
    """Read the trial in a file, or measure and write it.

    If several processes call this at once, one of them measures. The calling process must not have computed anything.

    Args:
        path: The file.
        threads: Number of threads.

    Returns:
        The trial; None on an accelerator or a backend other than TensorFlow.
    """
    return read_or_measure(path, PrefixTrial, lambda: _measure(threads))


def _measure(threads: int) -> PrefixTrial | None:
    load_keras()
    import benchmark.training.backend as backend
    from benchmark.training.frozen.trial import measure

    backend.prepare_process(0, threads)
    return measure()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _is_open(spec: RunSpec) -> bool:
    """Whether a run has a base to freeze, and its protocol leaves open how frozen layers are computed."""
    is_left_open = spec.protocol.precision != "bfloat16" and spec.protocol.prefix == "auto"
    return is_left_open and get_builder(spec.card.model.builder).unfreeze is not None


PREFIX_TRIAL = TrialKind(PrefixTrial, VARIABLE, METHODS, trial_file, load_or_measure, _LIMIT_S, _is_open)
"""The trial that chooses the method for frozen layers."""

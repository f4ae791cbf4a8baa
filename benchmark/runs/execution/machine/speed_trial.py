"""The speed of this machine, measured once in a separate process and cached like the trial of frozen layers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from benchmark.runs.execution.fork_server import warm_up, worker_context
from benchmark.runs.execution.machine.cached_measurement import read_measurement, read_or_measure
from benchmark.runs.execution.machine.prefix_trial import load_or_measure, trial_file
from benchmark.runs.execution.separate_process import call_in_process
from benchmark.training.machine_speed import MachineSpeed
from benchmark.training.quiet import load_keras
from zoo.config.cgroups import usable_cores
from zoo.config.errors import ConfigError

VARIABLE = "ZOO_SPEED"
_KIND = "speed-"
_LIMIT_S = 240.0
_ASSUMED = MachineSpeed(frozen=80.0, training=1.0)  # two slow cores, where a measurement fails


def machine_speed(on_measure: Callable[[], None] = lambda: None) -> MachineSpeed:
    """The speed of this machine.

    Args:
        on_measure: Called before the machine is measured, which takes less than a minute.

    Returns:
        The speed that ZOO_SPEED states, as two numbers such as `100,1.5`, else the cached one, else what is measured.
        If the measurement fails, the speed of two slow cores.

    Raises:
        ConfigError: ZOO_SPEED is not two positive numbers.
    """
    if (stated := _stated()) is not None:
        return stated
    threads = usable_cores()
    path = trial_file(threads, _KIND)
    if (speed := read_speed(path)) is not None:
        return speed
    on_measure()
    return _measure_in_process(path, threads) or _ASSUMED


def known_speed() -> MachineSpeed | None:
    """The speed that `machine_speed` returns without measuring, else None. Raises ConfigError as it does."""
    return _stated() or read_speed(trial_file(usable_cores(), _KIND))


def read_speed(path: Path) -> MachineSpeed | None:
    """Read the speed in `path`; None if it is missing or damaged."""
    return read_measurement(path, MachineSpeed)


def _stated() -> MachineSpeed | None:
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    try:
        frozen, training = (float(part) for part in text.split(","))
        return MachineSpeed(frozen=frozen, training=training)
    except ValueError as error:
        raise ConfigError(
            f"{VARIABLE} is '{text}'; give GMAC/s in frozen layers and megapixels/s in training, such as 100,1.5"
        ) from error


def _measure_in_process(path: Path, threads: int) -> MachineSpeed | None:
    warm_up()
    context = worker_context()
    speed: MachineSpeed | None = call_in_process(context, _load_or_measure_speed, (path, threads), _LIMIT_S)
    return speed


def _load_or_measure_speed(path: Path, threads: int) -> MachineSpeed:
    load_keras()
    import benchmark.training.backend as backend
    from benchmark.training.frozen.speed import measure_speed

    trial = load_or_measure(trial_file(threads), threads)
    if trial is None:
        backend.prepare_process(0, threads)
    speed = read_or_measure(path, MachineSpeed, lambda: measure_speed(trial))
    assert speed is not None
    return speed

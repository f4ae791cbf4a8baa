"""The trial of a machine for training: whether filtered convolutions are faster, measured once in a separate process.

The result is cached and forgotten as that of frozen layers is.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from benchmark.runs.execution.machine.cached_measurement import TrialKind, read_or_measure
from benchmark.runs.execution.machine.prefix_trial import trial_file
from benchmark.runs.run import RunSpec
from benchmark.training.convolutions.methods import ConvolutionMethod, ConvolutionTrial
from benchmark.training.quiet import load_keras
from zoo.models.recipe import Recipe
from zoo.models.registry import get_builder

VARIABLE = "ZOO_CONVOLUTIONS"
_KIND = "convolutions-"
_VERSION = 1  # raised when filtered convolutions would give other bits
_LIMIT_S = 120.0
_METHODS: tuple[ConvolutionMethod, ...] = get_args(ConvolutionMethod)


def load_or_measure(path: Path, threads: int) -> ConvolutionTrial | None:
    """Read the trial in a file, or measure and write it (`read_or_measure`).

    Args:
        path: The file.
        threads: Number of threads.

    Returns:
        The trial; None on an accelerator or a backend other than TensorFlow.
    """
    return read_or_measure(path, ConvolutionTrial, lambda: _measure(threads))


def _measure(threads: int) -> ConvolutionTrial | None:
    load_keras()
    import benchmark.training.backend as backend
    from benchmark.training.convolutions.trial import measure

    backend.prepare_process(0, threads)
    return measure()


def _file(threads: int) -> Path:
    return trial_file(threads, f"{_KIND}{_VERSION}-")


def _is_open(spec: RunSpec) -> bool:
    """Whether a run unfreezes layers of a base, and its protocol leaves open how their convolutions are computed."""
    protocol, builder = spec.protocol, get_builder(spec.card.model.builder)
    is_left_open = protocol.training_convolutions == "auto" and protocol.training_precision == "float32"
    tunes = isinstance(spec.card.recipe, Recipe) and spec.card.recipe.finetune is not None
    unfreezes = tunes and builder.unfreeze is not None and builder.unfrozen(spec.card.model.params) != 0
    return is_left_open and unfreezes


CONVOLUTION_TRIAL = TrialKind(ConvolutionTrial, VARIABLE, _METHODS, _file, load_or_measure, _LIMIT_S, _is_open)
"""The trial that chooses the method for wide convolutions in training."""

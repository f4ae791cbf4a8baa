"""The trial of a machine for training: whether filtered convolutions are faster, measured once in a separate process.

The result is cached and forgotten as that of frozen layers is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from benchmark.runs.execution.cached_measurement import Measurements, can_measure, named_method, read_or_measure
from benchmark.runs.execution.prefix_trial import trial_file
from benchmark.runs.run import RunSpec
from benchmark.training.convolutions.methods import ConvolutionMethod, ConvolutionTrial
from benchmark.training.quiet import load_keras
from zoo.models.card import ModelCard
from zoo.models.recipe import Recipe
from zoo.models.registry import get_builder

VARIABLE = "ZOO_CONVOLUTIONS"
_KIND = "convolutions-"
_VERSION = 1  # raised when filtered convolutions would give other bits
_LIMIT_S = 120.0
_METHODS: tuple[ConvolutionMethod, ...] = get_args(ConvolutionMethod)


class ConvolutionTrials:
    """The trials of this machine for the runs of one command, each read or measured at most once."""

    def __init__(self, threads: int, context: Any) -> None:
        """Make an empty collection.

        Args:
            threads: Number of threads that workers use.
            context: The context of `multiprocessing` that starts processes.
        """
        self._threads = threads
        self._context = context
        self._trials = Measurements(ConvolutionTrial, load_or_measure, _LIMIT_S)

    def trial_for(self, spec: RunSpec, on_measure: Callable[[], None]) -> ConvolutionTrial | ConvolutionMethod | None:
        """Find what chooses the method for wide convolutions in the training of a run.

        Args:
            spec: The run.
            on_measure: Called before this machine is measured, which takes a few seconds in a separate process.

        Returns:
            The method that ZOO_CONVOLUTIONS names, or the trial of this machine. None if there is no choice: the
            protocol names a method or another precision, the card unfreezes no layers, another backend or an
            accelerator computes, or the trial failed.

        Raises:
            ConfigError: ZOO_CONVOLUTIONS is not a method.
        """
        protocol = spec.protocol
        free = protocol.training_convolutions == "auto" and protocol.training_precision == "float32"
        if not (free and _unfreezes(spec.card)):
            return None
        if (method := named_method(VARIABLE, _METHODS)) is not None:
            return method
        if not can_measure():
            return None
        path = trial_file(self._threads, f"{_KIND}{_VERSION}-")
        return self._trials.get(path, self._threads, self._context, on_measure)


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


def _unfreezes(card: ModelCard) -> bool:
    """Whether a card fine-tunes layers of a base."""
    builder = get_builder(card.model.builder)
    tunes = isinstance(card.recipe, Recipe) and card.recipe.finetune is not None
    return tunes and builder.unfreeze is not None and builder.unfrozen(card.model.params) != 0

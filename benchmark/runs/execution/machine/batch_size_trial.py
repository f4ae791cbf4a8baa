"""The batch size that would fit into a limit of memory, measured in separate processes after a run exceeded it.

Half the batch size of the card is tried first, then half of that, until two batches of each phase can be trained and a
batch of validation can be scored. What is measured is the peak of the process, so that images, weights, optimiser and
activations all count. What follows, such as the diagnosis, is not tried.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.runs.execution.limits import peak_memory
from benchmark.runs.execution.main_module import Registration, registration_of
from benchmark.runs.execution.separate_process import call_in_process
from benchmark.runs.run import Job
from benchmark.training.quiet import load_keras
from zoo.models.card import ModelCard
from zoo.models.recipe import Recipe

_GIB = 1024**3
SMALLER_IMAGES = "use a protocol with a smaller image_size"
"""The advice where no batch size would help."""

_EACH_S = 180.0
_ALL_S = 600.0
_BATCHES = 2
_POLL_S = 0.02


@dataclass(frozen=True)
class FittingBatchSize:
    """What the trials gave.

    Attributes:
        tried: The batch sizes, the largest first.
        fits: The one that fits, the last that was tried; None if even 1 does not.
        peak: The peak of its process in bytes.
    """

    tried: tuple[int, ...]
    fits: int | None = None
    peak: float = 0.0

    def advice(self, batch_size: int) -> str:
        """Say what would fit, where `batch_size` does not."""
        if self.fits is None:
            return f"not even batch_size {self.tried[-1]} fits; {SMALLER_IMAGES}"
        return (
            f"batch_size {self.fits} would fit (about {self.peak / _GIB:.1f} GiB in a trial of {_BATCHES} batches); "
            f"the card has {batch_size}"
        )


def batch_size_of(card: ModelCard) -> int | None:
    """The batch size of a card; None for a probe, which has none."""
    return card.recipe.batch_size if isinstance(card.recipe, Recipe) else None


def fitting_batch_size(job: Job, threads: int, context: Any, limit: float) -> FittingBatchSize | None:
    """Find a batch size with which the run of a job stays below a limit of memory.

    Args:
        job: The run.
        threads: Number of threads that compute.
        context: The context of `multiprocessing` that starts processes.
        limit: The limit in bytes for the process that computes.

    Returns:
        The result. None for a card without batches or with batches of one image, and if the trials take ten minutes.
    """
    size = batch_size_of(job.spec.card)
    registration = registration_of(job.spec.card.model.builder)
    until = time.monotonic() + _ALL_S
    tried: list[int] = []
    while size is not None and size > 1:
        size //= 2
        tried.append(size)
        arguments = (registration, job, size, threads, limit)
        remaining = min(_EACH_S, until - time.monotonic())
        if remaining <= 0:
            return None
        peak = call_in_process(context, _peak, arguments, remaining)
        if peak is not None and peak <= limit:
            return FittingBatchSize(tuple(tried), size, peak)
    return FittingBatchSize(tuple(tried)) if tried else None


def first_of_each_class(images: LabelledImages, count: int) -> set[str]:
    """Choose images from the classes in turn.

    Args:
        images: The images of a split.
        count: How many to choose.

    Returns:
        Their names; all names if there are fewer images.
    """
    ranks = np.empty(len(images), np.int64)
    for label in np.unique(images.labels):
        of_class = np.flatnonzero(images.labels == label)
        ranks[of_class] = np.arange(len(of_class))
    return {images.names[index] for index in np.lexsort((images.labels, ranks))[:count]}


def _peak(registration: Registration, job: Job, size: int, threads: int, limit: float) -> float:
    """The peak memory in bytes of a process that trains and scores a few batches. It ends itself above the limit."""
    threading.Thread(target=_end_above, args=(limit,), daemon=True).start()
    registration.ensure()
    load_keras()
    import benchmark.training.backend as backend
    from benchmark.data.decoding.prepared import load, with_names
    from benchmark.runs.execution.job_training import fit_job, methods_of, of_subset
    from benchmark.training.network import BATCH

    spec = job.spec
    backend.prepare_process(spec.seed, threads)
    card = _short(spec.card, size)
    train, val = of_subset(load(job.folder, "train"), spec), load(job.folder, "val")
    train = with_names(train, first_of_each_class(train, _BATCHES * size))
    val = with_names(val, first_of_each_class(val, BATCH))
    fit_job(job, card, train, val, methods_of(job))
    return float(peak_memory())


def _short(card: ModelCard, size: int) -> ModelCard:
    """The card with another batch size and one epoch per phase."""
    recipe = card.recipe
    assert isinstance(recipe, Recipe)
    tune = None if recipe.finetune is None else recipe.finetune.model_copy(update={"epochs": 1})
    changes = {"batch_size": size, "epochs": 1, "finetune": tune}
    return card.model_copy(update={"recipe": recipe.model_copy(update=changes)})


def _end_above(limit: float) -> None:
    process = psutil.Process()
    while process.memory_info().rss <= limit:
        time.sleep(_POLL_S)
    os._exit(1)

"""The memory to declare for a run: what runs of its kind have needed, with a margin.

A kind is a model with the settings that decide its memory: batch size, optimiser, image size, precision, views and the
images. Runs of one kind differ in their seed, fold, learning rate or number of epochs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

from benchmark.runs.run import Run, RunSpec

MARGIN = 1.25
"""The factor on the highest peak of a kind. Peaks of one run differ between processors and versions of libraries."""

BESIDE_MIB = 1024
"""Memory in MiB beside that of the process that computes: the task that starts it, and the process that it is forked
from."""

AFTER_EXCESS = 1.5
"""The factor on a limit that ended a run of the kind."""

_STEP_MIB = 512
_WITHOUT_MEMORY = ("epochs", "early_stopping", "loss", "label_smoothing", "class_weights")


def memory_kind(spec: RunSpec) -> str:
    """A text that is equal for runs that need about the same memory."""
    card, protocol = spec.card.identity(), spec.protocol.identity()
    recipe = {key: value for key, value in card["recipe"].items() if key not in _WITHOUT_MEMORY}
    if isinstance(recipe.get("optimizer"), dict):
        recipe["optimizer"] = recipe["optimizer"]["name"]
    if recipe.get("finetune") is not None:
        recipe["finetune"] = True
    methods = ("precision", "training_precision", "training_convolutions")
    conditions = {key: protocol.get(key) for key in (*methods, "image_size", "views", "sampling", "test_folds")}
    return json.dumps([card["model"], recipe, conditions, spec.dataset.fingerprint], sort_keys=True)


def memory_by_kind(runs: Iterable[Run]) -> dict[str, int]:
    """The memory to declare for a run of each kind that is known.

    Args:
        runs: Stored runs. Finished ones have a peak; those that were ended because of memory have their limit.

    Returns:
        MiB by kind, a multiple of 512: the highest peak times `MARGIN` plus `BESIDE_MIB`, and at least `AFTER_EXCESS`
        times the highest limit that ended a run. Kinds without such runs are left out.
    """
    needed: dict[str, float] = {}
    for run in runs:
        if run.costs is not None:
            need = run.costs.peak_memory_mib * MARGIN + BESIDE_MIB
        elif run.memory_limit_mib is not None:
            need = run.memory_limit_mib * AFTER_EXCESS
        else:
            continue
        kind = memory_kind(run.spec)
        needed[kind] = max(needed.get(kind, 0.0), need)
    return {kind: _rounded_up(need) for kind, need in needed.items()}


def memory_after_excess(limit_mib: float) -> int:
    """The memory in MiB that is declared after `limit_mib` was too little."""
    return _rounded_up(limit_mib * AFTER_EXCESS)


def in_gib(mib: float) -> str:
    """Express MiB in GiB with one decimal."""
    return f"{mib / 1024:.1f} GiB"


def _rounded_up(mib: float) -> int:
    return math.ceil(mib / _STEP_MIB) * _STEP_MIB

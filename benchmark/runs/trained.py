"""Trained weights that a later run of the same training may take up: a search's best trial, which is benched after it.

They lie beside the runs of a store until the search has ended. Without them, or when they do not fit, a run trains
anew and comes to the same figures.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.runs.run import RunSpec

_FOLDER = ".trained"


@dataclass(frozen=True)
class Trained:
    """The outcome of a training: the `weights` of the part that trained, in Keras' order, one row of `history` an
    epoch, the `seconds` it took and the `peak_memory_mib` of its process. `made_by` are the versions, precision and
    threads that decide a result beside the spec."""

    weights: tuple[npt.NDArray[np.float32], ...]
    history: tuple[dict[str, Any], ...]
    seconds: float
    peak_memory_mib: float
    made_by: dict[str, Any]


def training_id(spec: RunSpec) -> str:
    """Equal for runs that train the same: their name, stage and threshold rule do not matter, nor does a cap on epochs
    that the card itself keeps to."""
    card = spec.protocol.budgeted(spec.card)
    facts = {
        "card": card.model_dump(mode="json", include={"model", "recipe"}),
        "protocol": {k: v for k, v in spec.protocol.identity().items() if k not in ("threshold", "max_epochs")},
        "dataset": spec.dataset.fingerprint,
        "seed": spec.seed,
        "fold": spec.fold,
        "semantics": spec.semantics,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def put_aside(store: Path, spec: RunSpec, trained: Trained) -> None:
    """Write `trained` for runs that train as `spec` does. A disk that is full leaves nothing: it only saves time."""
    path = _file(store, training_id(spec))
    facts = {name: getattr(trained, name) for name in ("history", "seconds", "peak_memory_mib", "made_by")}
    arrays = {f"weight_{i}": weight for i, weight in enumerate(trained.weights)}
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=".part-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, facts=np.array(json.dumps(facts)), **arrays)
        os.replace(part, path)
    except OSError:
        if part is not None:
            Path(part).unlink(missing_ok=True)


def take_up(store: Path, spec: RunSpec, made_by: dict[str, Any]) -> Trained | None:
    """What was put aside for a training like that of `spec` and made as `made_by` says; None where there is none."""
    path = _file(store, training_id(spec))
    try:
        if not path.is_file():  # a pipe would wait for ever
            return None
        with np.load(path, allow_pickle=False) as arrays:
            facts = json.loads(str(arrays["facts"]))
            weights = tuple(arrays[f"weight_{i}"] for i in range(len(arrays.files) - 1))
        found = Trained(weights, **(facts | {"history": tuple(facts["history"])}))
    except Exception:  # a damaged archive raises many kinds, and training anew is always possible
        return None
    return found if found.made_by == made_by else None


def clear(store: Path, keep: Collection[RunSpec] = ()) -> None:
    """Remove what was put aside, but for trainings like those of `keep`."""
    kept = {_file(store, training_id(spec)).name for spec in keep}
    for path in (store / _FOLDER).glob("*"):
        if path.name not in kept:
            path.unlink(missing_ok=True)
    if not kept:
        shutil.rmtree(store / _FOLDER, ignore_errors=True)


def _file(store: Path, identity: str) -> Path:
    return store / _FOLDER / f"{identity}.npz"

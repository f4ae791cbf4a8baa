"""What can be removed from a store without losing a result."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.runs.run import Run
from benchmark.runs.storage.beside.chain import read_chain
from benchmark.runs.storage.moves import REPLACED
from benchmark.runs.storage.store import MODEL, Store
from zoo.config.leftovers import PREFIX, is_stale

Kind = Literal["failed run", "leftover", "model"]
"""A failed run with a later finished one, what a killed process left, or a stored model."""

OF_MODEL = (MODEL, "reference.npz", "images.json")
"""The files of a stored model."""


@dataclass(frozen=True)
class Removable:
    """Something that can be removed.

    Attributes:
        kind: What it is.
        path: Its folder or file.
        bytes: Its size.
        about: Whose it is, or why it can go.
    """

    kind: Kind
    path: Path
    bytes: int
    about: str


def removable(store: Store, runs: Sequence[Run]) -> list[Removable]:
    """List what can be removed.

    A failed run can go if a later run of the same card, data, protocol and seed finished, as after an edit of the card,
    and the registrations of the store do not contain the digest of its record.

    Args:
        store: The store.
        runs: Its readable runs.

    Returns:
        Failed runs, leftovers of processes that were killed more than a day ago, and stored models.

    Raises:
        Unreadable: The registrations cannot be read.
    """
    return [*_failed(store, runs), *_leftovers(store), *_models(store, runs)]


def remove(store: Store, entries: Sequence[Removable]) -> None:
    """Remove entries of `removable`.

    Args:
        store: The store.
        entries: What is removed.

    Raises:
        OSError: Something cannot be removed.
    """
    for entry in entries:
        if entry.kind == "model":
            entry.path.unlink(missing_ok=True)
        elif entry.kind == "failed run":
            store.remove(entry.path.name)
    if any(entry.kind == "leftover" for entry in entries):
        store.sweep()


def _failed(store: Store, runs: Sequence[Run]) -> Iterator[Removable]:
    recorded = {run_id for _, entry in read_chain(store).outcomes for run_id in entry.records}
    latest: dict[tuple[object, ...], Run] = {}
    for run in runs:
        if run.status == "ok":
            key = _key(run)
            latest[key] = max(run, latest.get(key, run), key=lambda each: each.finished)
    for run in runs:
        successor = latest.get(_key(run))
        if run.status == "ok" or run.run_id in recorded or successor is None or successor.finished < run.finished:
            continue
        about = f"{run.spec.card.name}, seed {run.spec.seed_text}: run {successor.run_id} finished later"
        yield Removable("failed run", store.folder(run.run_id), _size(store.folder(run.run_id)), about)


def _key(run: Run) -> tuple[object, ...]:
    spec = run.spec
    subset = None if spec.subset is None else (spec.subset.images, spec.subset.draw)
    return spec.stage, spec.conditions, spec.card.name, spec.seed, spec.fold, subset


def _leftovers(store: Store) -> Iterator[Removable]:
    for path in sorted(store.root.glob(".*")):
        if path.name.startswith(PREFIX) and is_stale(path):
            yield Removable("leftover", path, _size(path), "of a killed process")
        elif path.name.startswith(REPLACED) and (store.root / path.name.removeprefix(REPLACED)).is_dir():
            yield Removable("leftover", path, _size(path), "a run that was replaced")


def _models(store: Store, runs: Sequence[Run]) -> Iterator[Removable]:
    averaged: dict[str, list[str]] = {}  # the ensembles that need a model, by its run
    for run in runs:
        for member in run.members:
            if member.weight:
                averaged.setdefault(member.run_id, []).append(run.spec.card.name)
    for run in runs:
        for name in OF_MODEL:
            path = store.folder(run.run_id) / name
            if path.is_file() and not path.is_symlink():
                about = f"{run.spec.card.name}, seed {run.spec.seed_text}"
                if run.run_id in averaged:
                    about += f"; averaged by {', '.join(dict.fromkeys(averaged[run.run_id]))}"
                yield Removable("model", path, path.stat().st_size, about)


def _size(path: Path) -> int:
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(os.lstat(Path(folder, name)).st_size for folder, _, names in os.walk(path) for name in names)

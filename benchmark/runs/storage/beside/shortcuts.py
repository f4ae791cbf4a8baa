"""The shortcuts of each split in a store: one small file per data set, split and image size, beside the runs.

Runs on one split share the file, whatever their cards and seeds. It is made when a run on the split is first computed.
Without it, a report has no section on shortcuts.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from benchmark.runs.run import Run
from benchmark.runs.shortcuts import VERSION, SplitShortcuts
from benchmark.runs.storage.files import read_bytes
from benchmark.runs.storage.store import Store
from zoo.config.atomic import write_text
from zoo.config.errors import ConfigError

_FOLDER = ".shortcuts"
_MOST_BYTES = 256 * 2**20


def shortcuts_of_run(store: Store, run: Run) -> SplitShortcuts | None:
    """The shortcuts of the split of a run.

    Args:
        store: The store.
        run: A run, or one fold.

    Returns:
        What the store recorded; None if it has no such file, or it is damaged or of a newer version.
    """
    return read_shortcuts(store, run.spec.dataset.fingerprint, run.split.fingerprint, run.spec.protocol.image_size)


def read_shortcuts(store: Store, dataset: str, split: str, size: int) -> SplitShortcuts | None:
    """The recorded shortcuts of a split; None as in `shortcuts_of_run`.

    Args:
        store: The store.
        dataset: Fingerprint of the data set.
        split: Fingerprint of the split.
        size: Side of the images in pixels.

    Returns:
        The shortcuts.
    """
    try:
        recorded = SplitShortcuts.model_validate_json(read_bytes(_path(store, dataset, split, size), _MOST_BYTES))
    except (OSError, ConfigError, ValidationError):
        return None
    return recorded if recorded.version <= VERSION else None


def write_shortcuts(store: Store, dataset: str, split: str, size: int, shortcuts: SplitShortcuts) -> None:
    """Record the shortcuts of a split. Raises OSError.

    Args:
        store: The store.
        dataset: Fingerprint of the data set.
        split: Fingerprint of the split.
        size: Side of the images in pixels.
        shortcuts: What is recorded.
    """
    path = _path(store, dataset, split, size)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, shortcuts.model_dump_json())
    store.send(path.relative_to(store.root).as_posix())


def _path(store: Store, dataset: str, split: str, size: int) -> Path:
    key = hashlib.sha256(f"{dataset}:{split}:{size}".encode()).hexdigest()[:24]
    return store.root / _FOLDER / f"{key}.json"

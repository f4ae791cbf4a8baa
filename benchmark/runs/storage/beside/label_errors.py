"""The suspected label errors in a store: one small file per data set and protocol, beside the runs.

`zoo labels` writes it. Without it, a report has no section on labels.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from benchmark.runs.label_errors import SuspectedLabel
from benchmark.runs.storage.files import read_bytes
from benchmark.runs.storage.store import Store
from zoo.config.atomic import write_text
from zoo.config.errors import ConfigError
from zoo.config.strict import Strict

VERSION = 1
"""Raised when the structure of the file changes."""

_FOLDER = ".labels"
_MOST_BYTES = 64 * 2**20


class RecordedLabels(Strict):
    """The labels that were judged on a data set under a protocol.

    Attributes:
        version: Version of the structure.
        checked: Number of images of train and validation.
        agreement: The share of their labels with which the classifier agrees, in [0, 1].
        suspects: The images whose labels are probably wrong, the most suspect first.
        is_tested: Whether the protocol tests every image in folds, so that each suspect is a test image, too.
    """

    version: int = VERSION
    checked: Annotated[int, Field(ge=0)]
    agreement: Annotated[float, Field(ge=0, le=1)]
    suspects: tuple[SuspectedLabel, ...] = ()
    is_tested: bool = False


def read_labels(store: Store, conditions: str) -> RecordedLabels | None:
    """The recorded suspects of a data set and a protocol.

    Args:
        store: The store.
        conditions: The data set and the protocol, as `RunSpec.conditions`.

    Returns:
        What the latest `zoo labels` recorded; None without such a file, or if it is damaged or of a newer version.
    """
    try:
        recorded = RecordedLabels.model_validate_json(read_bytes(_path(store, conditions), _MOST_BYTES))
    except (OSError, ConfigError, ValidationError):
        return None
    return recorded if recorded.version <= VERSION else None


def write_labels(store: Store, conditions: str, labels: RecordedLabels) -> None:
    """Record the suspects of a data set and a protocol. Raises OSError.

    Args:
        store: The store.
        conditions: The data set and the protocol, as `RunSpec.conditions`.
        labels: What is recorded.
    """
    path = _path(store, conditions)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, labels.model_dump_json(indent=1))
    store.send(path.relative_to(store.root).as_posix())


def _path(store: Store, conditions: str) -> Path:
    return store.root / _FOLDER / f"{hashlib.sha256(conditions.encode()).hexdigest()[:24]}.json"

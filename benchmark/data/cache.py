"""The user's cache folder: results that can be computed again."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.config.atomic import atomic_file
from zoo.config.cache_dir import cache_dir

__all__ = ["KINDS", "CacheUse", "cache_dir", "clear_cache", "declared_gib", "describe_cache", "read_json", "write_json"]

from zoo.config.errors import ConfigError
from zoo.config.leftovers import sweep

CHOICES = "choices"
KINDS = {
    CHOICES: "how this machine computes and trains convolutions fastest, and how fast it is",
    "features": "outputs of frozen layers",
    "figures": "figures of reports, as SVG",
    "plugins": "plug-ins that were tried out",
    "prepared": "decoded images of a split",
    "results": "curves, calibrators and reliability of reports",
    "scans": "digests and readability of the files of a folder",
}
_DEFAULT_GIB = 16.0
_CLEARED = ".cleared-"


@dataclass(frozen=True)
class CacheUse:
    """The space that one kind of cached result takes.

    Attributes:
        kind: One of `KINDS`, the name of a folder in the cache.
        what: What it is, in words.
        files: Number of files.
        bytes: Total size of the files.
    """

    kind: str
    what: str
    files: int
    bytes: int


def declared_gib() -> float:
    """Read from ZOO_CACHE_GIB how much space features may take.

    Returns:
        GiB; 16 by default, 0 to store none, infinity for no limit.

    Raises:
        ConfigError: The value is not a number from 0.
    """
    text = os.environ.get("ZOO_CACHE_GIB", "")
    try:
        limit = float(text) if text else _DEFAULT_GIB
    except ValueError:
        limit = math.nan
    if not limit >= 0:  # also true for NaN
        raise ConfigError(f"ZOO_CACHE_GIB is '{text}'; give a number of GiB from 0, such as 16, or inf for no limit")
    return limit


def describe_cache() -> list[CacheUse]:
    """Measure the space that each kind of cached result takes."""
    uses = []
    for kind, what in KINDS.items():
        sizes = [size for _, size in _files(kind)]
        uses.append(CacheUse(kind, what, len(sizes), sum(sizes)))
    return uses


def clear_cache() -> int:
    """Remove everything that can be computed again to the same bits.

    Choices stay (see `forget_choices`): a new measurement could make another choice, and the same spec would then give
    other bits.

    Returns:
        The number of bytes removed.

    Raises:
        OSError: A file cannot be removed.
    """
    return _remove(kind for kind in KINDS if kind != CHOICES)


def forget_choices() -> int:
    """Remove what was measured of this machine, so that the next run measures it again.

    Returns:
        The number of bytes removed.

    Raises:
        OSError: A file cannot be removed.
    """
    return _remove([CHOICES])


def _remove(kinds: Iterable[str]) -> int:
    removed = 0
    for kind in kinds:
        removed += sum(size for _, size in _files(kind))
        if (cache_dir() / kind).exists():
            # Renamed first: other commands see all of it or nothing, and may fill it again at once.
            os.replace(cache_dir() / kind, Path(tempfile.mkdtemp(prefix=_CLEARED, dir=cache_dir())) / kind)
    for path in cache_dir().glob(f"{_CLEARED}*"):
        shutil.rmtree(path)
    return removed


def _files(kind: str) -> Iterator[tuple[Path, int]]:
    for path in (cache_dir() / kind).rglob("*"):
        try:
            if path.is_file():
                yield path, path.stat().st_size
        except OSError:  # removed by another process meanwhile
            continue


def read_json(path: Path) -> dict[str, Any]:
    """Read the JSON object in `path`; empty if the file is missing or cannot be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write `data` to `path` atomically; do nothing if the cache cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        with atomic_file(path, sync=False) as part:
            part.write_text(json.dumps(data), encoding="utf-8")
    except OSError:
        return

"""The user's cache folder: things that can be computed again."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from zoo.config.atomic import atomic_file
from zoo.config.cache_dir import cache_dir

__all__ = ["KINDS", "cache_dir", "clear_cache", "declared_gib", "describe_cache", "read_json", "write_json"]

from zoo.config.leftovers import sweep
from zoo.config.strict_yaml import ConfigError

CHOICES = "choices"
KINDS = {
    CHOICES: "which way this machine computes frozen layers fastest",
    "features": "outputs of frozen layers",
    "plugins": "plug-ins that were tried out",
    "prepared": "decoded images of a split",
    "scans": "digests and readability of the files of a folder",
}
_DEFAULT_GIB = 16.0
_CLEARED = ".cleared-"


def declared_gib() -> float:
    """The most that features may take, in GiB: ZOO_CACHE_GIB, 16 by default, 0 to keep none, `inf` for no limit.

    Raises ConfigError when it is not a number from 0.
    """
    text = os.environ.get("ZOO_CACHE_GIB", "")
    try:
        limit = float(text) if text else _DEFAULT_GIB
    except ValueError:
        limit = math.nan
    if not limit >= 0:  # which holds of no number, too
        raise ConfigError(f"ZOO_CACHE_GIB is '{text}'; give a number of GiB from 0, such as 16, or inf for no limit")
    return limit


def describe_cache() -> list[dict[str, Any]]:
    """For each kind of thing kept: its name, what it is, how many files and bytes."""
    found = []
    for kind, what in KINDS.items():
        sizes = [size for _, size in _files(kind)]
        found.append({"kind": kind, "what": what, "files": len(sizes), "bytes": sum(sizes)})
    return found


def clear_cache() -> int:
    """Remove everything that can be computed again to the same bits; the number of bytes removed. Raises OSError.

    Choices stay (`forget_choices`): measured anew, another could be made, and the same spec would give other bits.
    """
    return _remove(kind for kind in KINDS if kind != CHOICES)


def forget_choices() -> int:
    """Remove what was measured of this machine, so that it is measured again; the number of bytes removed.

    Raises OSError.
    """
    return _remove([CHOICES])


def _remove(kinds: Iterable[str]) -> int:
    removed = 0
    for kind in kinds:
        removed += sum(size for _, size in _files(kind))
        if (cache_dir() / kind).exists():
            # Renamed first: a command that is at work finds all of it or nothing, and may fill it again meanwhile.
            os.replace(cache_dir() / kind, Path(tempfile.mkdtemp(prefix=_CLEARED, dir=cache_dir())) / kind)
    for path in cache_dir().glob(f"{_CLEARED}*"):
        shutil.rmtree(path)
    return removed


def _files(kind: str) -> Iterator[tuple[Path, int]]:
    for path in (cache_dir() / kind).rglob("*"):
        try:
            if path.is_file():
                yield path, path.stat().st_size
        except OSError:  # another process has just removed it
            continue


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty when there is none that can be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Put `data` into `path`, whole or not at all; a cache that cannot be written is left as it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        with atomic_file(path, sync=False) as part:
            part.write_text(json.dumps(data), encoding="utf-8")
    except OSError:
        return

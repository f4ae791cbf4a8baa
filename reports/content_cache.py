"""Files of the cache that are named by the data and the code that decide their content."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import platform
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from zoo.config.atomic import atomic_file
from zoo.config.cache_dir import cache_dir
from zoo.config.leftovers import sweep
from zoo.config.source_code import source_digest

_LIBRARIES = ("matplotlib", "numpy", "scipy", "scikit-learn")
_PACKAGES = ("reports", "benchmark.evidence")


@dataclass(frozen=True)
class ContentCache:
    """One kind of text files.

    Attributes:
        kind: The name of their folder in the cache.
        suffix: The end of their names.
        most: The most files. Where there are more, those that were used least recently are removed.
    """

    kind: str
    suffix: str
    most: int

    def path(self, name: str, data: object) -> Path | None:
        """Where the file is that a function of `reports` or `benchmark.evidence` writes for `data`.

        Args:
            name: The qualified name of the function.
            data: What it reads, which can be pickled.

        Returns:
            The file. None if code was changed since this process began, which may have loaded it before.
        """
        code = _code()
        if code is None:
            return None
        # Equal data may have unequal pickles, which costs a computation. Unequal data never have equal ones.
        pickled = io.BytesIO()
        _Pickler(pickled, protocol=5).dump(data)
        digest = hashlib.sha256("\0".join((name, code)).encode() + pickled.getvalue())
        return cache_dir() / self.kind / f"{digest.hexdigest()[:32]}{self.suffix}"

    def read(self, path: Path | None) -> str:
        """The text in `path`, which counts as used; empty if it is missing or cannot be read."""
        try:
            text = "" if path is None else path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ""
        if path is not None:
            with suppress(OSError):  # a cache that cannot be written
                os.utime(path)
        return text

    def write(self, path: Path | None, text: str) -> None:
        """Write a file atomically, and do nothing if the cache cannot be written."""
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _trim(path.parent, self.most)
            with atomic_file(path, sync=False) as part:
                part.write_text(text, encoding="utf-8")
        except OSError:
            return


class _Pickler(pickle.Pickler):
    """Pickles models by their content: the set of their given fields has another order in each process."""

    def reducer_override(self, obj: object) -> Any:
        if isinstance(obj, BaseModel):
            return str, (f"{type(obj).__module__}.{type(obj).__qualname__} {obj.model_dump_json()}",)
        return NotImplemented


def _code() -> str | None:
    """All that decides a report beside its data: Python, the architecture, libraries and source code."""
    code = source_digest(_PACKAGES)
    return None if code is None else "\0".join((*_facts(), code))


@cache
def _facts() -> tuple[str, ...]:
    return platform.python_version(), platform.machine(), *map(version, _LIBRARIES)


@cache  # once per process: a report adds few files to what is there
def _trim(folder: Path, most: int) -> None:
    """Remove leftovers of killed processes and, above `most` files, those that were used least recently."""
    sweep(folder)
    used = sorted((entry.stat().st_mtime, entry.path) for entry in os.scandir(folder))
    for _, path in used[: max(len(used) - most, 0)]:
        Path(path).unlink(missing_ok=True)

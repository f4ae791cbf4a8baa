"""The source code that decides results: its digest, by which results of other code are recognised."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import time
from functools import cache
from pathlib import Path

import psutil

_IMPORTED = time.time()


def source_digest(packages: tuple[str, ...]) -> str | None:
    """Compute the SHA-256 of the source files of packages.

    Args:
        packages: Names of packages, with all modules below them, and of single modules.

    Returns:
        The digest, in hexadecimal. None if a source is not at hand, as of a notebook or in an archive, or if one was
        changed since this process began, which may have loaded it before.
    """
    try:
        files, began = _files(packages), _began()
        changed = any(max(status.st_mtime, status.st_ctime) > began for status in map(os.stat, files))
        return None if changed else _digest(files)
    except (OSError, ValueError, ImportError):  # an update of the installation removes files
        return None


@cache
def _files(packages: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(path for package in packages for path in _files_of(package))


def _files_of(package: str) -> list[Path]:
    """The source files of a package, or the one of a module. Raises ValueError if there are none."""
    if package in ("", "__main__"):
        raise ValueError("its functions are in no file that can be read again")
    file = getattr(sys.modules.get(package) or importlib.import_module(package), "__file__", None)
    if file is None:
        raise ValueError(f"{package} has no file")
    path = Path(file)
    files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    if not files:
        raise ValueError(f"{package} is in an archive")
    return files


@cache
def _digest(files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


@cache
def _began() -> float:
    """When this process began, or the one from which it was forked with this module: seconds since 1970."""
    return min(_IMPORTED, psutil.Process().create_time())

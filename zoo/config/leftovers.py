"""Removes temporary files and folders of killed processes (`zoo.config.atomic`)."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

PREFIX = ".writing-"
"""The beginning of the names of temporary files and folders."""

STALE_S = 24 * 3600
"""Age in seconds from which a temporary file counts as abandoned."""


def sweep(folder: Path, pattern: str = f"{PREFIX}*") -> None:
    """Remove temporary files and folders in `folder` that are more than a day old.

    Args:
        folder: May be missing.
        pattern: A glob pattern of their paths within `folder`.
    """
    for path in folder.glob(pattern):
        remove_stale(path)


def is_stale(path: Path) -> bool:
    """Whether nothing was written to a file or folder for a day. Raises OSError."""
    newest = path.lstat().st_mtime
    for folder, _, names in os.walk(path) if _is_folder(path) else ():
        newest = max([newest, *(os.lstat(Path(folder, name)).st_mtime for name in (".", *names))])
    return time.time() - newest > STALE_S


def remove_stale(path: Path) -> None:
    """Remove a file or folder to which nothing was written for a day. Errors of the file system are ignored."""
    with suppress(OSError):
        if not is_stale(path):
            return
        if _is_folder(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()

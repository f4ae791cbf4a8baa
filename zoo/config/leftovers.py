"""Temporary files and folders that killed processes left behind (`zoo.config.atomic`)."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

PREFIX = ".writing-"
"""How the names of temporary files and folders begin."""

STALE_S = 24 * 3600


def sweep(folder: Path, pattern: str = f"{PREFIX}*") -> None:
    """Remove temporary files and folders in `folder` that are a day old.

    Args:
        folder: May be missing.
        pattern: A glob pattern of their paths within `folder`.
    """
    for path in folder.glob(pattern):
        remove_stale(path)


def remove_stale(path: Path) -> None:
    """Remove a file or a folder in which nothing was written for a day; what cannot be removed stays."""
    with suppress(OSError):
        folder = path.is_dir() and not path.is_symlink()
        newest = path.lstat().st_mtime
        for place, _, names in os.walk(path) if folder else ():
            newest = max([newest, *(os.lstat(Path(place, name)).st_mtime for name in (".", *names))])
        if time.time() - newest <= STALE_S:
            return
        if folder:
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()

"""Writes files and folders atomically: a temporary sibling, fsync, rename.

After a crash either the old version exists or the new one. Temporary files of a killed process are removed a day later
(`zoo.config.leftovers`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.config.leftovers import PREFIX


@contextmanager
def atomic_file(path: Path, *, mode: int = 0o644, sync: bool = True) -> Iterator[Path]:
    """Replace the file `path` by the one that the block writes, if the block ends without an error.

    Args:
        path: The file; its folder must exist.
        mode: Its permissions.
        sync: Whether to flush the file to disk before it is renamed. Not needed if it can be computed again.

    Yields:
        An empty temporary file beside `path` with the same suffix, for the block to write or replace.

    Raises:
        OSError: The file cannot be written; the error names `path`, which is unchanged.
    """
    part = None
    try:
        handle, part = tempfile.mkstemp(path.suffix, PREFIX, path.parent)
        os.close(handle)
        yield Path(part)
        os.chmod(part, mode)
        if sync:
            _sync(Path(part))
        os.replace(part, path)
    except OSError as error:
        if error.errno is None:  # raised by the block, not by the system
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        if part is not None:
            Path(part).unlink(missing_ok=True)


@contextmanager
def atomic_folder(
    path: Path,
    *,
    mode: int = 0o755,
    sync: bool = True,
    prefix: str = PREFIX,
    move: Callable[[Path, Path], object] = os.rename,
) -> Iterator[Path]:
    """Create the folder `path` with the files that the block writes, if the block ends without an error.

    Args:
        path: The folder; its parent must exist.
        mode: Its permissions.
        sync: Whether to flush the files to disk before the folder is renamed. Not needed if they can be computed again.
        prefix: The beginning of the name of the temporary folder.
        move: Moves the temporary folder to `path`. The default never replaces a folder that contains files.

    Yields:
        An empty temporary folder beside `path`.

    Raises:
        OSError: The folder cannot be written or moved; `path` is unchanged.
    """
    building = Path(tempfile.mkdtemp(prefix=prefix, dir=path.parent))
    try:
        building.chmod(mode)
        yield building
        if sync:
            for file in building.rglob("*"):
                if file.is_file():
                    _sync(file)
        move(building, path)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically, as UTF-8. Raises an OSError that names `path`."""
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8")


def _sync(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Entries of folders: hidden files, links that form a cycle, printable names, and errors of access in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from benchmark.data.dataset import DataError

_SYSTEMS = {
    "#recycle",
    "$recycle.bin",
    "@eadir",
    "desktop.ini",
    "ehthumbs.db",
    "icon\r",
    "lost+found",
    "recycler",
    "system volume information",
    "thumbs.db",
}


def is_hidden(name: str) -> bool:
    """Whether a name is that of a hidden file or one that an operating system creates."""
    return name.startswith((".", "__MACOSX")) or name.casefold() in _SYSTEMS


def list_entries(folder: Path) -> list[Path]:
    """List a folder by name. Raises DataError."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed: {error.strerror}") from error


def is_folder(entry: Path) -> bool:
    """Whether an entry is a folder or a link to one. Raises DataError."""
    try:
        return entry.is_dir()
    except OSError as error:
        raise DataError(f"{entry}: cannot be accessed: {error.strerror}") from error


def links_up(entry: Path) -> bool:
    """Whether an entry is a link to a folder that contains it, so that following it never ends."""
    if not entry.is_symlink() or not is_folder(entry):
        return False
    target, folder = entry.resolve(), entry.parent.resolve()
    return target == folder or target in folder.parents


def folders_in(folder: Path) -> dict[str, Path]:
    """The visible folders in a folder by name, without links to folders that contain them. Raises DataError."""
    return {
        entry.name: entry
        for entry in list_entries(folder)
        if not is_hidden(entry.name) and is_folder(entry) and not links_up(entry)
    }


def contains_files(folder: Path) -> bool:
    """Whether visible files are directly in a folder. Raises DataError."""
    return any(not is_hidden(entry.name) and not is_folder(entry) for entry in list_entries(folder))


def identity(folder: Path) -> tuple[int, int]:
    """Device and inode: the same for a folder and a link to it. Raises DataError."""
    try:
        status = folder.stat()
    except OSError as error:
        raise DataError(f"{folder}: cannot be accessed: {error.strerror}") from error
    return status.st_dev, status.st_ino


def count_files(folder: Path) -> int:
    """Count the files in and below a folder; a folder that cannot be listed counts as empty."""
    return sum(len(names) for _, _, names in os.walk(folder))


def sizes_below(folder: Path) -> Iterator[tuple[str, int]]:
    """Relative path and size in bytes of each visible file in and below a folder."""
    for parent, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not is_hidden(name)]
        for name in names:
            file = Path(parent, name)
            if not is_hidden(name) and (size := size_of(file)) is not None:
                yield file.relative_to(folder).as_posix(), size


def size_of(file: Path) -> int | None:
    """The size of a file in bytes; None if there is no such file."""
    try:
        return file.stat().st_size
    except OSError:
        return None


def printable(name: str) -> str:
    """Escape each byte of a file name that is not UTF-8, so that it can be hashed, stored and printed.

    Python represents such bytes as lone surrogates, which cannot be encoded. All other names are returned unchanged.

    Args:
        name: A file name or path.

    Returns:
        Valid Unicode: "ni\\xf1o.png".
    """
    try:
        name.encode("utf-8")
        return name
    except UnicodeEncodeError:
        pass
    try:
        return os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that represents no byte
        return name.encode("utf-8", "backslashreplace").decode("utf-8")

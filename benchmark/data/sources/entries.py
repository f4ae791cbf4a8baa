"""Entries of folders: what systems leave, links that have no end, and errors of listing in one line."""

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
    """Whether a name is one that systems leave beside a user's files."""
    return name.startswith((".", "__MACOSX")) or name.casefold() in _SYSTEMS


def listed(folder: Path) -> list[Path]:
    """The entries of a folder by name. Raises DataError."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed: {error.strerror}") from error


def is_folder(entry: Path) -> bool:
    """Whether an entry is a folder, or a link to one. Raises DataError."""
    try:
        return entry.is_dir()
    except OSError as error:
        raise DataError(f"{entry}: cannot be looked at: {error.strerror}") from error


def leads_up(entry: Path) -> bool:
    """Whether an entry is a link to a folder that it lies in: it has no end."""
    if not entry.is_symlink() or not is_folder(entry):
        return False
    aim, here = entry.resolve(), entry.parent.resolve()
    return aim == here or aim in here.parents


def folders_in(folder: Path) -> dict[str, Path]:
    """The folders in a folder by name, without those of systems and links that lead up. Raises DataError."""
    return {
        entry.name: entry
        for entry in listed(folder)
        if not is_hidden(entry.name) and is_folder(entry) and not leads_up(entry)
    }


def holds_files(folder: Path) -> bool:
    """Whether files of the user lie directly in a folder. Raises DataError."""
    return any(not is_hidden(entry.name) and not is_folder(entry) for entry in listed(folder))


def identity(folder: Path) -> tuple[int, int]:
    """What is the same for a folder and a link to it. Raises DataError."""
    try:
        facts = folder.stat()
    except OSError as error:
        raise DataError(f"{folder}: cannot be looked at: {error.strerror}") from error
    return facts.st_dev, facts.st_ino


def count_files(folder: Path) -> int:
    """How many files lie in and below a folder; what cannot be listed has none."""
    return sum(len(names) for _, _, names in os.walk(folder))


def sizes_below(folder: Path) -> Iterator[tuple[str, int]]:
    """Name below `folder` and size of each file in it, those that systems leave not counted."""
    for place, inside, names in os.walk(folder):
        inside[:] = [name for name in inside if not is_hidden(name)]
        for name in names:
            file = Path(place, name)
            if not is_hidden(name) and (size := size_of(file)) is not None:
                yield file.relative_to(folder).as_posix(), size


def size_of(file: Path) -> int | None:
    """The size of a file in bytes; None where there is none."""
    try:
        return file.stat().st_size
    except OSError:
        return None


def printable(name: str) -> str:
    """`name` with each byte that is not UTF-8 as an escape: `ni\\xf1o.png`. Every other name stays as it is.

    Python hands such bytes on as lone surrogates, which cannot be encoded.
    """
    try:
        name.encode("utf-8")
        return name
    except UnicodeEncodeError:
        pass
    try:
        return os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return name.encode("utf-8", "backslashreplace").decode("utf-8")

"""Reads files that anyone may have written: only regular files, and only up to a size."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class NotPlain(OSError):
    """A file that is too large or not a regular file; the message says which."""


def read_plain(path: Path, limit: int) -> bytes:
    """Read a regular file.

    A pipe or a device is never opened: opening it may never return, and its content may never end.

    Args:
        path: The file; a link to a regular file is allowed.
        limit: The largest allowed size in bytes.

    Returns:
        The whole content.

    Raises:
        NotPlain: The file is not regular, or has more than `limit` bytes.
        OSError: The file cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise NotPlain("it is not a regular file")
    # Another file may have replaced `path` since, and reading some regular files of the kernel blocks.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotPlain("it is not a regular file")
        chunks: list[bytes] = []
        size = 0
        # Bytes are counted because the kernel reports size 0 for the files that it generates.
        while size <= limit and (chunk := os.read(descriptor, min(limit + 1 - size, 1 << 20))):
            chunks.append(chunk)
            size += len(chunk)
    finally:
        os.close(descriptor)
    if size > limit:
        raise NotPlain(f"it has more than {_in_words(limit)}")
    return b"".join(chunks)


def _in_words(size: int) -> str:
    return f"{size / 2**20:g} MiB" if size >= 2**20 else f"{size / 2**10:g} KiB"

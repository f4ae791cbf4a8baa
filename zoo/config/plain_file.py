"""Reading a file of which nothing is known: only a regular one, and only up to a size."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class NotPlain(OSError):
    """A file that is not read: no regular file, or too large; the message says which."""


def read_plain(path: Path, most: int) -> bytes:
    """The content of the regular file `path`, of at most `most` bytes.

    A pipe or a device is never opened: opening may wait for ever, and reading may never end.

    Raises:
        NotPlain: `path` is no regular file, or holds more than `most` bytes.
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise NotPlain("it is not a regular file")
    # The name may stand for another file by now, and some files of the kernel wait for content though they are regular.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotPlain("it is not a regular file")
        chunks: list[bytes] = []
        size = 0
        # The size that the file system states is 0 for files that the kernel makes up, so that bytes are counted.
        while size <= most and (chunk := os.read(descriptor, min(most + 1 - size, 1 << 20))):
            chunks.append(chunk)
            size += len(chunk)
    finally:
        os.close(descriptor)
    if size > most:
        raise NotPlain(f"it holds more than {_in_words(most)}")
    return b"".join(chunks)


def _in_words(size: int) -> str:
    return f"{size / 2**20:g} MiB" if size >= 2**20 else f"{size / 2**10:g} KiB"

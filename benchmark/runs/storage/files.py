"""Safe reading of a store's files: only regular files, up to a size; a refused access is not reported as damage."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from zoo.config.errors import ConfigError

_LONGEST = 200


class Damaged(ConfigError):
    """A file of a store differs from what was saved; the run must be computed again."""


class Unreadable(ConfigError):
    """A file of a store cannot be read now, or by this user; it may be intact."""


def read_bytes(path: Path, most: int) -> bytes:
    """Read a regular file. Pipes and devices are never opened, since reading them may never end.

    Args:
        path: The file, or a link to it.
        most: The largest size in bytes.

    Returns:
        The content.

    Raises:
        FileNotFoundError: There is no such file.
        NotADirectoryError: Its parent is not a folder.
        Damaged: It is not a regular file, is too large, or links to a missing file.
        Unreadable: The system refuses access.
    """
    try:
        size = _size(path)
        if size > most:
            raise Damaged(f"{path}: has {size:,} bytes; a file of a run has at most {most:,}")
        if size == 0:  # also files of /proc, some of which never end
            return b""
        with path.open("rb") as file:
            return file.read(size)
    except NotADirectoryError:
        raise
    except FileNotFoundError as error:
        if path.is_symlink():
            raise Damaged(f"{path}: links to a file that does not exist") from error
        raise
    except OSError as error:
        raise Unreadable(refusal(path, error)) from error


def digest_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal. Raises as `read_bytes` does."""
    try:
        _size(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(refusal(path, error)) from error


def refusal(path: Path, error: OSError) -> str:
    """The message for a file that the system refuses to read."""
    return f"{path}: cannot be read: {error.strerror or error}"


def one_line(text: object) -> str:
    """Put a text on one line of printable characters and cut it to 200, since it may quote a damaged file."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}..."


def _size(path: Path) -> int:
    """Size of a regular file in bytes. Raises OSError, and Damaged if it is not a regular file."""
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise Damaged(f"{path}: is not a regular file")
    return facts.st_size

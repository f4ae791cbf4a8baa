"""Files of a store, opened with care: regular ones alone, up to a bound, and what the system refuses is not damage."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from zoo.config.strict_yaml import ConfigError

_LONGEST = 200


class Damaged(ConfigError):
    """A file of a store that is not what was saved. The run has to be computed again."""


class Unreadable(ConfigError):
    """A file of a store that this process may not or cannot read now. Nothing says that it is damaged."""


def read_bytes(path: Path, most: int) -> bytes:
    """The content of the regular file `path`, or of the one it links to.

    A pipe or a device is never opened, since reading it may wait for ever. Raises FileNotFoundError,
    NotADirectoryError, Damaged for what is no regular file or holds more than `most` bytes, and Unreadable when the
    system refuses.
    """
    try:
        size = _size(path)
        if size > most:
            raise Damaged(f"{path}: holds {size:,} bytes; at most {most:,} can belong to a run")
        if size == 0:  # the kernel's own files say so too, and some of them never end
            return b""
        with path.open("rb") as file:
            return file.read(size)
    except NotADirectoryError:
        raise
    except FileNotFoundError as error:
        if path.is_symlink():
            raise Damaged(f"{path}: links to a file that is not there") from error
        raise
    except OSError as error:
        raise Unreadable(refusal(path, error)) from error


def digest_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal digits, read in pieces. Raises as `read_bytes` does."""
    try:
        _size(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(refusal(path, error)) from error


def refusal(path: Path, error: OSError) -> str:
    """The line for a file that the system does not let us read."""
    return f"{path}: cannot be read: {error.strerror or error}"


def one_line(text: object) -> str:
    """`text` on one line of letters that can be printed, cut where it is long: it may quote a damaged file."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}..."


def _size(path: Path) -> int:
    """Bytes of a regular file. Raises OSError, and Damaged for anything else."""
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise Damaged(f"{path}: is not a regular file")
    return facts.st_size

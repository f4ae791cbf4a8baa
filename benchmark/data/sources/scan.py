"""What the files of a folder hold, looked at once, and how their pixels are read.

A look is kept in the user's cache under size, times and inode of the file. A file can change behind all of these, so
that the digest is compared again whenever pixels are decoded.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data import cache
from benchmark.data.dataset import DataError, Image, Pixels
from benchmark.data.decoding.pixels import DICOM, Channels, decode, look, read_content, resize
from benchmark.data.file_names import printable
from benchmark.data.levels import Levels, Stored
from zoo.config.errors import first_line

_CACHE_VERSION = 2


@dataclass(frozen=True)
class Scanned:
    """What a file holds: the SHA-256 of its content and how its image is stored, or the `reason` why it has none."""

    digest: str
    stored: Stored | None
    reason: str | None


def scan(root: Path, files: Sequence[Path]) -> list[Scanned]:
    """What each of `files`, which lie below `root`, holds; what was found before is taken from the user's cache."""
    known = _known(root)

    def one(file: Path) -> tuple[str, Scanned]:
        try:
            stamp = _stamp(root, file)
            return stamp, _of_record(known.get(stamp)) or _look(file)
        except OSError as error:
            return "", Scanned("", None, error.strerror or "cannot be read")

    with threads() as pool:
        found = list(pool.map(one, files))
    fresh = {stamp: asdict(scanned) for stamp, scanned in found if stamp}
    if fresh != known:
        cache.write_json(_place(root), {"version": _CACHE_VERSION, "files": fresh})
    return [scanned for _, scanned in found]


def reader(
    root: Path, paths: Mapping[str, Path], channels: Channels, levels: Levels
) -> Callable[[Sequence[Image], int], Pixels]:
    """A function that reads images, whose files `paths` names, as `Dataset.read` does.

    It raises DataError for a file that cannot be read, or has another content than when it was scanned; such a file is
    looked at again the next time.
    """

    def one(image: Image, size: int) -> Pixels:
        path = paths[image.name]
        try:
            content = read_content(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise DataError(f"{printable(str(path))}: can no longer be read: {reason}; run again") from error
        if hashlib.sha256(content).hexdigest() != image.digest:
            _forget(root, path)
            raise DataError(f"{printable(str(path))}: has changed since it was scanned; run again")
        return resize(decode(content, levels), size, channels)

    def read(wanted: Sequence[Image], size: int) -> Pixels:
        with threads() as pool:
            pixels = list(pool.map(lambda image: one(image, size), wanted))
        return np.stack(pixels) if pixels else np.zeros((0, size, size, channels), np.uint8)

    return read


def threads() -> ThreadPoolExecutor:
    """The threads that files are read with."""
    return ThreadPoolExecutor(max_workers=min(16, os.cpu_count() or 1))


def reason_of(error: Exception, path: Path) -> str:
    """Why the image file `path` could not be read, in one line."""
    reason = first_line(error)
    if "cannot identify image file" not in reason:
        return reason
    return DICOM if path.suffix.lower() in (".dcm", ".dicom") else "not an image"


def _look(file: Path) -> Scanned:
    try:
        content = read_content(file)
    except ValueError as error:
        return Scanned("", None, str(error))
    digest = hashlib.sha256(content).hexdigest()
    try:
        return Scanned(digest, look(content), None)
    except Exception as error:
        # Pillow's decoders raise many kinds of errors on damaged files.
        return Scanned(digest, None, reason_of(error, file))


def _place(root: Path) -> Path:
    key = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:24]
    return cache.cache_dir() / "scans" / f"{key}.json"


def _known(root: Path) -> dict[str, Any]:
    held = cache.read_json(_place(root))
    files = held.get("files") if held.get("version") == _CACHE_VERSION else None
    return files if isinstance(files, dict) else {}


def _stamp(root: Path, file: Path) -> str:
    facts = file.stat()
    moment = f"{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ctime_ns}:{facts.st_ino}"
    return f"{file.relative_to(root).as_posix()}:{moment}"


def _forget(root: Path, file: Path) -> None:
    """Drop what the cache says of `file`, whatever its stamp is."""
    begin = f"{file.relative_to(root).as_posix()}:"
    left = {stamp: facts for stamp, facts in _known(root).items() if not stamp.startswith(begin)}
    cache.write_json(_place(root), {"version": _CACHE_VERSION, "files": left})


def _of_record(record: Any) -> Scanned | None:
    """What the cache holds of a file; None where it is not what `scan` writes."""
    try:
        held = record["stored"]
        stored = None if held is None else Stored(**{field.name: held[field.name] for field in fields(Stored)})
        digest, reason = str(record["digest"]), record["reason"]
        if stored is not None and not stored.low <= stored.high < math.inf > stored.width * stored.height:
            return None
    except (KeyError, TypeError):
        return None
    return Scanned(digest, stored, reason) if (stored is None) == isinstance(reason, str) else None

"""What the files of a folder contain, scanned once, and how their pixels are read.

A scan is cached under size, times and inode of the file. A file can change while all of these stay the same, so its
digest is compared again whenever pixels are decoded.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data import cache
from benchmark.data.dataset import DataError, Image, Pixels
from benchmark.data.decoding.pixels import DICOM, Channels, decode, look, read_content, resize
from benchmark.data.levels import Levels, Stored
from benchmark.data.sources.entries import printable
from zoo.config.cgroups import usable_cores
from zoo.config.errors import first_line

_CACHE_VERSION = 4
_BLOCK = 8
"""The most files of a task. With one per task, small files take a tenth longer."""
_STORED = tuple(field.name for field in fields(Stored))


@dataclass(frozen=True)
class Scanned:
    """The scan of one file.

    Attributes:
        digest: SHA-256 of its content, in hexadecimal.
        stored: How its image is stored; None if it is not a readable image.
        reason: Why it is not a readable image, else None.
    """

    digest: str
    stored: Stored | None
    reason: str | None


def scan(root: Path, files: Sequence[Path]) -> list[Scanned]:
    """Scan files, or look their scans up in the cache.

    Args:
        root: The folder whose scans are cached together.
        files: Files below `root`.

    Returns:
        The scan of each file, in order.
    """
    known = _known(root)

    def scan_one(file: Path) -> tuple[str, Scanned]:
        try:
            stamp = _stamp(root, file)
            return stamp, _of_record(known.get(stamp), _bytes_of(stamp)) or _scan(file)
        except OSError as error:
            return "", Scanned("", None, error.strerror or "cannot be read")

    workers = _workers()
    block = max(1, min(_BLOCK, len(files) // (4 * workers)))  # few files, which may be large, are spread evenly
    blocks = [files[first : first + block] for first in range(0, len(files), block)]
    with ThreadPoolExecutor(workers) as pool:
        stamped = [each for scans in pool.map(lambda some: [scan_one(file) for file in some], blocks) for each in scans]
    records = {stamp: _record(scanned) for stamp, scanned in stamped if stamp}
    if records != known:
        cache.write_json(_cache_file(root), {"version": _CACHE_VERSION, "files": records})
    return [scanned for _, scanned in stamped]


def reader(
    root: Path, paths: Mapping[str, Path], channels: Channels, levels: Levels
) -> Callable[[Sequence[Image], int], Pixels]:
    """Make the `read` function of a `Dataset` of files.

    Args:
        root: The folder whose scans are cached together.
        paths: The file of each image, by name.
        channels: Channels of the pixels.
        levels: The scale of deeper levels.

    Returns:
        A function as `Dataset.read`. It raises DataError for a file that cannot be read or has changed since its scan;
        such a file is scanned again the next time.
    """

    def read_one(image: Image, size: int) -> Pixels:
        path = paths[image.name]
        try:
            content = read_content(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise DataError(f"{printable(str(path))}: can no longer be read: {reason}; run again") from error
        if hashlib.sha256(content).hexdigest() != image.digest:
            _forget(root, path)
            raise DataError(f"{printable(str(path))}: has changed since it was scanned; run again")
        try:
            return resize(decode(content, levels), size, channels)
        except MemoryError:  # says nothing about the file
            raise
        except Exception as error:  # Pillow's decoders raise many kinds of errors
            _forget(root, path)  # another version of the decoder could read it
            raise DataError(
                f"{printable(str(path))}: can no longer be read: {reason_of(error, path)}; run again"
            ) from error

    def read(images: Sequence[Image], size: int) -> Pixels:
        with ThreadPoolExecutor(_workers()) as pool:
            pixels = list(pool.map(lambda image: read_one(image, size), images))
        return np.stack(pixels) if pixels else np.zeros((0, size, size, channels), np.uint8)

    return read


def _workers() -> int:
    """Number of threads that read files."""
    return min(16, usable_cores())


def reason_of(error: Exception, path: Path) -> str:
    """Say in one line why the image file `path` could not be read."""
    reason = first_line(error)
    if "cannot identify image file" not in reason:
        return reason
    return DICOM if path.suffix.lower() in (".dcm", ".dicom") else "not an image"


def _scan(file: Path) -> Scanned:
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


def _cache_file(root: Path) -> Path:
    key = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:24]
    return cache.cache_dir() / "scans" / f"{key}.json"


def _known(root: Path) -> dict[str, Any]:
    cached = cache.read_json(_cache_file(root))
    files = cached.get("files") if cached.get("version") == _CACHE_VERSION else None
    return files if isinstance(files, dict) else {}


def _stamp(root: Path, file: Path) -> str:
    status = file.stat()
    version = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"
    return f"{file.relative_to(root).as_posix()}:{version}"


def _bytes_of(stamp: str) -> int:
    return int(stamp.rsplit(":", 4)[1])


def _forget(root: Path, file: Path) -> None:
    """Remove the scan of `file` from the cache, whatever its stamp is."""
    prefix = f"{file.relative_to(root).as_posix()}:"
    others = {stamp: record for stamp, record in _known(root).items() if not stamp.startswith(prefix)}
    cache.write_json(_cache_file(root), {"version": _CACHE_VERSION, "files": others})


def _record(scanned: Scanned) -> dict[str, Any]:
    stored = scanned.stored
    values = None if stored is None else {name: getattr(stored, name) for name in _STORED}
    return {"digest": scanned.digest, "stored": values, "reason": scanned.reason}


def _of_record(record: Any, file_bytes: int) -> Scanned | None:
    """The scan in a record of the cache; None if the record is not as `scan` writes it."""
    try:
        values = record["stored"]
        # Records of earlier versions lack the size of the file, which is part of the stamp.
        complete = {"file_bytes": file_bytes, **(values or {})}
        stored = None if values is None else Stored(**{name: complete[name] for name in _STORED})
        digest, reason = str(record["digest"]), record["reason"]
        if stored is not None and not stored.low <= stored.high < math.inf > stored.width * stored.height:
            return None
    except (KeyError, TypeError):
        return None
    return Scanned(digest, stored, reason) if (stored is None) == isinstance(reason, str) else None

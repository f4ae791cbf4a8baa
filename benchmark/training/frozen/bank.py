"""The feature bank on disk: rows of arrays by shelf and key, written once, read by many processes, bounded.

A shelf is a folder; a block in it is one file that holds the rows of several keys. A block is written beside its place
and renamed into it, so that it is whole or not there; its checksum is verified before a process first reads it, and a
damaged one is removed, as if it had never been. Reading a block marks it as used: when the bank outgrows its limit, the
blocks used longest ago go first.
"""

from __future__ import annotations

import json
import math
import os
import sys
import uuid
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import ml_dtypes
import numpy as np
import numpy.typing as npt

from benchmark.data.cache import cache_dir, declared_gib
from zoo.config.atomic import atomic_file
from zoo.config.leftovers import PREFIX, sweep

Array = npt.NDArray[Any]

_MAGIC = b"zoo bank 1\n"
_ALIGN = 64
_SUFFIX = ".block"


def default_bank() -> Bank:
    """The bank in the user's cache folder. ZOO_CACHE_GIB declares its size in GiB, 16 by default; 0 keeps nothing, and
    `inf` is no limit.

    Raises ConfigError when it is not a number from 0.
    """
    limit = declared_gib() * 1024**3
    return Bank(cache_dir() / "features", round(limit) if math.isfinite(limit) else sys.maxsize)


@dataclass(frozen=True)
class Rows:
    """Rows of one shelf, in the order of the keys asked for; the blocks they lie in are memory-mapped."""

    blocks: tuple[Array, ...]
    places: npt.NDArray[np.int64]  # (n, 2): block, row in it

    def __len__(self) -> int:
        return len(self.places)

    def take(self, indices: npt.NDArray[np.int64]) -> Array:
        """The rows at `indices`, copied out: (len(indices), ...)."""
        found = np.empty((len(indices), *self.blocks[0].shape[1:]), self.blocks[0].dtype)
        wanted = self.places[indices]
        for number in np.unique(wanted[:, 0]):
            here = wanted[:, 0] == number
            found[here] = self.blocks[number][wanted[here, 1]]
        return found


class Bank:
    """Rows by shelf and key below `root`, at most `limit` bytes of them.

    What cannot be written (no space, no permission) is left out: the bank is a cache, and a reader finds less in it.
    """

    def __init__(self, root: Path, limit: int) -> None:
        self.root = root
        self.limit = limit
        self._mapped: dict[Path, tuple[tuple[str, ...], Array]] = {}

    def find(self, shelf: str, keys: Sequence[str]) -> dict[str, tuple[Path, int]]:
        """Where the rows of `keys` lie: block and row, for those that are there."""
        wanted = set(keys)
        found: dict[str, tuple[Path, int]] = {}
        for path in sorted((self.root / shelf).glob(f"[!.]*{_SUFFIX}")):
            block = self._block(path)
            if block is not None:
                found.update({key: (path, row) for row, key in enumerate(block[0]) if key in wanted})
        return found

    def rows(self, shelf: str, keys: Sequence[str]) -> Rows | None:
        """The rows of `keys`, in their order; None unless all are there."""
        found = self.find(shelf, keys)
        if any(key not in found for key in keys):
            return None
        paths = list(dict.fromkeys(path for path, _ in found.values()))
        number = {path: index for index, path in enumerate(paths)}
        places = [(number[found[key][0]], found[key][1]) for key in keys]
        return Rows(tuple(self._mapped[path][1] for path in paths), np.array(places, dtype=np.int64).reshape(-1, 2))

    def write(self, shelf: str, keys: Sequence[str], values: Array) -> bool:
        """Keep `values` (n, ...) under `keys`; False when there is no room for them."""
        header = _header(keys, values)
        size = len(header) + values.nbytes
        try:
            if not self._make_room(size):
                return False
            folder = self.root / shelf
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{uuid.uuid4().hex}{_SUFFIX}"
            with atomic_file(path, sync=False) as part, part.open("wb") as file:
                file.write(header)
                file.write(_plain(values).data)
        except OSError:
            return False
        return True

    @contextmanager
    def filling(self, shelf: str) -> Iterator[None]:
        """Hold `shelf` for writing, so that two processes do not compute the same rows; the hold ends with its
        process. Where no lock can be had, work goes on without one."""
        lock = filelock.FileLock(self.root / shelf / ".lock")
        try:
            (self.root / shelf).mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except OSError:
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def forget(self) -> None:
        """Unmap every block; they are mapped again when next asked for."""
        self._mapped.clear()

    def _block(self, path: Path) -> tuple[tuple[str, ...], Array] | None:
        """Keys and rows of a block, verified when this process first meets it; None for a damaged or vanished one."""
        if path not in self._mapped:
            try:
                self._mapped[path] = _open(path)
                os.utime(path)
            except FileNotFoundError:
                return None
            except (OSError, ValueError, KeyError, TypeError):
                path.unlink(missing_ok=True)
                return None
        return self._mapped[path]

    def _make_room(self, size: int) -> bool:
        """Remove what killed writers left, and the blocks used longest ago until `size` more bytes fit."""
        if size > self.limit:
            return False
        self.root.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self.root / ".lock"):
            sweep(self.root, f"*/{PREFIX}*")
            blocks = sorted(_blocks(self.root))
            total = sum(held for _, _, held in blocks)
            for _, path, held in blocks:
                if total + size <= self.limit:
                    break
                path.unlink(missing_ok=True)
                self._mapped.pop(path, None)
                total -= held
        return True


def _blocks(root: Path) -> Iterator[tuple[float, Path, int]]:
    """Every block: when it was last used, where it is, its size in bytes."""
    for path in root.glob(f"*/[!.]*{_SUFFIX}"):
        try:
            facts = path.stat()
        except FileNotFoundError:  # another process has just removed it
            continue
        yield facts.st_mtime, path, facts.st_size


def _header(keys: Sequence[str], values: Array) -> bytes:
    """What stands in front of the rows: magic, checksum of all that follows it, length of the facts, the facts."""
    facts = json.dumps({"keys": list(keys), "shape": values.shape, "dtype": values.dtype.name}).encode()
    length = len(_MAGIC) + 4 + 8 + len(facts)
    checked = len(facts).to_bytes(8, "little") + facts + b" " * (-length % _ALIGN)
    return _MAGIC + zlib.crc32(_plain(values).data, zlib.crc32(checked)).to_bytes(4, "little") + checked


def _open(path: Path) -> tuple[tuple[str, ...], Array]:
    """Keys and memory-mapped rows of a block. Raises ValueError when it is damaged."""
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    start = len(_MAGIC) + 4
    if bytes(raw[: len(_MAGIC)]) != _MAGIC or zlib.crc32(raw[start:].data) != int.from_bytes(
        raw[len(_MAGIC) : start].tobytes(), "little"
    ):
        raise ValueError("the checksum does not fit")
    first = start + 8
    last = first + int.from_bytes(raw[start:first].tobytes(), "little")
    facts = json.loads(raw[first:last].tobytes())
    dtype = np.dtype(getattr(ml_dtypes, facts["dtype"], facts["dtype"]))
    rows = raw[last + -last % _ALIGN :].view(dtype).reshape(facts["shape"])
    return tuple(facts["keys"]), rows


def _plain(values: Array) -> Array:
    """The same bytes as uint8, for types that the buffer protocol does not know."""
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)

"""The feature bank on disk: rows of arrays by namespace and key, shared by processes and limited in size.

A namespace is a folder. Each block in it is one file with the rows of several keys. A block is written to a temporary
file and then renamed, so that a reader never sees half a block. A process verifies the checksum of a block before it
first reads it, and removes a damaged block. Reading a block marks it as used: when the bank would exceed its limit, the
least recently used blocks are removed.
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
    """Return the bank in the user's cache folder.

    The environment variable ZOO_CACHE_GIB sets its limit in GiB: 16 by default, 0 stores nothing, `inf` is no limit.

    Returns:
        The bank in the folder `features`.

    Raises:
        ConfigError: ZOO_CACHE_GIB is not a number from 0.
    """
    limit = declared_gib() * 1024**3
    return Bank(cache_dir() / "features", round(limit) if math.isfinite(limit) else sys.maxsize)


@dataclass(frozen=True)
class Rows:
    """Rows of one namespace, in the order of the requested keys. Their blocks are memory-mapped.

    Attributes:
        blocks: Arrays of shape (rows of the block, ...).
        index: Shape (n, 2): for each row the number of its block, and its position in that block.
    """

    blocks: tuple[Array, ...]
    index: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index)

    def take(self, indices: npt.NDArray[np.int64]) -> Array:
        """Copy the rows at `indices`.

        Args:
            indices: Positions 0..n-1, shape (k,).

        Returns:
            The rows, shape (k, ...).
        """
        rows = np.empty((len(indices), *self.blocks[0].shape[1:]), self.blocks[0].dtype)
        index = self.index[indices]
        for number in np.unique(index[:, 0]):
            in_block = index[:, 0] == number
            rows[in_block] = self.blocks[number][index[in_block, 1]]
        return rows


class Bank:
    """Rows by namespace and key in the folder `root`, at most `limit` bytes in all.

    The bank is a cache: rows that it cannot write (no space, no permission) are skipped and computed again when needed.
    """

    def __init__(self, root: Path, limit: int) -> None:
        self.root = root
        self.limit = limit
        self._mapped: dict[Path, tuple[tuple[str, ...], Array]] = {}

    def find(self, namespace: str, keys: Sequence[str]) -> dict[str, tuple[Path, int]]:
        """Locate the stored rows of `keys`.

        Args:
            namespace: The folder to search.
            keys: The keys to look up; any of them may be missing.

        Returns:
            For each key that is stored, the file of its block and the row in it.
        """
        wanted = set(keys)
        locations: dict[str, tuple[Path, int]] = {}
        for path in sorted((self.root / namespace).glob(f"[!.]*{_SUFFIX}")):
            block = self._block(path)
            if block is not None:
                locations.update({key: (path, row) for row, key in enumerate(block[0]) if key in wanted})
        return locations

    def rows(self, namespace: str, keys: Sequence[str]) -> Rows | None:
        """Return the rows of all `keys`.

        Args:
            namespace: The folder to search.
            keys: The keys to look up, in the order of the result; repeated keys are allowed.

        Returns:
            The rows, or None if any key is missing.
        """
        locations = self.find(namespace, keys)
        if any(key not in locations for key in keys):
            return None
        paths = list(dict.fromkeys(path for path, _ in locations.values()))
        numbers = {path: number for number, path in enumerate(paths)}
        index = [(numbers[locations[key][0]], locations[key][1]) for key in keys]
        return Rows(tuple(self._mapped[path][1] for path in paths), np.array(index, dtype=np.int64).reshape(-1, 2))

    def write(self, namespace: str, keys: Sequence[str], values: Array) -> bool:
        """Store rows as one block.

        Args:
            namespace: The folder that gets the block.
            keys: One key per row.
            values: The rows, shape (n, ...).

        Returns:
            Whether the block was stored; False if it exceeds the limit or the folder cannot be written.
        """
        header = _header(keys, values)
        size = len(header) + values.nbytes
        try:
            if not self._free_space(size):
                return False
            folder = self.root / namespace
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{uuid.uuid4().hex}{_SUFFIX}"
            with atomic_file(path, sync=False) as part, part.open("wb") as file:
                file.write(header)
                file.write(_as_bytes(values).data)
        except OSError:
            return False
        return True

    @contextmanager
    def lock(self, namespace: str) -> Iterator[None]:
        """Lock `namespace` for writing, so that two processes do not compute the same rows.

        The lock ends with its process. Without permission to lock, the block of the `with` statement runs unlocked.

        Args:
            namespace: The folder to lock.

        Yields:
            Once, with the lock acquired.
        """
        lock = filelock.FileLock(self.root / namespace / ".lock")
        try:
            (self.root / namespace).mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except OSError:
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def unmap(self) -> None:
        """Unmap every block. A block is mapped again when it is next read."""
        self._mapped.clear()

    def _block(self, path: Path) -> tuple[tuple[str, ...], Array] | None:
        """Return keys and rows of a block, verified on first use; None if it is damaged or was removed."""
        if path not in self._mapped:
            try:
                self._mapped[path] = _read_block(path)
                os.utime(path)
            except FileNotFoundError:
                return None
            except (OSError, ValueError, KeyError, TypeError):
                path.unlink(missing_ok=True)
                return None
        return self._mapped[path]

    def _free_space(self, size: int) -> bool:
        """Sweep files of killed writers, then remove least recently used blocks until `size` more bytes fit."""
        if size > self.limit:
            return False
        self.root.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self.root / ".lock"):
            sweep(self.root, f"*/{PREFIX}*")
            blocks = sorted(_blocks(self.root))
            total = sum(used for _, _, used in blocks)
            for _, path, used in blocks:
                if total + size <= self.limit:
                    break
                path.unlink(missing_ok=True)
                self._mapped.pop(path, None)
                total -= used
        return True


def _blocks(root: Path) -> Iterator[tuple[float, Path, int]]:
    """Yield the time of last use, the path and the size in bytes of every block."""
    for path in root.glob(f"*/[!.]*{_SUFFIX}"):
        try:
            status = path.stat()
        except FileNotFoundError:  # another process removed it
            continue
        yield status.st_mtime, path, status.st_size


def _header(keys: Sequence[str], values: Array) -> bytes:
    """Return the bytes before the rows: magic, checksum of everything behind it, length of the metadata, metadata."""
    metadata = json.dumps({"keys": list(keys), "shape": values.shape, "dtype": values.dtype.name}).encode()
    length = len(_MAGIC) + 4 + 8 + len(metadata)
    checked = len(metadata).to_bytes(8, "little") + metadata + b" " * (-length % _ALIGN)
    return _MAGIC + zlib.crc32(_as_bytes(values).data, zlib.crc32(checked)).to_bytes(4, "little") + checked


def _read_block(path: Path) -> tuple[tuple[str, ...], Array]:
    """Return keys and memory-mapped rows of a block.

    Raises:
        ValueError: The block is damaged.
    """
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    start = len(_MAGIC) + 4
    if bytes(raw[: len(_MAGIC)]) != _MAGIC or zlib.crc32(raw[start:].data) != int.from_bytes(
        raw[len(_MAGIC) : start].tobytes(), "little"
    ):
        raise ValueError("the checksum does not match")
    first = start + 8
    last = first + int.from_bytes(raw[start:first].tobytes(), "little")
    metadata = json.loads(raw[first:last].tobytes())
    dtype = np.dtype(getattr(ml_dtypes, metadata["dtype"], metadata["dtype"]))
    rows = raw[last + -last % _ALIGN :].view(dtype).reshape(metadata["shape"])
    return tuple(metadata["keys"]), rows


def _as_bytes(values: Array) -> Array:
    """Return `values` as flat uint8: the buffer protocol does not know types such as bfloat16."""
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)

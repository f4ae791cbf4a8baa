"""The chain of registrations in a store: one file per entry, append-only.

The name of a file is its number and the SHA-256 of its bytes, and each entry contains the digest of the one before it.
So an edited, removed or inserted entry is noticed, except by a reader who does not know the digest of the last one:
whoever can write the store can write a new chain.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import filelock
from pydantic import TypeAdapter, ValidationError

from benchmark.runs.registration import ENTRY_VERSION, AnyEntry, Outcome, Registration, canonical
from benchmark.runs.run import now
from benchmark.runs.storage.files import Unreadable, one_line, read_bytes, refusal
from benchmark.runs.storage.store import Store
from zoo.config.atomic import atomic_file
from zoo.config.errors import ConfigError
from zoo.config.leftovers import PREFIX

FOLDER = ".registrations"
"""The folder of the chain in a store."""

_MOST_BYTES = 64 * 1024**2
_NAME = re.compile(r"(\d{6})-([0-9a-f]{64})\.json")
_ENTRY: TypeAdapter[Registration | Outcome] = TypeAdapter(AnyEntry)


@dataclass(frozen=True)
class Link:
    """An entry of the chain.

    Attributes:
        position: Its number, from 1.
        digest: SHA-256 of its file.
        entry: Its content.
    """

    position: int
    digest: str
    entry: Registration | Outcome


@dataclass(frozen=True)
class Chain:
    """The entries of a store, in order.

    Attributes:
        links: The intact entries.
        head: The digest in the name of the last file; None without entries.
        problems: A line for each file or gap that shows that the chain was changed.
        count: Number of files.
    """

    links: tuple[Link, ...] = ()
    head: str | None = None
    problems: tuple[str, ...] = ()
    count: int = 0

    @property
    def registrations(self) -> tuple[tuple[Link, Registration], ...]:
        """The registrations, each with its place in the chain."""
        return tuple((link, link.entry) for link in self.links if isinstance(link.entry, Registration))

    @property
    def outcomes(self) -> tuple[tuple[Link, Outcome], ...]:
        """The records of finished benchmarks, each with its place in the chain."""
        return tuple((link, link.entry) for link in self.links if isinstance(link.entry, Outcome))

    def find(self, digest: str) -> Link | None:
        """The entry whose digest begins with `digest`; None if there is none."""
        return next((link for link in self.links if link.digest.startswith(digest)), None)


def read_chain(store: Store) -> Chain:
    """Read the chain of a store.

    Args:
        store: The store.

    Returns:
        Its entries; an entry whose file was changed is missing from them and named in `problems`.

    Raises:
        Unreadable: The system refuses access, or a newer version of the program wrote an entry.
    """
    folder = store.root / FOLDER
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError:
        return Chain()
    except OSError as error:
        raise Unreadable(refusal(folder, error)) from error
    links: list[Link] = []
    problems: list[str] = []
    previous, expected, count = None, 1, 0
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None:
            problems.append(f"{folder / name}: is not an entry of the chain")
            continue
        position, digest = int(match[1]), match[2]
        count += 1
        if position != expected:
            fault = (
                f"entry {position} exists twice" if position < expected else f"entry {expected} before it is missing"
            )
            problems.append(f"{folder / name}: {fault}")
        link = _intact(folder / name, position, digest, problems)
        if link is not None:
            if position == expected and link.entry.previous != previous:
                problems.append(f"{folder / name}: does not follow from the entry before it")
            links.append(link)
        previous, expected = digest, position + 1
    return Chain(tuple(links), previous, tuple(problems), count)


def append(store: Store, make: Callable[[Chain], Registration | Outcome | None]) -> Link | None:
    """Append an entry to the chain of a store; of several commands, one at a time does so.

    Args:
        store: The store.
        make: Returns the entry for the chain so far; its `time` and `previous` are set here. None appends nothing.

    Returns:
        The new entry; None if none was made.

    Raises:
        Unreadable: As `read_chain`.
        OSError: The store cannot be written.
    """
    folder = store.root / FOLDER
    if make(read_chain(store)) is None:  # a store that cannot be written is asked for nothing
        return None
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / ".lock"):
        for leftover in folder.glob(f"{PREFIX}*"):  # of a killed process: only the holder of the lock writes here
            leftover.unlink(missing_ok=True)
        while True:
            chain = read_chain(store)
            entry = make(chain)
            if entry is None:
                return None
            entry = entry.model_copy(update={"time": now(), "previous": chain.head})
            data = canonical(entry.model_dump(mode="json"))
            digest, position = hashlib.sha256(data).hexdigest(), _next_position(folder)
            if store.take(f"{position:06d}-{digest}.json", data):
                break
        with atomic_file(folder / f"{position:06d}-{digest}.json", mode=0o444) as part:
            part.write_bytes(data)
    return Link(position, digest, entry)


def record_digest(store: Store, run_id: str) -> str | None:
    """SHA-256 of the record of a run; None if it cannot be read."""
    try:
        return hashlib.sha256(read_bytes(store.folder(run_id) / "run.json", _MOST_BYTES)).hexdigest()
    except (OSError, ConfigError):
        return None


def _next_position(folder: Path) -> int:
    matches = [_NAME.fullmatch(name) for name in os.listdir(folder)]
    return max((int(match[1]) for match in matches if match is not None), default=0) + 1


def _intact(path: Path, position: int, digest: str, problems: list[str]) -> Link | None:
    """The entry in a file; None, with a line in `problems`, if the file was changed."""
    try:
        data = read_bytes(path, _MOST_BYTES)
    except Unreadable:
        raise
    except (OSError, ConfigError) as error:
        problems.append(f"{path}: cannot be read: {one_line(error)}")
        return None
    if hashlib.sha256(data).hexdigest() != digest:
        problems.append(f"{path}: was changed (its SHA-256 is not the one in its name)")
        return None
    try:
        content = json.loads(data)
        if isinstance(content, dict) and isinstance(content.get("version"), int) and content["version"] > ENTRY_VERSION:
            raise Unreadable(f"{path}: was written by a newer version of zoo; update zoo")
        return Link(position, digest, _ENTRY.validate_python(content))
    except Unreadable:
        raise
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
    except (ValueError, RecursionError) as error:
        reason = str(error)
    problems.append(f"{path}: is not an entry of the chain: {one_line(reason)}")
    return None

"""The chain of registrations in a store: one file per entry, append-only.

The name of a file is its number and the SHA-256 of its bytes, and each entry contains the digest of the one before it.
So an edited, removed or inserted entry is noticed, except by a reader who does not know the digest of the last one:
whoever can write the store can write a new chain.

A lock excludes no other machine on some network file systems, so no append depends on it. An entry is first written
into a folder, which is then renamed to the number of the entry. A folder that contains a file cannot be replaced, so
one process alone gets each number. From then on the entry is fixed: its process copies it to its name, and if it was
killed, whoever appends next does. The folder is removed when the entry has its name.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import filelock
from pydantic import TypeAdapter, ValidationError

from benchmark.runs.registration import ENTRY_VERSION, AnyEntry, Outcome, Registration, canonical
from benchmark.runs.run import now
from benchmark.runs.storage.files import Unreadable, one_line, read_bytes, refusal
from benchmark.runs.storage.store import Store
from zoo.config.atomic import atomic_file, atomic_folder
from zoo.config.errors import ConfigError
from zoo.config.leftovers import sweep

FOLDER = ".registrations"
"""The folder of the chain in a store."""

APART = ".merged"
"""Its folder with the chains of other stores, each in a folder named by the digest of its last entry."""

_MOST_BYTES = 64 * 1024**2
_NAME = re.compile(r"(\d{6})-([0-9a-f]{64})\.json")
_FIXED, _CONTENT = re.compile(r"\.entry-(\d{6})"), "entry.json"
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY)
_PAUSE_S = 0.01
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
    return _read(store.root / FOLDER)


def read_chains_apart(store: Store) -> tuple[Chain, ...]:
    """Read the chains of other stores whose runs were merged into a store. Raises as `read_chain`."""
    folder = store.root / FOLDER / APART
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise Unreadable(refusal(folder, error)) from error
    return tuple(_named(folder / name) for name in names if not name.startswith("."))


def _named(folder: Path) -> Chain:
    """A chain apart, with a problem if its last entry is not the one that its folder is named by."""
    chain = _read(folder)
    if chain.head == folder.name:
        return chain
    problem = f"{folder}: its last entry is not the one in its name; entries were removed or added"
    return replace(chain, problems=(*chain.problems, problem))


def keep_apart(store: Store, other: Store, *, continues: bool) -> None:
    """Copy the chain of another store.

    Args:
        store: The store that receives it.
        other: The store that has it.
        continues: Whether it continues the chain of `store`, whose missing entries are then copied. Else the whole
            chain is stored apart.

    Raises:
        Unreadable: As `read_chain`.
        OSError: The store cannot be written.
    """
    chain, folder, theirs = read_chain(other), store.root / FOLDER, other.root / FOLDER
    for each in read_chains_apart(other):
        if each.head is not None:
            _copy_chain(theirs / APART / each.head, folder / APART / each.head)
    if chain.head is None:
        return
    if not continues:
        _copy_chain(theirs, folder / APART / chain.head)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for link in chain.links:
        if link.position > _last_position(folder):
            _fix(folder, link.position, (theirs / _file_name(link)).read_bytes())
            _complete(folder)
    if read_chain(store).problems or read_chain(store).find(chain.head) is None:
        raise ConfigError(f"{store.root}: another command registered meanwhile; merge again")


def _copy_chain(source: Path, target: Path) -> None:
    if target.is_dir():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(target) as building:
        for link in _read(source).links:
            shutil.copyfile(source / _file_name(link), building / _file_name(link))


def _file_name(link: Link) -> str:
    return f"{link.position:06d}-{link.digest}.json"


def _read(folder: Path) -> Chain:
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
    """Append an entry to the chain of a store, after those of commands that append at the same time.

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
    sweep(folder)
    with filelock.FileLock(folder / ".lock"):  # spares processes of one machine the attempts; none depends on it
        while True:
            _complete(folder)
            last = _last_position(folder)
            chain = read_chain(store)
            if _last_position(folder) != last:  # entries were added while the chain was read
                continue
            entry = make(chain)
            if entry is None:
                return None
            entry = entry.model_copy(update={"time": now(), "previous": chain.head})
            data = canonical(entry.model_dump(mode="json"))
            name = f"{last + 1:06d}-{hashlib.sha256(data).hexdigest()}.json"
            if not store.take(name, data):
                continue
            if _fix(folder, last + 1, data):
                _complete(folder)
                return Link(last + 1, hashlib.sha256(data).hexdigest(), entry)
            time.sleep(_PAUSE_S)


def _fix(folder: Path, position: int, data: bytes) -> bool:
    """Give an entry a number; False if another process was faster."""
    place = folder / f".entry-{position:06d}"
    try:
        with atomic_folder(place) as building:
            (building / _CONTENT).write_bytes(data)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    # The number may have been used, and its folder removed, since the chain was read.
    if _last_position(folder) < position:
        return True
    shutil.rmtree(place, ignore_errors=True)
    return False


def _complete(folder: Path) -> None:
    """Copy entries that have a number to their names, and remove their folders. Raises OSError."""
    for name in sorted(os.listdir(folder)):
        match = _FIXED.fullmatch(name)
        if match is None:
            continue
        try:
            data = (folder / name / _CONTENT).read_bytes()
        except FileNotFoundError:  # another process is removing it, or was killed meanwhile
            with suppress(OSError):
                os.rmdir(folder / name)
            continue
        # Read after the content: a folder whose number is in use is the rest of a slow process.
        if _last_position(folder) < int(match[1]):
            digest = hashlib.sha256(data).hexdigest()
            with atomic_file(folder / f"{match[1]}-{digest}.json", mode=0o444) as part:
                part.write_bytes(data)
        shutil.rmtree(folder / name, ignore_errors=True)


def record_digest(store: Store, run_id: str) -> str | None:
    """SHA-256 of the record of a run; None if it cannot be read."""
    try:
        return hashlib.sha256(read_bytes(store.folder(run_id) / "run.json", _MOST_BYTES)).hexdigest()
    except (OSError, ConfigError):
        return None


def _last_position(folder: Path) -> int:
    matches = [_NAME.fullmatch(name) for name in os.listdir(folder)]
    return max((int(match[1]) for match in matches if match is not None), default=0)


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

"""The index of a store: which runs were read and checked, so that a listing does not check them again.

A row belongs to a run whose record was valid and whose figures followed from its scores. It contains the SHA-256 of the
record, and the size, times and inode of each other file that a listing reads. The record is read and its digest
computed every time, so an edit of it is always noticed. Of the other files the time of the last change of content or
attributes is compared, which no program can set back. So a file that was replaced by one of the same size and date is
noticed too. The record contains the digest of the scores: no figure can be returned that does not follow from them.
Scores that are used are compared with their digest in any case.

The index can be deleted at any time. One that is missing, damaged, or of another version of the program is made again.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from benchmark.evidence.metrics.registry import metrics
from benchmark.runs.run import Run, RunSpec, Stage
from benchmark.runs.storage.files import read_bytes
from benchmark.runs.storage.records import MOST_BYTES, SharedParts, read_known
from zoo.config.atomic import atomic_file
from zoo.config.cache_dir import cache_dir
from zoo.config.errors import ConfigError
from zoo.config.source_code import source_digest

INDEX = ".index.json"
"""The file of a store with its index."""

LEAST_RUNS = 50
"""A store of fewer runs has no index: reading it takes less than half a second."""

SETTLED_S = 2.0
"""Seconds since the last change of a file before which a run is not indexed.

A file that changes twice within the resolution of its times looks unchanged; the coarsest one in use is two seconds.
"""

_VERSION = 1
_CACHE = "indexes"
_MOST_INDEX = 1024**3
_PACKAGES = ("benchmark", "zoo.config", "zoo.models")  # what decides whether a record is valid and agrees
_STAGES = frozenset(get_args(Stage))


@dataclass(frozen=True)
class Head:
    """What a record says about its run, without figures.

    Attributes:
        run_id: The id of the run.
        spec: What was computed.
        status: Whether the run finished.
        finished: When it ended: UTC in ISO 8601.
    """

    run_id: str
    spec: RunSpec
    status: str
    finished: str


@dataclass(frozen=True)
class Sight:
    """The files of a run at one moment.

    Attributes:
        data: The bytes of the record.
        record: Their SHA-256.
        files: Size, time of the last change of content and of attributes (nanoseconds) and inode of each file that a
            listing reads besides the record; None for one that is missing.
        settled: Whether nothing changed within the last `SETTLED_S` seconds.
    """

    data: bytes
    record: str
    files: list[list[int] | None]
    settled: bool


class RunIndex:
    """The index of the store in a folder."""

    def __init__(self, root: Path, files: tuple[str, ...]) -> None:
        """Open an index, which is read on first use.

        Args:
            root: The folder of the store.
            files: Names of the files of a run that a listing reads besides the record.
        """
        self._root = root
        self._files = files
        self._rows: dict[str, list[Any]] | None = None
        self._added: dict[str, list[Any]] = {}
        self._heads: dict[str, tuple[str, Head]] = {}
        self._parts = SharedParts()

    def sight(self, folder: Path) -> Sight | None:
        """Look at the files of a run; None if its record or another file cannot be read now."""
        now = time.time_ns()
        try:
            facts = [_facts(f"{folder}/{name}") for name in self._files]
            data = read_bytes(folder / "run.json", MOST_BYTES)
            changed = [_facts(f"{folder}/run.json"), *facts]
        except (OSError, ConfigError):
            return None
        latest = max((max(each[1:3]) for each in changed if each is not None), default=0)
        return Sight(data, hashlib.sha256(data).hexdigest(), facts, now - latest >= SETTLED_S * 1e9)

    def stage(self, name: str, sight: Sight) -> str | None:
        """The stage of a run that was checked as it is; None if it must be checked.

        Args:
            name: The folder of the run.
            sight: Its files.

        Returns:
            The stage.
        """
        row = self._all_rows().get(name)
        known = row is not None and len(row) == 3 and row[:2] == [sight.record, sight.files] and row[2] in _STAGES
        return str(row[2]) if row is not None and known else None

    def read(self, name: str, sight: Sight) -> Run | None:
        """The run with a record that was checked as it is.

        Args:
            name: The folder of the run.
            sight: Its files.

        Returns:
            The run; None if this program cannot read the record, so that it must be checked.
        """
        try:
            run = read_known(sight.data, self._parts)
        except (ValueError, KeyError, TypeError, ConfigError):
            return None
        self._heads[name] = sight.record, Head(name, run.spec, run.status, run.finished)
        return run

    def head(self, name: str, folder: Path) -> Head | None:
        """What the record of a run says, if the run was checked as it is; None if the record must be read."""
        sight = self.sight(folder)
        if sight is None or self.stage(name, sight) is None:
            return None
        known = self._heads.get(name)
        if known is None or known[0] != sight.record:
            self.read(name, sight)
        return self._heads[name][1] if name in self._heads else None

    def add(self, name: str, sight: Sight, run: Run) -> None:
        """Add a run that was checked.

        Args:
            name: Its folder.
            sight: Its files before the check.
            run: The run with the record of `sight`. One whose record has no digest of its scores is left out.
        """
        if sight.settled and all((facts is None) == (each not in run.files) for each, facts in self._pairs(sight)):
            self._added[name] = [sight.record, sight.files, run.spec.stage]

    def save(self, names: list[str]) -> None:
        """Write the index if runs were added, or if most of its rows are of runs that the store lacks.

        It is written to the store, or to the cache folder if the store cannot be written. Of two processes that write
        at once, the later one wins; what it lacks is checked again.

        Args:
            names: The folders of the store.
        """
        rows = self._all_rows()
        if not self._added and len(rows) <= 2 * len(names):
            return
        present = set(names)
        self._rows = {name: row for name, row in (rows | self._added).items() if name in present}
        self._added = {}
        if (program := program_digest()) is None:
            return
        text = json.dumps({"version": _VERSION, "program": program, "rows": self._rows}, separators=(",", ":"))
        cached = _cached(self._root)
        with suppress(OSError):
            _write(self._root / INDEX, text)
            cached.unlink(missing_ok=True)
            return
        with suppress(OSError):
            cached.parent.mkdir(parents=True, exist_ok=True)
            _write(cached, text)

    def _pairs(self, sight: Sight) -> zip[tuple[str, list[int] | None]]:
        return zip(self._files, sight.files, strict=True)

    def _all_rows(self) -> dict[str, list[Any]]:
        if self._rows is None:
            self._rows = _read(self._root / INDEX) | _read(_cached(self._root))
        return self._rows


@contextmanager
def without_collection() -> Iterator[None]:
    """Pause the search for cyclic garbage: records have no cycles, and it would visit all of them again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def program_digest() -> str | None:
    """SHA-256 of the source that decides whether a record is valid and follows from its scores.

    Returns:
        The digest, of the packages of the program and of those that registered metrics; None if `source_digest` has
        none, as for a metric that was defined in a notebook.
    """
    functions = [metric.of_decisions or metric.of_scores for metric in metrics().values()]
    packages = {(getattr(function, "__module__", None) or "").partition(".")[0] for function in functions}
    return source_digest(tuple(sorted({*packages - {"benchmark"}, *_PACKAGES})))


def _facts(path: str) -> list[int] | None:
    """Size, times and inode of a file, followed if it is a link; None if it is missing. Raises OSError."""
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return None
    return [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino]


def _cached(root: Path) -> Path:
    key = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:24]
    return cache_dir() / _CACHE / f"{key}.json"


def _read(path: Path) -> dict[str, list[Any]]:
    """The rows in a file; none if it is missing, damaged, or of another version of the program."""
    try:
        content, program = json.loads(read_bytes(path, _MOST_INDEX)), program_digest()
        if content["version"] != _VERSION or program is None or content["program"] != program:
            return {}
        return {name: row for name, row in content["rows"].items() if isinstance(row, list)}
    except (OSError, ConfigError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _write(path: Path, text: str) -> None:
    with atomic_file(path, sync=False) as part:
        part.write_text(text, encoding="ascii")

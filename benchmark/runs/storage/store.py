"""The store: one folder a run, whole or not at all. The directory is the state.

A run is written beside its place (`.writing-*`) and renamed into it, while what was there lies beside it
(`.replaced-*`); who computes it holds a lock file that the operating system releases with the process. Its record holds
a digest of each of its files, and nothing is believed that does not fit. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import filelock

from benchmark.evidence.scores import Scores, SplitName
from benchmark.runs.history import NO_HISTORY, History
from benchmark.runs.run import Run
from benchmark.runs.storage.contents import (
    Predictions,
    read_history,
    read_whole_history,
    write_history,
    write_predictions,
)
from benchmark.runs.storage.files import Damaged, Unreadable, digest_of, one_line, read_bytes, refusal
from benchmark.runs.storage.integrity import disagreement
from benchmark.runs.storage.moves import REPLACED, is_left_aside, settle, swap
from benchmark.runs.storage.records import AGAIN, MOST_BYTES, read_record, version_of
from zoo.config.atomic import atomic_folder, write_text
from zoo.config.leftovers import PREFIX, remove_stale
from zoo.config.strict_yaml import ConfigError

STORE_VERSION = 1
MODEL = "model.keras"
"""The file of a run that holds its trained model, where it was kept."""

TRACEBACK = "traceback.txt"
"""The file in a failed run's folder that says where in the program it failed."""

_RECORD, _PREDICTIONS, _HISTORY = "run.json", "predictions.parquet", "history.csv"
_MARK = "store.json"
_MOST_FILE = 1024**3
_WITHOUT_DIGESTS = 2  # the last version of records that name no files: a finished run had scores and epochs

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Problem:
    """A folder that holds no run to be used, and why, on one `line`; `run` is what its record says, where one is."""

    folder: str
    line: str
    run: Run | None = None


class Store:
    """Runs in the folder `root`, which is made on the first write.

    Raises ConfigError when `root` is not a folder, or was written by a newer version.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if root.exists() and not root.is_dir():
            raise ConfigError(f"--store {root}: is a file; give a folder")
        try:
            version = version_of(json.loads(read_bytes(root / _MARK, MOST_BYTES)))
        except FileNotFoundError:
            return
        except Unreadable:
            raise
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigError(f"{root / _MARK}: is damaged; delete this one file, the runs are kept") from error
        if version > STORE_VERSION:
            raise ConfigError(
                f"--store {root}: was written by a newer version of zoo (store version {version}, this one knows "
                f"{STORE_VERSION}); update zoo, or give another folder"
            )

    def runs(self, stage: Literal["bench", "search"] | None = None) -> tuple[list[Run], list[str]]:
        """All runs, or those of one stage, by card, data and seed, and a line for every folder that cannot be used: its
        record cannot be read, a file is not as it was saved, a figure is not that of its scores. Raises ConfigError
        when the store itself cannot be read."""
        runs, problems = self.survey(stage)
        return runs, [problem.line for problem in problems]

    def survey(self, stage: Literal["bench", "search"] | None = None) -> tuple[list[Run], list[Problem]]:
        """As `runs`, with what is known of the folders that cannot be used."""
        runs: list[Run] = []
        problems: list[Problem] = []
        for name in self._names():
            run = None
            try:
                run = self._record(name)
                if stage not in (None, run.spec.stage):
                    continue
                run = self._checked(run)
            except (FileNotFoundError, NotADirectoryError):  # no run, or one that was removed just now
                continue
            except ConfigError as error:
                problems += [Problem(name, line, run) for line in error.lines]
                continue
            runs.append(run)
        return sorted(runs, key=_by_name), problems

    def get(self, run: Run | str) -> Run | None:
        """The run with this id; None when there is none, or a damaged one, which may be computed again.

        Raises ConfigError for one that may be whole and cannot be read now, or was written by a newer version.
        """
        try:
            return self._checked(self._record(run if isinstance(run, str) else run.run_id))
        except (FileNotFoundError, NotADirectoryError, Damaged):
            return None

    def folder(self, run_id: str) -> Path:
        """Where the run is: in its place, or beside it when its writer was killed between two renames."""
        place, beside = self.root / run_id, self.root / f"{REPLACED}{run_id}"
        return beside if not os.path.lexists(place) and os.path.lexists(beside) else place

    def has_model(self, run: Run) -> bool:
        """Whether there is a file of the trained model of `run`."""
        return self.model_file(run).is_file()

    def model_file(self, run: Run) -> Path:
        """Where the trained model of `run` is when it was kept."""
        return self.folder(run.run_id) / MODEL

    def model_is_whole(self, run: Run) -> bool:
        """Whether the model of `run` was kept and is as it was saved, with all that lies beside it. Raises ConfigError
        when that cannot be read now."""
        try:
            self.check_model(run)
        except Damaged:
            return False
        return True

    def check_model(self, run: Run, advice: str = AGAIN) -> None:
        """Raise ConfigError, with the `advice` what to do, when the model of `run` or another of its files is not there
        or not the one that was saved. Where a record has no digests at all, its files are believed."""
        folder = self.folder(run.run_id)
        for name in sorted({MODEL, *run.files}):
            try:
                digest = digest_of(folder / name)
            except FileNotFoundError as error:
                raise Damaged(f"{folder / name}: is missing; {advice}") from error
            except Damaged as error:
                raise Damaged(f"{error}; {advice}") from error
            if run.files and name not in run.files:
                raise Damaged(f"{folder / name}: was not saved with the run; {advice}")
            _compare(folder / name, run, digest, advice)

    def traceback_file(self, run: Run) -> Path:
        """Where the traceback of `run` is when it failed with one."""
        return self.folder(run.run_id) / TRACEBACK

    def save(
        self,
        run: Run,
        scores: Sequence[tuple[Scores, Sequence[str]]] = (),
        history: History = NO_HISTORY,
        write_model: Callable[[Path], None] | None = None,
        traceback: str = "",
    ) -> Path:
        """Keep `run` with its `scores` and the names of their images, its epochs and, when asked, its model; of a
        failed run what there is of them, and the `traceback` of its error. The record gets a digest of each file.

        A run of the same id is replaced. Raises OSError; the store is then as before.
        """
        self._make()
        place = self.root / run.run_id
        with atomic_folder(place, move=self._replace) as building:
            if scores:
                write_predictions(building / _PREDICTIONS, scores)
            if history:
                write_history(building / _HISTORY, history)
            if traceback:
                (building / TRACEBACK).write_text(traceback, encoding="utf-8", errors="backslashreplace")
            if write_model is not None:
                write_model(building / MODEL)
            digests = {path.name: digest_of(path) for path in sorted(building.iterdir())}
            record = run.model_copy(update={"files": digests})
            (building / _RECORD).write_text(record.model_dump_json(indent=1), encoding="utf-8")
        return place

    def history(self, run: Run) -> History:
        """The epochs of `run`. Raises ConfigError."""
        if _HISTORY not in run.files and not os.path.lexists(self.folder(run.run_id) / _HISTORY):
            return NO_HISTORY
        return self._parsed(run, _HISTORY, read_history)

    def scores(self, run: Run, split: SplitName) -> Scores:
        """The per-image scores of one split of `run`, in a type that says which. Raises ConfigError."""
        return self._parsed(run, _PREDICTIONS, lambda data: Predictions(data).scores(split))

    def images(self, run: Run, split: SplitName) -> tuple[str, ...]:
        """The names of the images of one split of `run`, in the order of its scores. Raises ConfigError."""
        return self._parsed(run, _PREDICTIONS, lambda data: Predictions(data).images(split))

    @contextmanager
    def claim(self, run_id: str) -> Iterator[bool]:
        """Whether this process may compute the run; another's claim ends with its process, however it ends."""
        self._make()
        lock = filelock.FileLock(self.root / ".claims" / f"{run_id}.lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    @contextmanager
    def scratch(self, purpose: str) -> Iterator[Path]:
        """A folder for files that nobody needs afterwards; what a killed process leaves of it is swept."""
        self._make()
        with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{purpose}-", dir=self.root) as folder:
            yield Path(folder)

    def sweep(self) -> None:
        """Remove what interrupted writers left behind, once it is a day old; a run that one was about to replace is
        put back when nothing took its place."""
        for path in sorted(self.root.glob(".*")):
            name = path.name
            with suppress(OSError, filelock.Timeout):
                if name.startswith(REPLACED):
                    with self._saving(name.removeprefix(REPLACED), timeout=0):
                        settle(path, self.root / name.removeprefix(REPLACED))
                elif is_left_aside(name) and self._put_back(path):
                    continue
                elif name.startswith(PREFIX):
                    remove_stale(path)

    def _put_back(self, old: Path) -> bool:
        """Whether `old` is a run that was moved away for one that never came, and is now in its place."""
        try:
            run_id = read_record(old / _RECORD).run_id
        except (OSError, ConfigError):
            return False
        place = self.root / run_id
        with self._saving(run_id, timeout=0):
            if os.path.lexists(place):
                return False
            os.rename(old, place)
        return True

    def _names(self) -> list[str]:
        """The folders that may be runs, in order, those between two renames among them."""
        try:
            there = os.listdir(self.root)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Unreadable(refusal(self.root, error)) from error
        replaced = {name.removeprefix(REPLACED) for name in there if name.startswith(REPLACED)}
        return sorted(replaced.union(name for name in there if not name.startswith(".")))

    def _record(self, run_id: str) -> Run:
        """The record in the folder `run_id`. Raises FileNotFoundError, NotADirectoryError or ConfigError."""
        path = self.folder(run_id) / _RECORD
        try:
            run = read_record(path)
        except FileNotFoundError:
            run = read_record(self.folder(run_id) / _RECORD)  # it may have been replaced between two looks
        if run.run_id != run_id:
            raise ConfigError(f"{path.parent}: holds the run {run.run_id}; rename the folder or delete it")
        return run

    def _checked(self, run: Run) -> Run:
        """`run`, or the one that has just replaced it, once it fits its files. Raises as `_check` does."""
        try:
            self._check(run)
        except Damaged:
            newer = self._record(run.run_id)
            if newer == run:
                raise
            self._check(newer)
            return newer
        return run

    def _check(self, run: Run) -> None:
        """Raise ConfigError when the scores or the epochs of `run` are not as they were saved, or when its figures are
        not those of the scores."""
        old = run.version <= _WITHOUT_DIGESTS and run.status == "ok"
        folder = self.folder(run.run_id)
        there = {name for name in (_PREDICTIONS, _HISTORY) if name in run.files or os.path.lexists(folder / name)}
        if _HISTORY in there or old:
            self._parsed(run, _HISTORY, read_history if _HISTORY in run.files else read_whole_history)
        if _PREDICTIONS in there or old:
            scores = self._parsed(run, _PREDICTIONS, lambda data: Predictions(data).all())
            if (fault := disagreement(run, scores)) is not None:
                raise Damaged(f"{folder}: {fault}; {AGAIN}")

    def _parsed(self, run: Run, name: str, parse: Callable[[bytes], _Result]) -> _Result:
        """What `parse` makes of a file of `run`, once it is the file that was saved. Raises ConfigError."""
        path = self.folder(run.run_id) / name
        try:
            data = read_bytes(path, _MOST_FILE)
        except FileNotFoundError as error:
            raise Damaged(f"{path}: is missing; {AGAIN}") from error
        except Damaged as error:
            raise Damaged(f"{error}; {AGAIN}") from error
        _compare(path, run, hashlib.sha256(data).hexdigest())
        try:
            return parse(data)
        except Exception as error:  # Parquet and CSV raise many kinds for a damaged file, and other faults are ours
            raise Damaged(f"{path}: cannot be read: {one_line(error)}; {AGAIN}") from error

    def _replace(self, building: Path, place: Path) -> None:
        with self._saving(place.name):
            swap(building, place)

    @contextmanager
    def _saving(self, run_id: str, timeout: float = -1) -> Iterator[None]:
        """Hold the place of a run against other writers. Raises filelock.Timeout."""
        with filelock.FileLock(self.root / ".claims" / f"{run_id}.saving", timeout=timeout):
            yield

    def _make(self) -> None:
        (self.root / ".claims").mkdir(parents=True, exist_ok=True)
        if not (self.root / _MARK).exists():
            write_text(self.root / _MARK, json.dumps({"version": STORE_VERSION}))


def _compare(path: Path, run: Run, digest: str, advice: str = AGAIN) -> None:
    """Raise Damaged when `digest` is not the one that the record of `run` has for `path`."""
    if run.files.get(path.name, digest) != digest:
        raise Damaged(f"{path}: is not the file that was saved with the run (its SHA-256 differs); {advice}")


def _by_name(run: Run) -> tuple[str, str, str, int]:
    return run.spec.dataset.title, run.spec.protocol.name, run.spec.card.name, run.spec.seed

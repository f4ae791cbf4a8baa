"""The store: one folder per run, complete or absent. There is no state but these folders.

A run is written under a temporary name (`.writing-*`) and renamed; the run that it replaces is renamed to `.replaced-*`
first. The process that computes a run claims it (`benchmark.runs.storage.claims`), and the claim ends with the process.
The record of a run contains a digest of each file, and a file that does not match is refused. Nothing is unpickled.
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
from typing import TypeVar

import filelock

from benchmark.evidence.scores import AnyScores, Scores, SplitName
from benchmark.runs.cross_validation import CrossValidatedRun, pooled_names, pooled_scores
from benchmark.runs.history import NO_HISTORY, History
from benchmark.runs.run import Run, Stage
from benchmark.runs.storage.claims import Claims
from benchmark.runs.storage.contents import (
    Predictions,
    read_history,
    read_whole_history,
    write_history,
    write_predictions,
)
from benchmark.runs.storage.files import Damaged, Unreadable, digest_of, one_line, read_bytes, refusal
from benchmark.runs.storage.index import LEAST_RUNS, Head, RunIndex, without_collection
from benchmark.runs.storage.integrity import disagreement
from benchmark.runs.storage.moves import REPLACED, finish_swap, is_unnamed_replacement, swap
from benchmark.runs.storage.records import AGAIN, MOST_BYTES, parse_record, read_record, version_of
from zoo.config.atomic import atomic_folder, write_text
from zoo.config.errors import ConfigError
from zoo.config.leftovers import PREFIX, remove_stale

STORE_VERSION = 1
MODEL = "model.keras"
"""The file of a run with its trained model, if it was kept."""

TRACEBACK = "traceback.txt"
"""The file of a failed run with the traceback of its error."""

PREDICTIONS = "predictions.parquet"
"""The file of a run with the score of every image."""

_RECORD, _HISTORY = "run.json", "history.csv"
_MARK = "store.json"
_MOST_FILE = 1024**3
_WITHOUT_DIGESTS = 2  # the last version of records without digests; finished runs had scores and epochs

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Problem:
    """A folder of a store that cannot be used.

    Attributes:
        folder: Its name.
        line: Why, in one line.
        run: Its record, if that can be read.
        damaged: Whether a file differs from what was saved; if not, it cannot be read now.
    """

    folder: str
    line: str
    run: Run | None = None
    damaged: bool = False


class Store:
    """The runs in a folder."""

    def __init__(self, root: Path, *, check_mark: bool = True) -> None:
        """Open a store.

        Args:
            root: Its folder, which is created with the first run.
            check_mark: Whether to read the file that names the version. Without it, a store whose file is damaged can
                still be examined.

        Raises:
            ConfigError: `root` is not a folder, or was written by a newer version.
            Damaged: The file that names the version is damaged.
        """
        self.root = root
        self._claims = Claims(root / ".claims")
        self._index = RunIndex(root, (PREDICTIONS, _HISTORY))
        if root.exists() and not root.is_dir():
            raise ConfigError(f"--store {root}: is a file; give a folder")
        if not check_mark:
            return
        try:
            version = version_of(json.loads(read_bytes(root / _MARK, MOST_BYTES)))
        except FileNotFoundError:
            return
        except Unreadable:
            raise
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Damaged(f"{root / _MARK}: is damaged; delete only this file, the runs remain") from error
        if version > STORE_VERSION:
            raise ConfigError(
                f"--store {root}: was written by a newer version of zoo (store version {version}, this one knows "
                f"{STORE_VERSION}); update zoo, or give another folder"
            )

    @property
    def name(self) -> str:
        """What commands and messages call the store: its folder, or the URI of which the folder is a mirror."""
        return str(self.root)

    def send(self, path: str) -> bool:
        """Send a complete part to where other machines see it. A folder needs no sending.

        Args:
            path: The part, relative to the store: a run id, or a file beside the runs.

        Returns:
            Whether the content of another machine has taken its place.
        """
        return False

    def take(self, name: str, content: bytes) -> bool:
        """Take the next place in the chain of registrations for an entry. In a folder, the caller takes it.

        Args:
            name: The name of its file.
            content: Its content.

        Returns:
            Whether the entry has the place; False if another machine has taken it.
        """
        return True

    def finish(self) -> tuple[str, ...]:
        """Send what was not sent; a line for each thing that remains. A folder has none."""
        return ()

    def runs(self, stage: Stage | None = None) -> tuple[list[Run], list[str]]:
        """List the runs.

        A folder cannot be used if its record cannot be read, a file differs from what was saved, or a figure does not
        follow from the scores.

        Args:
            stage: The stage of the runs; all by default.

        Returns:
            The runs by data set, protocol, card and seed, and one line for each folder that cannot be used.

        Raises:
            ConfigError: The store cannot be read.
        """
        runs, problems = self.survey(stage)
        return runs, [problem.line for problem in problems]

    @without_collection()
    def survey(self, stage: Stage | None = None, *, indexed: bool = True) -> tuple[list[Run], list[Problem]]:
        """List runs as `runs` does.

        Args:
            stage: The stage of the runs; all by default.
            indexed: Whether runs that the index of the store contains, and that have not changed since, are not
                checked again.

        Returns:
            The runs, and a `Problem` for each folder that cannot be used.

        Raises:
            ConfigError: The store cannot be read.
        """
        runs: list[Run] = []
        problems: list[Problem] = []
        names = self._names()
        index = self._index if indexed and len(names) >= LEAST_RUNS else None
        for name in names:
            run = None
            try:
                sight = None if index is None else index.sight(self.folder(name))
                if index is not None and sight is not None and (known := index.stage(name, sight)) is not None:
                    if stage not in (None, known):
                        continue
                    if (run := index.read(name, sight)) is not None:
                        runs.append(run)
                        continue
                recorded = run = self._record(name, None if sight is None else sight.data)
                if stage not in (None, run.spec.stage):
                    continue
                run = self._checked(run)
            except (FileNotFoundError, NotADirectoryError):  # not a run, or removed by another process
                continue
            except ConfigError as error:
                problems += [Problem(name, line, run, isinstance(error, Damaged)) for line in error.lines]
                continue
            if index is not None and sight is not None and run is recorded:
                index.add(name, sight, run)
            runs.append(run)
        if index is not None:
            index.save(names)
        return sorted(runs, key=_by_name), problems

    @without_collection()
    def heads(self) -> list[Head]:
        """What the readable records say about their runs, without figures and without a check of other files."""
        heads: list[Head] = []
        names = self._names() if self.root.is_dir() else []
        for name in names:
            head = self._index.head(name, self.folder(name)) if len(names) >= LEAST_RUNS else None
            if head is None:
                try:
                    run = read_record(self.folder(name) / _RECORD)
                except (OSError, ConfigError):  # whoever uses the run reports it
                    continue
                head = Head(run.run_id, run.spec, run.status, run.finished)
            heads.append(head)
        return heads

    def get(self, run: Run | str) -> Run | None:
        """Find a run.

        Args:
            run: Its id, or a record with this id.

        Returns:
            The stored run; None if it is missing or damaged, so that it must be computed.

        Raises:
            ConfigError: It may be intact, but cannot be read or was written by a newer version.
        """
        try:
            return self._checked(self._record(run if isinstance(run, str) else run.run_id))
        except (FileNotFoundError, NotADirectoryError, Damaged):
            return None

    def folder(self, run_id: str) -> Path:
        """The folder of a run, also if a process was killed while it replaced the run."""
        target, replaced = self.root / run_id, self.root / f"{REPLACED}{run_id}"
        return replaced if not os.path.lexists(target) and os.path.lexists(replaced) else target

    def has_model(self, run: Run) -> bool:
        """Whether the model file of `run` exists."""
        return self.model_file(run).is_file()

    def model_file(self, run: Run) -> Path:
        """The path of the model file of `run`, which exists if the model was kept."""
        return self.folder(run.run_id) / MODEL

    def model_is_whole(self, run: Run) -> bool:
        """Whether the model and the other files of `run` exist as they were saved. Raises ConfigError."""
        try:
            self.check_model(run)
        except Damaged:
            return False
        return True

    def check_model(self, run: Run, advice: str = AGAIN) -> None:
        """Check that the model and the other files of a run exist as they were saved.

        Files of an old record, which has no digests, are not compared.

        Args:
            run: The run.
            advice: The remedy that the error gives.

        Raises:
            ConfigError: A file is missing, differs, or cannot be read.
        """
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
        """The path of the traceback of `run`, which exists if it failed with one."""
        return self.folder(run.run_id) / TRACEBACK

    def save(
        self,
        run: Run,
        scores: Sequence[tuple[AnyScores, Sequence[str]]] = (),
        history: History = NO_HISTORY,
        write_model: Callable[[Path], None] | None = None,
        traceback: str = "",
    ) -> Path:
        """Store a run atomically; a run with the same id is replaced.

        Args:
            run: The record, to which a digest of each file is added.
            scores: Scores, each with the names of its images.
            history: Epochs of the training.
            write_model: Writes the model to a path, if it is to be kept.
            traceback: The traceback of a failed run's error; empty for none.

        Returns:
            The folder of the run.

        Raises:
            OSError: The run cannot be written. The store is then unchanged.
        """
        self._make()
        target = self.root / run.run_id
        with atomic_folder(target, move=self._replace) as building:
            if scores:
                write_predictions(building / PREDICTIONS, scores)
            if history:
                write_history(building / _HISTORY, history)
            if traceback:
                (building / TRACEBACK).write_text(traceback, encoding="utf-8", errors="backslashreplace")
            if write_model is not None:
                write_model(building / MODEL)
            digests = {path.name: digest_of(path) for path in sorted(building.iterdir())}
            record = run.model_copy(update={"files": digests})
            (building / _RECORD).write_text(record.model_dump_json(indent=1), encoding="utf-8")
        return target

    def adopt(self, folder: Path, run_id: str) -> None:
        """Give a complete folder of a run, which lies in the store under another name, its place. Raises OSError."""
        self._replace(folder, self.root / run_id)

    def remove(self, run_id: str) -> None:
        """Remove a run. Raises OSError."""
        with self._saving(run_id), self.scratch("removed") as rest:
            os.rename(self.folder(run_id), rest / run_id)

    def history(self, run: Run) -> History:
        """The epochs of `run`. Raises ConfigError."""
        if _HISTORY not in run.files and not os.path.lexists(self.folder(run.run_id) / _HISTORY):
            return NO_HISTORY
        return self._parsed(run, _HISTORY, read_history)

    def scores(self, run: Run, split: SplitName) -> AnyScores:
        """The scores per image of one split of `run`, as `Predictions.scores` types them.

        Args:
            run: A run of this store, or its folds as one run.
            split: The split.

        Returns:
            The scores; those of several folds have a fold per image.

        Raises:
            ConfigError: They cannot be read.
        """
        if isinstance(run, CrossValidatedRun):
            names = [self.images(fold, split) for fold in run.folds]
            return pooled_scores([self.scores(fold, split) for fold in run.folds], names)
        facts = run.spec.dataset
        return self._parsed(
            run, PREDICTIONS, lambda data: Predictions(data).scores(split, facts.classes, ordered=facts.ordered)
        )

    def binary_scores(self, run: Run, split: SplitName) -> Scores:
        """The scores of one split of a run on two classes. Raises ConfigError, also for more classes."""
        scores = self.scores(run, split)
        if not isinstance(scores, Scores):
            raise ConfigError(f"{run.spec.card.name}: its data have {len(scores.classes)} classes; two are needed here")
        return scores

    def images(self, run: Run, split: SplitName) -> tuple[str, ...]:
        """The names of the images of one split of `run`, in the order of its scores. Raises ConfigError."""
        if isinstance(run, CrossValidatedRun):
            return pooled_names([self.images(fold, split) for fold in run.folds])[0]
        return self._parsed(run, PREDICTIONS, lambda data: Predictions(data).images(split))

    @contextmanager
    def claim(self, run_id: str) -> Iterator[bool]:
        """Claim a run for this process; False if another process, which is still alive, has claimed it."""
        self._make()
        with self._claims.claim(run_id) as is_mine:
            yield is_mine

    def is_claimed(self, run_id: str) -> bool:
        """Whether a living process has claimed the run `run_id`; False if that cannot be found out."""
        return self._claims.is_claimed(run_id)

    @contextmanager
    def scratch(self, purpose: str) -> Iterator[Path]:
        """A temporary folder in the store; `sweep` removes it if the process is killed."""
        self._make()
        with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{purpose}-", dir=self.root) as folder:
            yield Path(folder)

    def sweep(self) -> None:
        """Remove leftovers of killed processes that are a day old, and restore replaced runs without a successor."""
        for path in sorted(self.root.glob(".*")):
            name = path.name
            with suppress(OSError, filelock.Timeout):
                if name.startswith(REPLACED):
                    with self._saving(name.removeprefix(REPLACED), timeout=0):
                        finish_swap(path, self.root / name.removeprefix(REPLACED))
                elif is_unnamed_replacement(name) and self._put_back(path):
                    continue
                elif name.startswith(PREFIX):
                    remove_stale(path)

    def _put_back(self, old: Path) -> bool:
        """Restore the replaced run in `old` if it has no successor; False if it has one or is no run."""
        try:
            run_id = read_record(old / _RECORD).run_id
        except (OSError, ConfigError):
            return False
        target = self.root / run_id
        with self._saving(run_id, timeout=0):
            if os.path.lexists(target):
                return False
            os.rename(old, target)
        return True

    def _names(self) -> list[str]:
        """Names of the folders that may be runs, in order, including runs that are being replaced."""
        try:
            entries = os.listdir(self.root)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Unreadable(refusal(self.root, error)) from error
        replaced = {name.removeprefix(REPLACED) for name in entries if name.startswith(REPLACED)}
        return sorted(replaced.union(name for name in entries if not name.startswith(".")))

    def _record(self, run_id: str, content: bytes | None = None) -> Run:
        """The record in the folder `run_id`, of which the `content` may have been read.

        Raises FileNotFoundError, NotADirectoryError or ConfigError.
        """
        path = self.folder(run_id) / _RECORD
        try:
            run = read_record(path) if content is None else parse_record(path, content)
        except FileNotFoundError:
            run = read_record(self.folder(run_id) / _RECORD)  # it may have been replaced in between
        if run.run_id != run_id:
            raise ConfigError(f"{path.parent}: contains the run {run.run_id}; rename the folder or delete it")
        return run

    def _checked(self, run: Run) -> Run:
        """`run`, or the one that has just replaced it, after a check of its files. Raises as `_check` does."""
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
        """Raise ConfigError if scores or epochs of `run` differ from what was saved, or figures from the scores."""
        old = run.version <= _WITHOUT_DIGESTS and run.status == "ok"
        folder = self.folder(run.run_id)
        names = {name for name in (PREDICTIONS, _HISTORY) if name in run.files or os.path.lexists(folder / name)}
        if _HISTORY in names or old:
            self._parsed(run, _HISTORY, read_history if _HISTORY in run.files else read_whole_history)
        if PREDICTIONS in names or old:
            facts = run.spec.dataset
            scores = self._parsed(
                run, PREDICTIONS, lambda data: Predictions(data).all(facts.classes, ordered=facts.ordered)
            )
            if (fault := disagreement(run, scores)) is not None:
                raise Damaged(f"{folder}: {fault}; {AGAIN}")

    def _parsed(self, run: Run, name: str, parse: Callable[[bytes], _Result]) -> _Result:
        """Parse a file of `run`, after a check that it is the one that was saved. Raises ConfigError."""
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
        except Exception as error:  # Parquet and CSV raise errors of many kinds for a damaged file
            raise Damaged(f"{path}: cannot be read: {one_line(error)}; {AGAIN}") from error

    def _replace(self, building: Path, target: Path) -> None:
        with self._saving(target.name):
            swap(building, target)

    @contextmanager
    def _saving(self, run_id: str, timeout: float = -1) -> Iterator[None]:
        """Lock a run against other writers. Raises filelock.Timeout."""
        with filelock.FileLock(self.root / ".claims" / f"{run_id}.saving", timeout=timeout):
            yield

    def _make(self) -> None:
        (self.root / ".claims").mkdir(parents=True, exist_ok=True)
        if not (self.root / _MARK).exists():
            write_text(self.root / _MARK, json.dumps({"version": STORE_VERSION}))


def _compare(path: Path, run: Run, digest: str, advice: str = AGAIN) -> None:
    """Raise Damaged if `digest` differs from that of `path` in the record of `run`."""
    if run.files.get(path.name, digest) != digest:
        raise Damaged(f"{path}: is not the file that was saved with the run (its SHA-256 differs); {advice}")


def _by_name(run: Run) -> tuple[str, str, str, int, tuple[int, int]]:
    spec = run.spec
    return spec.dataset.title, spec.protocol.name, spec.card.name, spec.seed, spec.fold or (0, 0)

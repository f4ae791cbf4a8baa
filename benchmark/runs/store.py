"""The store: one folder a run, whole or not at all. The directory is the state.

A run is written beside its place (`.writing-*`) and renamed into it; who computes it holds a lock file that the
operating system releases with the process. Nothing is ever unpickled.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import filelock
from pydantic import ValidationError

from benchmark.evidence.scores import Scores, SplitName, TestScores, ValidationScores
from benchmark.runs.run import RECORD_VERSION, Run
from zoo.strict_yaml import ConfigError

STORE_VERSION = 1
TRACEBACK = "traceback.txt"
"""The file in a failed run's folder that says where in the program it failed."""

_MARK = "store.json"
_STALE_S = 24 * 3600
_AGAIN = "delete its folder and run the card again"


class Store:
    """Runs in the folder `root`, which is made on the first write.

    Raises ConfigError when `root` is not a folder, or was written by a newer version.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if root.exists() and not root.is_dir():
            raise ConfigError(f"--store {root}: is a file; give a folder")
        try:
            version = int(json.loads((root / _MARK).read_text(encoding="utf-8"))["version"])
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigError(f"{root / _MARK}: is damaged; delete this one file, the runs are kept") from error
        if version > STORE_VERSION:
            raise ConfigError(
                f"--store {root}: was written by a newer version of zoo (store version {version}, this one knows "
                f"{STORE_VERSION}); update zoo, or give another folder"
            )

    def runs(self, stage: Literal["bench", "search"] | None = None) -> tuple[list[Run], list[str]]:
        """All runs, or those of one stage, by card, data and seed, and a line for every folder that cannot be read."""
        found: list[Run] = []
        problems: list[str] = []
        for path in sorted(self.root.glob("*/run.json")):
            if path.parent.name.startswith("."):
                continue
            try:
                run = _read(path)
            except FileNotFoundError:  # replaced by another process just now
                continue
            except ConfigError as error:
                problems += error.lines
                continue
            if run.run_id == path.parent.name:
                found.append(run)
            else:
                problems.append(f"{path.parent}: holds the run {run.run_id}; rename the folder or delete it")
        return sorted((run for run in found if stage in (None, run.spec.stage)), key=_by_name), problems

    def get(self, run: Run | str) -> Run | None:
        """The run with this id; None when there is none that can be read."""
        path = self._folder(run if isinstance(run, str) else run.run_id) / "run.json"
        try:
            return _read(path)
        except (FileNotFoundError, ConfigError):
            return None

    def has_model(self, run: Run) -> bool:
        """Whether the trained model of `run` was kept."""
        return self.model_file(run).is_file()

    def model_file(self, run: Run) -> Path:
        """Where the trained model of `run` is when it was kept."""
        return self._folder(run.run_id) / "model.keras"

    def traceback_file(self, run: Run) -> Path:
        """Where the traceback of `run` is when it failed with one."""
        return self._folder(run.run_id) / TRACEBACK

    def save(
        self,
        run: Run,
        scores: Sequence[tuple[Scores, Sequence[str]]] = (),
        history: Sequence[Mapping[str, Any]] = (),
        write_model: Callable[[Path], None] | None = None,
        traceback: str = "",
    ) -> Path:
        """Keep `run` with its `scores` and the names of their images, its epochs and, when asked, its model; of a
        failed run what there is of them, and the `traceback` of its error.

        A run of the same id is replaced. Raises OSError; the store is then as before.
        """
        self._make()
        place = self._folder(run.run_id)
        building = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.root))
        try:
            building.chmod(0o755)
            if scores:
                _write_predictions(building / "predictions.parquet", scores)
            if history:
                _write_history(building / "history.csv", history)
            if traceback:
                (building / TRACEBACK).write_text(traceback, encoding="utf-8", errors="backslashreplace")
            if write_model is not None:
                write_model(building / "model.keras")
            write_whole(building / "run.json", run.model_dump_json(indent=1))
            with filelock.FileLock(self.root / ".claims" / f"{run.run_id}.saving"):
                _swap(building, place)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return place

    def history(self, run: Run) -> list[dict[str, str]]:
        """The epochs of `run` as text, in order; empty when it has none."""
        path = self._folder(run.run_id) / "history.csv"
        if not path.is_file():
            return []
        try:
            with path.open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))
        except (OSError, ValueError, csv.Error) as error:
            raise ConfigError(f"{path}: cannot be read: {error}; {_AGAIN}") from error

    def scores(self, run: Run, split: SplitName) -> Scores:
        """The per-image scores of one split of `run`, in a type that says which. Raises ConfigError."""
        path = self._folder(run.run_id) / "predictions.parquet"
        try:
            import pyarrow.parquet as pq

            rows = pq.read_table(path, filters=[("split", "=", split)]).to_pydict()
            kind = {"val": ValidationScores, "test": TestScores}.get(split, Scores)
            patients = None if None in rows["patient"] else tuple(rows["patient"])
            return kind(split, rows["y_true"], rows["y_score"], patients)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}; {_AGAIN}") from error

    def images(self, run: Run, split: SplitName) -> tuple[str, ...]:
        """The names of the images of one split of `run`, in the order of its scores. Raises ConfigError."""
        path = self._folder(run.run_id) / "predictions.parquet"
        try:
            import pyarrow.parquet as pq

            return tuple(pq.read_table(path, columns=["image"], filters=[("split", "=", split)])["image"].to_pylist())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}; {_AGAIN}") from error

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

    def sweep(self) -> None:
        """Remove what interrupted writers left behind, once it is a day old."""
        for path in self.root.glob(".writing-*"):
            try:
                if time.time() - path.stat().st_mtime > _STALE_S:
                    shutil.rmtree(path, ignore_errors=True)
            except OSError:
                continue

    def _make(self) -> None:
        (self.root / ".claims").mkdir(parents=True, exist_ok=True)
        if not (self.root / _MARK).exists():
            write_whole(self.root / _MARK, json.dumps({"version": STORE_VERSION}))

    def _folder(self, run_id: str) -> Path:
        return self.root / run_id


def _swap(building: Path, place: Path) -> None:
    """Put `building` in the place of `place`, which is put back when that fails."""
    old = building.with_name(f"{building.name}-old")
    if place.exists():
        os.rename(place, old)
    try:
        os.rename(building, place)
    except OSError:
        if old.exists():
            os.rename(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _by_name(run: Run) -> tuple[str, str, str, int]:
    return run.spec.dataset.title, run.spec.protocol.name, run.spec.card.name, run.spec.seed


def _read(path: Path) -> Run:
    """The run in `path`. Raises FileNotFoundError, or ConfigError when it cannot be used."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = data["version"]
        if version > RECORD_VERSION:
            raise ConfigError(
                f"{path}: was written by a newer version of zoo (record version {version}, this one knows "
                f"{RECORD_VERSION}); update zoo"
            )
        run = Run.model_validate(data)
    except ConfigError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{path}: {where}: {first['msg']}; {_AGAIN}") from error
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path}: is damaged ({error}); {_AGAIN}") from error
    return run


def _write_predictions(path: Path, scores: Sequence[tuple[Scores, Sequence[str]]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[Any]] = {"split": [], "image": [], "patient": [], "y_true": [], "y_score": []}
    for part, names in scores:
        columns["split"] += [part.split] * len(part)
        columns["image"] += names
        columns["patient"] += part.patient or [None] * len(part)
        columns["y_true"] += part.y_true.tolist()
        columns["y_score"] += part.y_score.tolist()
    pq.write_table(pa.table(columns), path)


def _write_history(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_whole(path: Path, text: str) -> None:
    """Write `text` through a temporary file, on disk before the name is: a crash leaves the old file or the new one.

    Raises OSError, which names `path`.
    """
    handle, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

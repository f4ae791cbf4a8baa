"""Tasks: runs that processes on other machines compute, described in one JSON file of the store.

A task contains no pickled object, so whoever can write the store cannot make a task run other code than that of the
installed packages and of the script that started the command.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from benchmark.runs.execution.engines.engine import Work
from benchmark.runs.execution.limits import Limits
from benchmark.runs.execution.main_module import registration_of
from benchmark.runs.run import RunSpec
from zoo.config.atomic import write_text
from zoo.config.errors import ConfigError
from zoo.config.strict import Strict
from zoo.models.registry import Unfrozen

ENGINES = ".engines"
"""The folder of a store with the tasks of engines."""

_TASKS = "tasks.json"


class Task(Strict):
    """One run.

    Attributes:
        spec: Its specification.
        module: The module that registers its builder, if any.
        file: The script that registers its builder, if no module does.
    """

    spec: RunSpec
    module: str | None = None
    file: str | None = None


class Tasks(Strict):
    """The tasks of one submission.

    Attributes:
        working_folder: The folder that relative paths of data begin at.
        store: The store, which every machine must see under this path.
        tasks: One per run.
        registration: Digest of the registration that contains the runs.
        seconds: Time limit of each run.
        memory_gib: Memory limit of each run.
        also_unfrozen: Unfrozen layers that later runs will have.
        threads: Number of threads of each run; None for one per core of the machine.
    """

    working_folder: str
    store: str
    tasks: tuple[Task, ...]
    registration: str | None = None
    seconds: float | None = None
    memory_gib: float | None = None
    also_unfrozen: tuple[Unfrozen, ...] = ()
    threads: int | None = None

    @property
    def limits(self) -> Limits:
        """The limits of each run."""
        return Limits(self.seconds, self.memory_gib)


class TaskFolders:
    """The folders of the tasks of a command, which are removed when all their runs have finished."""

    def __init__(self) -> None:
        """Begin without folders."""
        self._used: set[Path] = set()
        self._kept: set[Path] = set()

    def add(self, folder: Path) -> None:
        """Add a folder."""
        self._used.add(folder)

    def keep(self, folder: Path) -> None:
        """Let a folder stay, for its logs."""
        self._kept.add(folder)

    def tidy(self) -> None:
        """Remove the folders, except those that stay."""
        for folder in self._used - self._kept:
            shutil.rmtree(folder, ignore_errors=True)
        self._used.clear()


def write_tasks(work: Work, specs: Sequence[RunSpec], engine: str, threads: int | None) -> Path:
    """Describe runs in a new folder of the store.

    Args:
        work: What the runs share.
        specs: The runs, in the order of their tasks.
        engine: Name of the engine, for the name of the folder.
        threads: Number of threads of each run; None for one per core of the machine.

    Returns:
        The absolute path of the folder.

    Raises:
        ConfigError: A builder is registered in an interactive session.
        OSError: The store cannot be written.
    """
    folder = new_folder(work.store.root.absolute() / ENGINES, engine)
    tasks = Tasks(
        working_folder=os.getcwd(),
        store=str(work.store.root.absolute()),
        tasks=tuple(_task(spec) for spec in specs),
        registration=work.registration,
        seconds=work.limits.seconds,
        memory_gib=work.limits.memory_gib,
        also_unfrozen=tuple(work.also_unfrozen),
        threads=threads,
    )
    write_text(folder / _TASKS, tasks.model_dump_json(indent=1))
    return folder


def new_folder(parent: Path, engine: str) -> Path:
    """Make a folder for tasks that other users can read, named for the engine and the time. Raises OSError."""
    parent.mkdir(parents=True, exist_ok=True)
    time = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = Path(tempfile.mkdtemp(prefix=f"{engine}-{time}-", dir=parent))
    folder.chmod(0o755)
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a folder for tasks that were not submitted, and the folder of all tasks if it contains nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()


def read_tasks(folder: Path) -> Tasks:
    """Read the tasks in a folder. Raises ConfigError if they are no tasks of this version, and OSError."""
    path = folder / _TASKS
    try:
        return Tasks.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{path}: {where}: {first['msg']}; submit the runs again with this version") from error


def error_file(folder: Path, index: int) -> Path:
    """Return the path of the file in which a task reports why it could not begin its run."""
    return folder / f"{index}.error"


def _task(spec: RunSpec) -> Task:
    where = registration_of(spec.card.model.builder)
    return Task(spec=spec, module=where.module, file=None if where.file is None else str(Path(where.file).absolute()))

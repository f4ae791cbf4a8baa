"""Computes one task on any machine, as a run of the local engine: claimed, limited and stored.

`python -m benchmark.runs.execution.engines.compute_task FOLDER INDEX` is what batch systems start.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from benchmark.data.dataset import DataError, Dataset
from benchmark.data.sources import open_dataset
from benchmark.runs.execution.engines.tasks import error_file, read_tasks
from benchmark.runs.execution.execute import execute_all
from benchmark.runs.execution.main_module import Registration
from benchmark.runs.run import DatasetFacts, Run
from benchmark.runs.storage.store import Store
from zoo.config.errors import ConfigError


def compute(folder: Path, index: int) -> Run:
    """Compute a task of a folder, unless the store has the run.

    Args:
        folder: The folder of the tasks.
        index: The number of the task, from 0.

    Returns:
        The stored run. A run that fails is a record with an error.

    Raises:
        ConfigError: The tasks, the store, or the builder cannot be used.
        DataError: This machine does not have the images of the run.
        OSError: The store cannot be written.
    """
    tasks = read_tasks(folder)
    task = tasks.tasks[index]
    os.chdir(tasks.working_folder)
    Registration(task.spec.card.model.builder, task.module, task.file).ensure()
    dataset = open_again(task.spec.dataset)
    (run,) = execute_all(
        [task.spec],
        dataset,
        Store(Path(tasks.store)),
        also_unfrozen=tasks.also_unfrozen,
        limits=tasks.limits,
        registration=tasks.registration,
        threads=tasks.threads,
    )
    return run


def open_again(facts: DatasetFacts) -> Dataset:
    """Open the data set of a run.

    Args:
        facts: What the run records about it.

    Returns:
        The data set.

    Raises:
        DataError: Its source cannot be opened here, or has other images.
    """
    dataset = open_dataset(
        facts.source, patient_pattern=facts.patient_pattern, positive=facts.positive, hold_out=facts.hold_out
    )
    if dataset.fingerprint != facts.fingerprint:
        raise DataError(
            f"{facts.source}: has other images here than where the runs were planned; give a folder that all machines "
            "share"
        )
    return dataset


def main(arguments: list[str]) -> int:
    """Compute the task that the arguments name: a folder and a number.

    Args:
        arguments: The words after the name of the module.

    Returns:
        The exit code: 0 for a finished run, 1 for a failed one, 2 if the run could not begin.
    """
    folder, index = Path(arguments[0]), int(arguments[1])
    try:
        return 0 if compute(folder, index).status == "ok" else 1
    except (ConfigError, DataError, OSError) as error:
        line = " ".join(str(error).split())
        print(f"zoo: {line}", file=sys.stderr)
        error_file(folder, index).write_text(line, encoding="utf-8")
        return 2


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # releases the claim on the way out
    sys.exit(main(sys.argv[1:]))

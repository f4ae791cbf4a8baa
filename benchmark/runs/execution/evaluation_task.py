"""Computes one evaluation of a stored model, in this process or as a task of an engine.

`python -m benchmark.runs.execution.evaluation_task FOLDER INDEX` is what engines on other machines start.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from benchmark.data.classes import one_class_is_enough
from benchmark.data.dataset import DataError, Dataset
from benchmark.runs.deployment.multiclass import any_decider_of
from benchmark.runs.deployment.outside import Watch, choose_images, evaluate_images
from benchmark.runs.execution.engines.compute_task import open_again
from benchmark.runs.execution.engines.tasks import ENGINES, error_file, new_folder
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.evaluations import Evaluation, EvaluationSpec, model_digest, stored_evaluation
from benchmark.runs.storage.store import Store
from zoo.config.atomic import write_text
from zoo.config.errors import ConfigError
from zoo.config.strict import Strict

MODULE = "benchmark.runs.execution.evaluation_task"
"""The name of this module."""

_TASKS = "tasks.json"


class EvaluationTasks(Strict):
    """The evaluations of one submission.

    Attributes:
        working_folder: The folder that relative paths of data begin at.
        store: The store, which every machine must see under this path.
        tasks: One per evaluation.
        threads: Number of threads of each.
    """

    working_folder: str
    store: str
    tasks: tuple[EvaluationSpec, ...]
    threads: int


def write_evaluation_tasks(store: Store, specs: Sequence[EvaluationSpec], engine: str, threads: int) -> Path:
    """Describe evaluations in a new folder of the store.

    Args:
        store: The store of the runs.
        specs: The evaluations, in the order of their tasks.
        engine: Name of the engine, for the name of the folder.
        threads: Number of threads of each.

    Returns:
        The absolute path of the folder.

    Raises:
        OSError: The store cannot be written.
    """
    root = store.root.absolute()
    folder = new_folder(root / ENGINES, engine)
    tasks = EvaluationTasks(working_folder=os.getcwd(), store=str(root), tasks=tuple(specs), threads=threads)
    write_text(folder / _TASKS, tasks.model_dump_json(indent=1))
    return folder


def compute_evaluation(
    spec: EvaluationSpec,
    dataset: Dataset,
    run: Run,
    store: Store,
    threads: int | None = None,
    watch: Watch = lambda predictions, total: predictions,
) -> Evaluation:
    """Apply the model of a run to the images of an evaluation, and store the result.

    Args:
        spec: The evaluation.
        dataset: Its images.
        run: Its run.
        store: The store that contains the run.
        threads: Number of threads; None for one per core that this process may use.
        watch: Wraps the predictions.

    Returns:
        The stored evaluation.

    Raises:
        ConfigError: The model cannot be read, or no image gets a score.
        DataError: Pixels cannot be read, or all images are those of the model.
        OSError: The store cannot be written.
    """
    images = choose_images(dataset, spec.part, run, store)
    return evaluate_images(spec, dataset, images, run, store, any_decider_of(run, store), watch, threads)


def compute(folder: Path, index: int) -> Evaluation:
    """Compute a task of a folder, unless the store has the evaluation.

    Args:
        folder: The folder of the tasks.
        index: The number of the task, from 0.

    Returns:
        The stored evaluation.

    Raises:
        ConfigError: The tasks, the store, the run or its model cannot be used.
        DataError: This machine does not have the images.
        OSError: The store cannot be written.
    """
    try:
        tasks = EvaluationTasks.model_validate_json((folder / _TASKS).read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{folder / _TASKS}: {first['msg']}; evaluate again with this version") from error
    spec, store = tasks.tasks[index], Store(Path(tasks.store))
    os.chdir(tasks.working_folder)
    if (stored := stored_evaluation(store, spec.evaluation_id)) is not None:
        return stored
    run = store.get(spec.run_id)
    if run is None or model_digest(run, store) != spec.model:
        raise ConfigError(f"--store {store.root}: the model of run {spec.run_id} changed; evaluate it again")
    with one_class_is_enough():
        dataset = open_again(spec.data)
    return compute_evaluation(spec, dataset, run, store, tasks.threads)


def main(arguments: list[str]) -> int:
    """Compute the task that the arguments name: a folder and a number.

    Args:
        arguments: The words after the name of the module.

    Returns:
        The exit code: 0 for a stored evaluation, 2 for none.
    """
    folder, index = Path(arguments[0]), int(arguments[1])
    try:
        compute(folder, index)
    except (ConfigError, DataError, OSError) as error:
        line = " ".join(str(error).split())
        print(f"zoo: {line}", file=sys.stderr)
        error_file(folder, index).write_text(line, encoding="utf-8")
        return 2
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(sys.argv[1:]))

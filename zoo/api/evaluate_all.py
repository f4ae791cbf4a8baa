"""`zoo.evaluate_all`: applies several stored models to the images of several sources, here or on other machines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.data.classes import one_class_is_enough
from benchmark.data.dataset import DataError, Dataset
from benchmark.data.sources import check_source
from benchmark.runs.deployment.model_files import stored_models
from benchmark.runs.deployment.outside import choose_images
from benchmark.runs.execution.engines.tasks import ENGINES
from benchmark.runs.execution.engines.unit import MakeQueue, Program
from benchmark.runs.execution.evaluation_task import MODULE, compute_evaluation, write_evaluation_tasks
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.evaluations import EvaluationSpec, stored_evaluation
from benchmark.runs.storage.beside.remembered import SourceOptions
from benchmark.runs.storage.lookup import resolve_runs
from benchmark.runs.storage.store import Store
from reports.render.terminal.outside import COLUMNS, outside_rows
from reports.results.outside.validation import OutsideValidation
from zoo.api.arguments.conditions import open_data
from zoo.api.arguments.engines import resolve_engine
from zoo.api.arguments.inputs import PathLike, as_declared, resolve_among, resolve_existing_store
from zoo.api.evaluate import EvaluateResults, EvaluationRequest, results_of, warn_of_repeated
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.config.arguments import PATH, one_of_types
from zoo.config.errors import ConfigError

OnLine = Callable[[str], None]
"""Called with each line about progress."""


@dataclass(frozen=True)
class EvaluatedRow:
    """One model on one source.

    Attributes:
        run: The run.
        data: The source, as given.
        results: Its external validation; None if it failed.
        error: Why it failed, in one line; None if it did not.
    """

    run: Run
    data: str
    results: EvaluateResults | None
    error: str | None = None

    @property
    def name(self) -> str:
        """The card and the seed."""
        return f"{self.run.spec.card.name}:{self.run.spec.seed_text}"

    @property
    def validation(self) -> OutsideValidation | None:
        """The figures; None if it failed."""
        return None if self.results is None else self.results.validation


@dataclass(frozen=True)
class EvaluateAllResults:
    """External validations of several models on several sources.

    Attributes:
        rows: One per model and source, in the order given.
        messages: Lines that begin with `warning:` or `note:`.
    """

    rows: tuple[EvaluatedRow, ...]
    messages: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[EvaluatedRow, ...]:
        """The rows without a validation."""
        return tuple(row for row in self.rows if row.results is None)

    def to_dict(self) -> dict[str, Any]:
        """The document that `zoo evaluate --json` prints for several models or sources."""
        return {
            "evaluations": [
                {
                    "run": row.run.run_id,
                    "card": row.run.spec.card.name,
                    "seed": row.run.spec.seed_text,
                    "data": row.data,
                }
                | ({"error": row.error} if row.results is None else row.results.to_dict())
                for row in self.rows
            ]
        }

    def table(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """The columns and the rows of `zoo evaluate --csv` for several: those of one, after the run and the source."""
        rows: list[tuple[Any, ...]] = []
        for row in self.rows:
            head = (row.run.run_id, row.run.spec.card.name, row.run.spec.seed_text, row.data)
            if row.results is None:
                rows.append((*head, *(None,) * (len(COLUMNS) - 1), row.error))
            else:
                rows += [(*head, *cells) for cells in outside_rows(row.results.validation)]
        return ("run", "card", "seed", "data", *COLUMNS), rows


def evaluate_all(
    runs: str | Run | Iterable[str | Run],
    data: PathLike | Iterable[PathLike],
    *,
    store: PathLike | Store = "runs",
    part: str = "all",
    class_map: str | Mapping[str, str | Iterable[str]] | None = None,
    recalibrate_on: float = 0.5,
    split_seed: int = 0,
    patients: str | None = None,
    positive: str | None = None,
    hold_out: str | None = None,
    run_data: PathLike | None = None,
    protocol: str | None = None,
    engine: str = "local",
    engine_options: Mapping[str, object] | None = None,
    cores: int | None = None,
    on_line: OnLine = silent,
    on_message: OnMessage = silent,
) -> EvaluateAllResults:
    """Evaluate several stored models on several sources, as `zoo evaluate` does with several names or `--data`.

    Each model on each source is one evaluation, with the result of `evaluate`. One that fails is a row with its reason,
    and the others continue. The same call reuses stored evaluations and computes the others.

    Args:
        runs: Runs, or names as of `evaluate`. A card means its runs of all seeds.
        data: One or several sources.
        store: The folder that contains the runs, or a Store.
        part: As of `evaluate`; so are the arguments up to `protocol`.
        class_map: Classes of the sources that are not named as in the model.
        recalibrate_on: The share of the images on which a second version is recalibrated.
        split_seed: Seed of this division.
        patients: Regular expression for file names.
        positive: The positive class of two.
        hold_out: COLUMN=VALUE; the images with this value become the part `test`.
        run_data: The source of the runs; None for any.
        protocol: The name of the protocol of the runs; None for any.
        engine: Where evaluations are computed: `local`, one after the other in this process, `slurm` or `ray`.
        engine_options: Options of the engine, as of `bench`.
        cores: Number of cores, and of threads, of each evaluation; None takes all that this process may use, and one
            elsewhere.
        on_line: Called with a line when an evaluation begins, ends or fails.
        on_message: Called with each warning and note when it arises; the result collects them too.

    Returns:
        One row per model and source.

    Raises:
        ConfigError: A run is unknown, an argument cannot be used, or the engine cannot be used.
        DataError: A source cannot be read; nothing is computed then.
        OSError: The store cannot be written.
    """
    sent = set[str]()

    def once(line: str) -> None:
        if line not in sent:  # all seeds of a card have the same notes
            sent.add(line)
            on_message(line)

    messages = Messages(once)
    request = EvaluationRequest.of(part, class_map, recalibrate_on, split_seed, positive)
    one_of_types("runs", runs, (str, Run, Iterable), "runs, their ids, CARD or CARD:SEED")
    one_of_types("data", data, (*PATH, Iterable), "a source such as a folder or an .npz file, or several")
    sources: list[PathLike] = [data] if isinstance(data, (str, os.PathLike)) else list(data)
    for each in sources:
        one_of_types("data", each, PATH, "a source such as a folder or an .npz file, or several")
    source = resolve_existing_store(store)
    choice = resolve_engine(engine, engine_options, cores, sources)
    queue = choice.queue()
    chosen = _resolve_all(runs, source, messages, run_data, protocol)
    datasets = _open_all(sources, SourceOptions(patients, positive, None, hold_out), source, messages)
    units = [
        _unit(run, str(name), dataset, request, source, messages, on_line)
        for name, dataset in zip(sources, datasets, strict=True)
        for run in chosen
    ]
    missing = list({unit.key: unit for unit in units if unit.error is None and not unit.reused}.values())
    if queue is None:
        for unit in missing:
            unit.compute(choice.cores)
    elif missing:
        _compute_elsewhere(missing, queue, source)
    rows = [EvaluatedRow(unit.run, unit.data, *unit.outcome(messages)) for unit in units]
    return EvaluateAllResults(tuple(rows), tuple(dict.fromkeys(messages.lines())))


class EvaluationUnit:
    """A model on a source, as a unit of an engine."""

    def __init__(
        self, run: Run, data: str, dataset: Dataset, spec: EvaluationSpec | str, store: Store, on_line: OnLine
    ) -> None:
        """Make the unit of an evaluation.

        Args:
            run: The run.
            data: The source, as given.
            dataset: Its images.
            spec: What is evaluated, or why it cannot be.
            store: The store that contains the run.
            on_line: Called with a line about progress.
        """
        self.run, self.data = run, data
        self.spec = None if isinstance(spec, str) else spec
        self.error = spec if isinstance(spec, str) else None
        self._dataset, self._store, self._on_line = dataset, store, on_line
        self.reused = self.has_outcome()

    @property
    def name(self) -> str:
        """The model and the source in words."""
        return f"{self.run.spec.card.name}:{self.run.spec.seed_text} on {self.data}"

    @property
    def key(self) -> str:
        """The id of the evaluation; that of the run if it cannot be computed."""
        return self.run.run_id if self.spec is None else self.spec.evaluation_id

    @property
    def memory_mib(self) -> int | None:
        """Nothing: no evaluation records its peak."""
        return None

    def submitted(self, where: str) -> None:
        """Print where it is."""
        self._on_line(f"{self.name}: submitted to {where}")

    def started(self) -> None:
        """Print that it has begun."""
        self._on_line(f"{self.name}: started")

    def has_outcome(self) -> bool:
        """Whether the store has the evaluation."""
        return self.spec is not None and stored_evaluation(self._store, self.spec.evaluation_id) is not None

    def is_whole(self) -> bool:
        """Whether it has not failed."""
        return self.error is None

    def fail(self, reason: str, memory_limit_mib: int | None = None) -> None:
        """Remember why there is no evaluation."""
        self.error = reason
        self._on_line(f"{self.name}: failed: {reason}")

    def ended(self) -> None:
        """Print that it has ended, unless `fail` has printed why."""
        if self.error is None:
            self._on_line(f"{self.name}: finished")

    def compute(self, threads: int | None) -> None:
        """Compute the evaluation in this process."""
        assert self.spec is not None
        self.started()
        try:
            compute_evaluation(self.spec, self._dataset, self.run, self._store, threads)
        except (ConfigError, DataError) as error:
            self.fail(" ".join(str(error).split()))
        self.ended()

    def outcome(self, messages: Messages) -> tuple[EvaluateResults | None, str | None]:
        """The validation, or why there is none."""
        if self.spec is None or self.error is not None:
            return None, self.error
        evaluation = stored_evaluation(self._store, self.spec.evaluation_id)
        if evaluation is None:
            return None, "the stored evaluation is damaged; run zoo evaluate again"
        return results_of(self.run, evaluation, self._store, reused=self.reused, messages=messages), None


def _resolve_all(
    runs: str | Run | Iterable[str | Run],
    store: Store,
    messages: Messages,
    data: PathLike | None,
    protocol: str | None,
) -> list[Run]:
    among = resolve_among(data, protocol)
    chosen: dict[str, Run] = {}
    for run in [runs] if isinstance(runs, (str, Run)) else list(runs):
        one_of_types("runs", run, (str, Run), "runs, their ids, CARD or CARD:SEED")
        matches = (
            [run] if isinstance(run, Run) else resolve_runs(store, run, messages.warn, among=among, note=messages.note)
        )
        chosen |= {each.run_id: each for each in as_declared(matches, store)}
    return list(chosen.values())


def _open_all(sources: Sequence[PathLike], options: SourceOptions, store: Store, messages: Messages) -> list[Dataset]:
    """Open all sources before anything is computed on one. Names are checked first, since opening takes long."""
    for name in sources:
        check_source(str(name))
    with one_class_is_enough():
        return [open_data(name, options, store, messages) for name in sources]


def _unit(
    run: Run,
    data: str,
    dataset: Dataset,
    request: EvaluationRequest,
    store: Store,
    messages: Messages,
    on_line: OnLine,
) -> EvaluationUnit:
    """The evaluation of a run on a source; one that cannot be computed has its reason."""
    spec: EvaluationSpec | str
    try:
        stored_models(run, store)
        spec = request.spec(run, store, dataset, messages)
        warn_of_repeated(choose_images(dataset, spec.part, run, store), messages)
    except (ConfigError, DataError) as problem:
        spec = " ".join(str(problem).split())
    unit = EvaluationUnit(run, data, dataset, spec, store, on_line)
    if unit.reused or unit.error is not None:
        on_line(f"{unit.name}: {'reused from the store' if unit.reused else f'failed: {unit.error}'}")
    return unit


def _compute_elsewhere(units: Sequence[EvaluationUnit], make_queue: MakeQueue, store: Store) -> None:
    def write(some: Sequence[EvaluationUnit], engine: str, threads: int) -> Any:
        return write_evaluation_tasks(store, [unit.spec for unit in some if unit.spec is not None], engine, threads)

    queue = make_queue(Program(MODULE, store.root.absolute() / ENGINES, write))
    try:
        queue.submit(units)
        while queue.is_busy:
            for unit in queue.watch():
                unit.ended()
    finally:
        queue.cancel()

"""`zoo.bench`: runs cards under a protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.data.cache import declared_gib
from benchmark.data.dataset import Dataset
from benchmark.runs.execution.engines.engine import Work
from benchmark.runs.execution.events import Event
from benchmark.runs.execution.fork_server import warm_up
from benchmark.runs.execution.main_module import registration_of, stop_in_worker
from benchmark.runs.plan import PlannedSplit, Skip, make_plan, planned_splits, unaveraged
from benchmark.runs.protocol import Protocol
from benchmark.runs.registration import RegisteredClaims
from benchmark.runs.run import DatasetFacts, Run
from benchmark.runs.storage.beside.chain import read_chain
from benchmark.runs.storage.beside.remembered import CARDS_OPTION, SourceOptions, remember_bench
from benchmark.runs.storage.files import Unreadable
from benchmark.runs.storage.store import Store
from reports.report import Report, build_report
from reports.results.conditions.skipped import SkippedCard, by_reason
from reports.results.conditions.split_faults import fault_text
from reports.results.folds import pool_folds
from reports.text import listed, measured, plural
from zoo.api.arguments.collections import cards_for
from zoo.api.arguments.conditions import check_protocol, open_data, resolve_conditions
from zoo.api.arguments.engines import LOCAL, resolve_engine
from zoo.api.arguments.ensembles import with_members
from zoo.api.arguments.inputs import (
    Cards,
    PathLike,
    Paths,
    declared,
    folders_of,
    known_catalog,
    readable_runs,
    resolve_cards,
    resolve_limits,
    resolve_seeds,
    resolve_store,
)
from zoo.api.output.data_messages import LeakCheck, report_data
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.api.output.tables import html_table
from zoo.api.registration.registered_runs import (
    PlannedRuns,
    check_engine,
    execute_registered,
    registration_before,
    reused_runs,
)
from zoo.api.registration.registrations import ClaimsArgument, applying_claims, head_of
from zoo.config.arguments import flag, whole
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard

if TYPE_CHECKING:
    import pandas

OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class BenchResults:
    """The runs of a benchmark.

    Attributes:
        runs: One record per card and seed, under `test_folds` one per fold of these, in the order of the plan,
            including failed runs.
        skips: Cards that could not run, each with the reason.
        store: The store of the runs.
        messages: Lines that begin with `warning:` or `note:`.
        head: Digest of the last entry of the store's chain of registrations; None without registrations.
    """

    runs: tuple[Run, ...]
    skips: tuple[Skip, ...]
    store: Store
    messages: tuple[str, ...] = ()
    head: str | None = None

    @property
    def failed(self) -> tuple[Run, ...]:
        """The runs that failed; each has an `error`."""
        return tuple(run for run in self.runs if run.status == "failed")

    @property
    def _skipped(self) -> list[SkippedCard]:
        return [SkippedCard(skip.card.name, skip.reason) for skip in self.skips]

    @cached_property
    def report(self) -> Report:
        """The comparison of the cards as plain data."""
        runs = pool_folds(self.runs, self.store)
        curve_runs = readable_runs(self.store, Messages(), "curve")
        return build_report(runs, self.store.history, self._skipped, summarised=self.store, curve_runs=curve_runs)

    def to_frame(self) -> pandas.DataFrame:
        """One row per run with the columns of `zoo.load_runs`. Raises ConfigError when pandas is not installed."""
        from reports.frames.load import load_runs

        table: pandas.DataFrame = load_runs(self.store.root)
        return table.set_index("run_id", drop=False).loc[[run.run_id for run in self.runs]].reset_index(drop=True)

    def _repr_html_(self) -> str:
        rows = [
            (
                run.spec.card.name,
                run.spec.seed_text,
                run.status,
                measured(run.figures().get("auc"), with_interval=True),
                run.error or fault_text(run),
            )
            for run in self.runs
        ]
        skipped = [f"skipped {listed(skip.names)}: {skip.reason}" for skip in by_reason(self._skipped)]
        columns = ("card", "seed", "status", "test AUC", "diagnosis")
        return html_table(f"Runs in {self.store.name}", columns, rows, (*skipped, *self.messages))


@dataclass(frozen=True, kw_only=True)
class BenchPlan(PlannedRuns):
    """A planned benchmark.

    Attributes:
        selection: The words of the command line that choose the cards, such as `--all`; empty for card objects.
        claims: What is registered of the claims that apply to the runs.
    """

    selection: tuple[str, ...] = ()
    claims: tuple[RegisteredClaims, ...] = ()

    @property
    def trained_again(self) -> str | None:
        """That finished runs have no stored model and are trained again; None where none is."""
        specs = [spec for spec in self.plan.specs if spec.protocol.keep_models and spec.run_id not in self.reused]
        finished = [spec for spec in specs if (run := self.store.get(spec.run_id)) is not None and run.status == "ok"]
        if not finished:
            return None
        of = listed(list(dict.fromkeys(spec.card.name for spec in finished)))
        have, are = ("has", "it is") if len(finished) == 1 else ("have", "they are")
        return f"{plural(len(finished), 'finished run')} of {of} {have} no stored model: {are} trained again"

    @cached_property
    def splits(self) -> tuple[PlannedSplit, ...]:
        """The splits of the runs. Raises DataError when the data cannot be split as the protocol asks."""
        return planned_splits(self.plan, self.dataset)

    def run(self, *, on_event: OnEvent = silent, on_message: OnMessage = silent) -> BenchResults:
        """Register the plan, then compute the runs that the store lacks, each in a process of its own.

        Args:
            on_event: Called with each `Event` of a run, for progress.
            on_message: Called with each warning and note that arises during the runs.

        Returns:
            The computed and the reused runs.

        Raises:
            ConfigError: The engine cannot be used.
            DataError: The data cannot be split as the protocol asks.
            OSError: The store cannot be written; finished runs remain in it.
        """
        messages = Messages(on_message, self.messages)
        leaks = LeakCheck(self.dataset, messages, self.store)

        def handle(event: Event) -> None:
            on_event(event)
            leaks.handle(event)

        stored = reused_runs(self.plan.specs, self.store)
        check_engine(self, stored)
        self._remember()
        registration = self._registration(stored, messages)
        runs = execute_registered(self, stored, registration, handle)
        for line in self.store.finish():
            messages.warn(line)
        if self.dataset.known_as is not None:
            runs = declared(runs, self.dataset.known_as)
        skips = (*self.plan.skips, *unaveraged(self.plan.specs, runs))
        return BenchResults(tuple(runs), skips, self.store, messages.lines(), head_of(self.store))

    def batch_script(self, *, on_message: OnMessage = silent) -> str | None:
        """Register the plan, write the missing runs into the store as tasks, and return the script that computes them.

        Args:
            on_message: Called with each warning that arises.

        Returns:
            A script for sbatch, one task per missing run; None if the store contains all runs. Ensembles have no task:
            when their members have run, `zoo bench` averages them.

        Raises:
            ConfigError: submitit is not installed, or an option of SLURM is refused.
            OSError: The store cannot be written.
        """
        from benchmark.runs.execution.engines.slurm import prepared_batch

        missing = [spec for spec in self.plan.specs if spec.run_id not in self.reused and not spec.members]
        if not missing:
            return None
        self._remember()
        registration = self._registration(self.reused, Messages(on_message))
        work = Work(missing, self.dataset, self.store, self.jobs, self.limits, silent, registration, ())
        return prepared_batch(work, missing, self.engine.options)

    def _remember(self) -> None:
        with suppress(OSError):  # a store that cannot be written can still supply finished runs
            remember_bench(
                self.store,
                [spec.run_id for spec in self.plan.specs],
                DatasetFacts.of(self.dataset),
                conditions=self.plan.specs[0].conditions if self.plan.specs else "",
                cards={spec.run_id: spec.card.name for spec in self.plan.specs},
                selection=self.selection,
                skipped={skip.card.name: skip.reason for skip in self.plan.skips},
            )

    def _registration(self, stored: set[str], messages: Messages) -> str | None:
        """Digest of the registration that precedes the runs. Raises if one is needed and cannot be written."""
        registration = registration_before(self, stored, self.claims)
        with suppress(OSError, Unreadable):  # the registration would have failed if it was needed
            if read_chain(self.store).problems:
                where = self.store.name
                messages.warn(f"{where}: its registrations were changed; `zoo verify {where}` lists what differs")
        return registration


def bench(
    cards: Cards = None,
    *,
    collection: str | None = None,
    data: PathLike | Dataset = "phantom",
    protocol: PathLike | Protocol | None = None,
    seeds: int | Iterable[int] | None = None,
    store: PathLike | Store = "runs",
    jobs: int = 1,
    keep_models: bool = False,
    run_timeout: str = "24h",
    run_memory: float | None = None,
    card_folders: Paths = (),
    patients: str | None = None,
    positive: str | None = None,
    data_is: str | None = None,
    hold_out: str | None = None,
    claims: ClaimsArgument = None,
    engine: str = "local",
    engine_options: Mapping[str, object] | None = None,
    cores: int | None = None,
    on_event: OnEvent = silent,
    on_message: OnMessage = silent,
) -> BenchResults:
    """Run cards under a protocol and reuse the runs that the store already contains, as `zoo bench` does.

    Each run has its own process. A script needs no `if __name__ == "__main__"`: these processes import it only if it
    registers a builder itself, and then only up to its first call of this function.

    Args:
        cards: Names, paths of YAML files or ModelCard objects; one of them or several. None runs a collection.
        collection: The collection to run. None runs `pneumonia-report` on the phantom and on the data of that report,
            `starter` on all other data, in both cases with the cards that are not built in.
        data: `phantom`, `digits`, a folder, a manifest (.csv, .parquet), an .npz file, `kaggle:OWNER/NAME`, or a
            Dataset.
        protocol: A built-in name (`auto`, `quick`, `published`, `full`), a YAML file, or a Protocol. None takes `quick`
            for the phantom, and `auto` for other data.
        seeds: A number N for the seeds 0 to N-1, or the seeds themselves; None takes the seeds of the protocol.
        store: The folder that contains the runs, or a Store.
        jobs: Number of simultaneous runs.
        keep_models: Store the trained models for `predict`; runs stored without a model are computed again.
        run_timeout: Time limit for each run: `90s`, `30m`, `2h`, `1d`, or `none` for no limit.
        run_memory: Memory limit for each run in GiB. With None, the largest run is ended when less than 2% of the
            machine's memory is left.
        card_folders: Folders with more cards.
        patients: Regular expression for file names; its named groups form the patient's key. For this and the next
            three, None takes what the store remembers of the source, and `none` (not as a class) nothing.
        positive: The positive class of two; None takes the last class of the source.
        data_is: The published data set that the images are, by its name in claims and cards.
        hold_out: COLUMN=VALUE; the images with this value in a column of the manifest are the test part, all others are
            to train on.
        claims: Claims to register before the test split is opened: built-in names, YAML files or Claims. The built-in
            ones about the cards and the data are registered too.
        engine: Where runs are computed: `local`, in processes of this machine, `slurm`, as tasks of an array, or `ray`.
        engine_options: For `slurm`, options of sbatch such as `{"partition": "main", "time": 30}`; for `ray`,
            `address`, `num_gpus` and `memory`.
        cores: Number of cores, and of threads, of each run; None takes all that this process may use, and one
            elsewhere.
        on_event: Called with each `Event` of a run, for progress.
        on_message: Called with each warning and note when it arises; the result collects them too.

    Returns:
        All runs. A run that fails is a record with an error, not an exception.

    Raises:
        ConfigError: A card, the collection, the protocol, a limit, the engine or the store cannot be used, no card can
            run, or a notebook registers the builder of a card; that builder must be in a .py file.
        DataError: The data cannot be read, or cannot be split as the protocol asks.
        OSError: The store cannot be written.
    """
    plan = plan_bench(
        cards,
        collection=collection,
        data=data,
        protocol=protocol,
        seeds=seeds,
        store=store,
        jobs=jobs,
        keep_models=keep_models,
        run_timeout=run_timeout,
        run_memory=run_memory,
        card_folders=card_folders,
        patients=patients,
        positive=positive,
        data_is=data_is,
        hold_out=hold_out,
        claims=claims,
        engine=engine,
        engine_options=engine_options,
        cores=cores,
        will_run=True,
        on_message=on_message,
    )
    return plan.run(on_event=on_event, on_message=on_message)


def plan_bench(
    cards: Cards = None,
    *,
    collection: str | None = None,
    data: PathLike | Dataset = "phantom",
    protocol: PathLike | Protocol | None = None,
    seeds: int | Iterable[int] | None = None,
    store: PathLike | Store = "runs",
    jobs: int = 1,
    keep_models: bool = False,
    run_timeout: str = "24h",
    run_memory: float | None = None,
    card_folders: Paths = (),
    patients: str | None = None,
    positive: str | None = None,
    data_is: str | None = None,
    hold_out: str | None = None,
    claims: ClaimsArgument = None,
    engine: str = "local",
    engine_options: Mapping[str, object] | None = None,
    cores: int | None = None,
    print_batch: bool = False,
    will_run: bool = False,
    on_message: OnMessage = silent,
) -> BenchPlan:
    """Plan the runs of `bench` without computing or writing anything.

    Args:
        cards: The cards to run. All other arguments are those of `bench`.
        print_batch: The plan is for `batch_script` alone, so that SLURM need not be installed here.
        will_run: The plan will be run at once: the process from which runs are forked loads Keras while data are read.

    Returns:
        The plan. Its method `run` computes it; `reused` lists the runs that the store already contains.

    Raises:
        ConfigError: As `bench`.
        DataError: As `bench`.
    """
    stop_in_worker()
    declared_gib()  # reports a wrong limit of the cache now, and not in every run
    messages = Messages(on_message)
    jobs = whole("jobs", jobs, 1)
    flag("keep_models", keep_models)
    limits = resolve_limits(run_timeout, run_memory)
    where = resolve_engine(engine, engine_options, cores, data, only_printed=flag("print_batch", print_batch))
    by_data = cards is None and collection is None
    chosen = [] if by_data else resolve_cards(cards, card_folders, messages, collection)
    catalog = known_catalog(card_folders, messages) if by_data else None
    for card in chosen:
        registration_of(card.model.builder)
    check_protocol(protocol)
    seed_list, target = resolve_seeds(seeds), resolve_store(store)
    if flag("will_run", will_run) and where.name == LOCAL.name:
        warm_up()
    dataset = open_data(data, SourceOptions(patients, positive, data_is, hold_out), target, messages)
    conditions = resolve_conditions(protocol, dataset, target, messages)
    if keep_models:
        conditions = conditions.model_copy(update={"keep_models": True})
    if catalog is not None:
        chosen = cards_for(dataset, catalog, messages)
        for card in chosen:
            registration_of(card.model.builder)
    report_data(dataset, messages, chosen)
    chosen = with_members(chosen, card_folders)
    plan = make_plan(chosen, conditions, dataset, seed_list)
    if not plan.specs:
        raise ConfigError(*(f"card {skip.card.name}: {skip.reason}" for skip in plan.skips))
    applying = applying_claims(claims, chosen, dataset, card_folders)
    selection = _selection(cards, collection, card_folders)
    return BenchPlan(plan, dataset, target, jobs, limits, messages.lines(), where, selection=selection, claims=applying)


def _selection(cards: Cards, collection: str | None, card_folders: Paths) -> tuple[str, ...]:
    """The words of the command line that choose these cards; empty for card objects, which it cannot name."""
    folders = [word for folder in folders_of(card_folders) for word in (CARDS_OPTION, str(folder))]
    if collection is not None:
        return ("--collection", collection, *folders)
    if cards is None:
        return ("--all", *folders)
    names = [cards] if isinstance(cards, (str, Path)) else [] if isinstance(cards, ModelCard) else list(cards)
    words = [str(each) for each in names if not isinstance(each, ModelCard)]
    return (*words, *folders) if words else ()

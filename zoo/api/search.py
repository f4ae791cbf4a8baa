"""`zoo.search`: tunes a card on validation, and runs the winner."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.data.cache import declared_gib
from benchmark.data.dataset import Dataset
from benchmark.runs.execution.fork_server import warm_up
from benchmark.runs.execution.limits import NO_LIMITS, Limits
from benchmark.runs.execution.main_module import stop_in_worker
from benchmark.runs.plan import PlannedSplit, make_plan, planned_splits
from benchmark.runs.protocol import AUTO, Protocol
from benchmark.runs.storage.beside.remembered import SourceOptions
from benchmark.runs.storage.store import Store
from benchmark.runs.trial import SearchResult
from reports.figures.search import search_pictures
from reports.render.csv_text import csv_text
from reports.render.markdown.search import search_markdown
from reports.results.search import trial_rows
from search_spaces.space import SearchSpace, fitting_space, load_space, winner_yaml, with_overrides
from zoo.api.arguments.conditions import check_protocol, open_data, resolve_conditions
from zoo.api.arguments.engines import LOCAL, EngineChoice, resolve_engine
from zoo.api.arguments.ensembles import refuse_ensemble
from zoo.api.arguments.inputs import (
    CardLike,
    PathLike,
    Paths,
    folders_of,
    is_file,
    known_cards,
    new_folder,
    resolve_cards,
    resolve_limits,
    resolve_store,
)
from zoo.api.bench import BenchPlan, BenchResults, OnEvent
from zoo.api.output.data_messages import report_data
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.api.output.tables import frame, html_table
from zoo.api.registration.registrations import ClaimsArgument, applying_claims
from zoo.config.arguments import PATH, one_of_types, optional_text, whole
from zoo.config.atomic import write_text
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import write_yaml
from zoo.models.card import ModelCard
from zoo.models.catalog import check_new_name, contains_cards, load_cards, select

if TYPE_CHECKING:
    import pandas

OnTrial = Callable[[SearchResult], None]
Watch = Callable[[BenchPlan], AbstractContextManager[OnEvent]]


@dataclass(frozen=True)
class SearchResults:
    """The outcome of a search.

    Attributes:
        trials: Every trial with its objective on validation.
        winner: The file of the winning card; None when no trial has an objective.
        bench: The runs of the winning card. No other runs are scored on the test split.
        paths: The files written.
        messages: Lines that begin with `warning:` or `note:`.
    """

    trials: SearchResult
    winner: Path | None
    bench: BenchResults | None
    paths: tuple[Path, ...]
    messages: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The document that `zoo search --json` prints."""
        runs = self.bench.runs if self.bench is not None else ()
        return {
            "card": None if self.winner is None else str(self.winner),
            "trials_at_once": self.trials.at_once,
            "trials": trial_rows(self.trials),
            "bench": [run.model_dump(mode="json") for run in runs],
        }

    def to_frame(self) -> pandas.DataFrame:
        """One row per trial. Raises ConfigError when pandas is not installed."""
        return frame(trial_rows(self.trials))

    def _repr_html_(self) -> str:
        rows = trial_rows(self.trials)
        caption = f"{self.trials.base.name}: {self.trials.tuner} search of {self.trials.space}"
        return html_table(caption, [*rows[0]] if rows else ["trial"], (row.values() for row in rows), self.messages)


@dataclass(frozen=True)
class SearchPlan:
    """A planned search.

    Attributes:
        card: The card to tune.
        space: The parameters, the tuner and its budget.
        protocol: The conditions of every run.
        dataset: The data of every run.
        store: The store for new runs and for runs to reuse.
        out: The folder for the winning card and the search report.
        name: The name of the winning card.
        jobs: Number of simultaneous trials.
        limits: Limits of time and memory per run.
        card_folders: Folders that may contain the card and its parents.
        card_files: Files of cards outside these folders.
        messages: Lines that begin with `warning:` or `note:`.
        claims: Claims to register before the winner is scored on the test split.
        engine: Where the runs are computed.
    """

    card: ModelCard
    space: SearchSpace
    protocol: Protocol
    dataset: Dataset
    store: Store
    out: Path
    name: str
    jobs: int = 1
    limits: Limits = NO_LIMITS
    card_folders: tuple[Path, ...] = ()
    card_files: tuple[Path, ...] = ()
    messages: tuple[str, ...] = ()
    claims: ClaimsArgument = None
    engine: EngineChoice = LOCAL

    @property
    def splits(self) -> tuple[PlannedSplit, ...]:
        """The splits of the winner's runs. Raises DataError when the data cannot be split as the protocol asks."""
        return planned_splits(make_plan([self.card], self.protocol, self.dataset), self.dataset)

    def tune(self, *, on_event: OnEvent = silent, on_trial: OnTrial = silent) -> SearchResult:
        """Run the trials, on validation only.

        Args:
            on_event: Called with each `Event` of a run.
            on_trial: Called with the result so far after each round of trials.

        Returns:
            All trials with their objectives.
        """
        from search_spaces.search import search as run_trials

        return run_trials(
            self.card,
            self.space,
            self.protocol,
            self.dataset,
            self.store,
            jobs=self.jobs,
            limits=self.limits,
            engine=self.engine.maker(),
            threads=self.engine.cores,
            on_event=on_event,
            on_trial=on_trial,
        )

    def finish(self, trials: SearchResult, watch: Watch, *, on_message: OnMessage = silent) -> SearchResults:
        """Write the report of `trials` and the winning card, and score that card on the test split once.

        Args:
            trials: The result of `tune`.
            watch: A context manager for the runs of the winner; it yields the handler of their events.
            on_message: Called with each warning and note that arises during the runs of the winner.

        Returns:
            The trials, the winning card and its runs.
        """
        paths = write_search_report(trials, self.out)
        if not trials.ranked():
            return SearchResults(trials, None, None, tuple(paths), self.messages)
        winner = self._write_winner(trials)
        cards = select(load_cards([*self.card_folders, self.out], silent, self.card_files), [winner.stem])
        claims = applying_claims(self.claims, cards, self.dataset, self.card_folders)
        planned = make_plan(cards, self.protocol, self.dataset)
        plan = BenchPlan(planned, self.dataset, self.store, limits=self.limits, claims=claims, engine=self.engine)
        with watch(plan) as on_event:
            bench = plan.run(on_event=on_event, on_message=on_message)
        return SearchResults(trials, winner, bench, (winner, *paths), (*self.messages, *bench.messages))

    def _write_winner(self, trials: SearchResult) -> Path:
        best = trials.ranked()[0]
        objective = f"val {trials.metric} {trials.value(best):.4f}, the best of {len(trials.trials)} trials"
        path = self.out / f"{self.name}.yaml"
        card = winner_yaml(trials.base, best.values, space=self.space.name, objective=objective, epochs=best.epochs)
        write_text(path, write_yaml(card))
        return path


def search(
    card: CardLike,
    *,
    space: PathLike | SearchSpace | None = None,
    tuner: str | None = None,
    trials: int | None = None,
    executions: int | None = None,
    data: PathLike | Dataset = "phantom",
    protocol: PathLike | Protocol | None = None,
    store: PathLike | Store = "runs",
    out: PathLike = "search",
    name: str | None = None,
    jobs: int = 1,
    run_timeout: str = "24h",
    run_memory: float | None = None,
    card_folders: Paths = (),
    patients: str | None = None,
    positive: str | None = None,
    hold_out: str | None = None,
    claims: ClaimsArgument = None,
    engine: str = "local",
    engine_options: Mapping[str, object] | None = None,
    cores: int | None = None,
    on_event: OnEvent = silent,
    on_trial: OnTrial = silent,
    on_message: OnMessage = silent,
) -> SearchResults:
    """Tune a card on validation, write the winner as a card, and score it on the test split once, as `zoo search` does.

    No trial opens the test split. A search that was interrupted resumes when it is called again.

    Args:
        card: The card to tune: a name, the path of a YAML file or a ModelCard that `load_cards` returned.
        space: A built-in search space, a YAML file or a SearchSpace; None takes the first that fits the card.
        tuner: `random`, `bayesian`, `hyperband`, `grid` or `optuna`; None takes the tuner of the space.
        trials: Number of trials; None takes the number of the space.
        executions: Runs per trial, with different seeds; None takes the number of the space.
        data: As in `bench`.
        protocol: As in `bench`.
        store: As in `bench`.
        out: The folder for the winning card and the search report.
        name: The name of the winning card; None takes CARD-tuned.
        jobs: Number of simultaneous trials.
        run_timeout: As in `bench`.
        run_memory: As in `bench`.
        card_folders: As in `bench`.
        patients: As in `bench`.
        positive: As in `bench`.
        hold_out: As in `bench`.
        claims: As in `bench`.
        engine: As in `bench`. Trials are sent in rounds of `jobs`, those of `random` and `grid` all at once.
        engine_options: As in `bench`.
        cores: As in `bench`.
        on_event: Called with each `Event` of a run.
        on_trial: Called with the result so far after each round of trials.
        on_message: Called with each warning and note when it arises; the result collects them too.

    Returns:
        The trials, the winning card and its runs.

    Raises:
        ConfigError: As `bench`; or the space does not fit the card, or the package of the tuner is not installed.
        DataError: As `bench`.
        ChildProcessError: The process that proposes trials has ended. Finished runs remain in the store.
        OSError: The store or `out` cannot be written.
    """
    plan = plan_search(
        card,
        space=space,
        tuner=tuner,
        trials=trials,
        executions=executions,
        data=data,
        protocol=protocol,
        store=store,
        out=out,
        name=name,
        jobs=jobs,
        run_timeout=run_timeout,
        run_memory=run_memory,
        card_folders=card_folders,
        patients=patients,
        positive=positive,
        hold_out=hold_out,
        claims=claims,
        engine=engine,
        engine_options=engine_options,
        cores=cores,
        on_message=on_message,
    )
    tuned = plan.tune(on_event=on_event, on_trial=on_trial)
    return plan.finish(tuned, lambda _: nullcontext(on_event), on_message=on_message)


def plan_search(
    card: CardLike,
    *,
    space: PathLike | SearchSpace | None = None,
    tuner: str | None = None,
    trials: int | None = None,
    executions: int | None = None,
    data: PathLike | Dataset = "phantom",
    protocol: PathLike | Protocol | None = None,
    store: PathLike | Store = "runs",
    out: PathLike = "search",
    name: str | None = None,
    jobs: int = 1,
    run_timeout: str = "24h",
    run_memory: float | None = None,
    card_folders: Paths = (),
    patients: str | None = None,
    positive: str | None = None,
    hold_out: str | None = None,
    claims: ClaimsArgument = None,
    engine: str = "local",
    engine_options: Mapping[str, object] | None = None,
    cores: int | None = None,
    on_message: OnMessage = silent,
) -> SearchPlan:
    """Plan a search without running it; only the folder `out` is created.

    Args:
        card: The card to tune. All arguments are those of `search`.

    Returns:
        The plan. Its method `tune` runs the trials; `finish` writes and runs the winner.

    Raises:
        ConfigError: As `search`.
        DataError: As `search`.
    """
    stop_in_worker()
    declared_gib()  # reports a wrong limit of the cache now, and not in every trial
    messages = Messages(on_message)
    limits = resolve_limits(run_timeout, run_memory)
    where = resolve_engine(engine, engine_options, cores, data)
    jobs = whole("jobs", jobs, 1)
    trials = None if trials is None else whole("trials", trials, 1)
    executions = None if executions is None else whole("executions", executions, 1)
    optional_text("tuner", tuner, "the name of a tuner or None")
    optional_text("name", name, "the name of the winning card or None")
    one_of_types("card", card, (*PATH, ModelCard), "a name, a YAML file or a ModelCard")
    if space is not None:
        one_of_types("space", space, (*PATH, SearchSpace), "a built-in name, a YAML file, a SearchSpace or None")
    folder, folders = new_folder(out), folders_of(card_folders)
    files = [Path(card)] if not isinstance(card, ModelCard) and is_file(card) else []
    searched = [*folders, folder] if contains_cards(folder) else folders
    (base,) = resolve_cards([card], searched, messages)
    refuse_ensemble(base, "search")
    known = known_cards(searched, Messages(), files)
    if known.get(base.name) != base:
        raise ConfigError(
            f"card {base.name}: the winner extends it by its name; save it as a YAML file and give its path"
        )
    winner = name or f"{base.name}-tuned"
    check_new_name(winner, known, folder)
    if not isinstance(space, SearchSpace):
        space = load_space(str(space)) if space else fitting_space(base)
    space = with_overrides(space, tuner=tuner, trials=trials, executions=executions)
    check_protocol(protocol)
    target = resolve_store(store)
    warm_up()
    dataset = open_data(data, SourceOptions(patients, positive, None, hold_out), target, messages)
    conditions = resolve_conditions(protocol, dataset, target, messages)
    if conditions.test_folds is not None and conditions.name == AUTO:
        conditions = conditions.model_copy(update={"test_folds": None})
        messages.note("a search needs images that no trial has seen: one split instead of the folds of protocol auto")
    if conditions.test_folds is not None:
        raise ConfigError(
            f"protocol {conditions.name}: test_folds: a search chooses on validation images, and here every image is "
            "tested too; leave test_folds out, and use folds: of the search space"
        )
    space = space.for_classes(dataset.classes)
    jobs = _at_once(where, space, jobs)
    report_data(dataset, messages, [base])
    plan = make_plan([base], conditions, dataset)
    if not plan.specs:
        raise ConfigError(*(f"card {skip.card.name}: {skip.reason}" for skip in plan.skips))
    _check_tuner(space.tuner)
    applying_claims(claims, [base], dataset, folders)  # reports a wrong file before the search starts
    folder.mkdir(parents=True, exist_ok=True)
    return SearchPlan(
        card=base,
        space=space,
        protocol=conditions,
        dataset=dataset,
        store=target,
        out=folder,
        name=winner,
        jobs=jobs,
        limits=limits,
        card_folders=tuple(folders),
        card_files=tuple(files),
        messages=messages.lines(),
        claims=claims,
        engine=where,
    )


def _check_tuner(tuner: str) -> None:
    """Report a missing package before the search starts. Raises ConfigError."""
    if tuner == "optuna":
        if find_spec("optuna") is None:
            raise ConfigError("tuner optuna: needs the package optuna; pip install 'zoo-bench[optuna]'")
    elif find_spec("keras_tuner") is None:
        raise ConfigError("zoo search needs keras_tuner; pip install 'zoo-bench[search]'")


def _at_once(where: EngineChoice, space: SearchSpace, jobs: int) -> int:
    """The number of trials in a round: all, if other machines compute them and no objective decides what is tried."""
    independent = space.tuner in ("random", "grid") and space.budget.minutes is None
    return space.budget.trials if where.name != "local" and independent else jobs


def _csv_cell(value: Any) -> Any:
    """Lists as JSON; anything else as it is."""
    return json.dumps(value) if isinstance(value, list) else value


def write_search_report(trials: SearchResult, folder: Path) -> list[Path]:
    """Write search.md, trials.json, trials.csv and the pictures into `folder`; return their paths, search.md first."""
    rows = trial_rows(trials)
    pictures = search_pictures(trials)
    names = {caption: f"search-{number}.svg" for number, caption in enumerate(pictures)}
    texts = {
        "search.md": search_markdown(trials, names),
        "trials.json": json.dumps(rows, indent=2),
        "trials.csv": csv_text([*rows[0]] if rows else ["trial"], [list(map(_csv_cell, row.values())) for row in rows]),
        **{names[caption]: svg for caption, svg in pictures.items()},
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]

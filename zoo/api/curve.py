"""`zoo.curve`: how a card's figures depend on the number of training images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmark.data.cache import declared_gib
from benchmark.data.dataset import DataError, Dataset
from benchmark.data.quotas import Counts
from benchmark.data.training_subset import subset_counts
from benchmark.evidence.metrics.multiclass import multiclass_metrics
from benchmark.evidence.metrics.registry import measures
from benchmark.runs.execution.fork_server import warm_up
from benchmark.runs.execution.main_module import registration_of, stop_in_worker
from benchmark.runs.plan import PlannedSplit, make_plan, planned_splits
from benchmark.runs.protocol import AUTO, Protocol
from benchmark.runs.run import Run, RunSpec, TrainingSubset
from benchmark.runs.storage.beside.remembered import SourceOptions
from benchmark.runs.storage.store import Store
from reports.render.training_size import curve_document, curve_rows
from reports.results.training_size.figures import TrainingSizeCurve, training_size_curve
from reports.results.training_size.text import answers, cells, description, heads, notes
from reports.text import listed, plural
from zoo.api.arguments.conditions import check_protocol, open_data, resolve_conditions
from zoo.api.arguments.engines import resolve_engine
from zoo.api.arguments.ensembles import refuse_ensemble
from zoo.api.arguments.inputs import CardLike, PathLike, Paths, resolve_cards, resolve_limits, resolve_store
from zoo.api.arguments.metric_names import metric_named
from zoo.api.bench import OnEvent
from zoo.api.output.data_messages import report_data
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.api.output.tables import frame, html_table
from zoo.api.registration.registered_runs import (
    PlannedRuns,
    check_engine,
    execute_registered,
    registration_before,
    reused_runs,
)
from zoo.config.arguments import PATH, one_of_types, optional_text, whole
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import unknown
from zoo.models.card import ModelCard
from zoo.models.recipe import ProbeRecipe

if TYPE_CHECKING:
    import pandas

MOST_DRAWS = 100
LEAST_OF_CLASS = 2
"""Training images of a class below which a size is refused."""
_DEFAULT_SIZES = 5
_LEAST_DEFAULT = 10


@dataclass(frozen=True)
class CurveResults:
    """A card's figures by the number of training images.

    Attributes:
        curve: Points, forecasts and how uncertain they are; None if every run failed.
        runs: One record per size, draw and seed, including failed runs.
        store: The store of the runs.
        messages: Lines that begin with `warning:` or `note:`.
    """

    curve: TrainingSizeCurve | None
    runs: tuple[Run, ...]
    store: Store
    messages: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Run, ...]:
        """The runs that failed; each has an `error`."""
        return tuple(run for run in self.runs if run.status == "failed")

    def to_dict(self) -> dict[str, Any]:
        """The document that `zoo curve --json` prints. Raises ConfigError if every run failed."""
        return curve_document(self._finished)

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `zoo curve --csv`: one per size, then one per forecast. Raises ConfigError as `to_dict`."""
        return curve_rows(self._finished)

    def to_frame(self) -> pandas.DataFrame:
        """The rows as a frame. Raises ConfigError as `to_dict`, or when pandas is not installed."""
        return frame(self.rows())

    @property
    def _finished(self) -> TrainingSizeCurve:
        if self.curve is None:
            raise ConfigError(f"every run of the curve failed: {self.runs[0].error}")
        return self.curve

    def _repr_html_(self) -> str:
        if self.curve is None:
            return html_table("Every run of the curve failed", (), (), (*[str(run.error) for run in self.failed[:1]],))
        rows = map(cells, self.curve.points)
        lines = (*answers(self.curve), *notes(self.curve), *self.messages)
        return html_table(description(self.curve), heads(self.curve), rows, lines)


@dataclass(frozen=True, kw_only=True)
class CurvePlan(PlannedRuns):
    """A planned curve. Its runs are in order of their draws, the largest size first.

    Attributes:
        split: The split, with all training images.
        metric: The metric, for several classes its key.
    """

    split: PlannedSplit
    metric: str

    def run(self, *, on_event: OnEvent = silent) -> CurveResults:
        """Register the plan, then compute the runs that the store lacks, each in a process of its own.

        Args:
            on_event: Called with each `Event` of a run, for progress.

        Returns:
            The curve with the computed and the reused runs.

        Raises:
            ConfigError: The engine cannot be used.
            OSError: The store cannot be written; finished runs remain in it.
        """
        stored = reused_runs(self.plan.specs, self.store)
        check_engine(self, stored)
        runs = execute_registered(self, stored, registration_before(self, stored), on_event)
        curve = training_size_curve(runs, self.store, self.metric)
        unsent = tuple(f"warning: {line}" for line in self.store.finish())
        return CurveResults(curve, tuple(runs), self.store, (*self.messages, *unsent))


def curve(
    card: CardLike,
    *,
    sizes: Iterable[int] | None = None,
    draws: int = 5,
    seeds: int = 1,
    metric: str | None = None,
    data: PathLike | Dataset = "phantom",
    protocol: PathLike | Protocol | None = None,
    store: PathLike | Store = "runs",
    jobs: int = 1,
    run_timeout: str = "24h",
    run_memory: float | None = None,
    card_folders: Paths = (),
    patients: str | None = None,
    positive: str | None = None,
    hold_out: str | None = None,
    engine: str = "local",
    engine_options: Mapping[str, object] | None = None,
    cores: int | None = None,
    on_event: OnEvent = silent,
    on_message: OnMessage = silent,
) -> CurveResults:
    """Measure a card by the number of training images, and extrapolate to more, as `zoo curve` does.

    Every run has the validation and test images of the protocol's split. The training images are drawn by patient, with
    the classes in their shares; the sizes of one draw are nested. A curve that was interrupted resumes when it is
    called again.

    Args:
        card: The card: a name, the path of a YAML file or a ModelCard.
        sizes: Numbers of training images; None halves the available number up to four times.
        draws: Number of draws of each size.
        seeds: Number of trainings per draw; those of a probe are all alike, so that it has one.
        metric: A metric by its name or label, for three or more classes also a key such as `f1:macro`; None takes `auc`
            or `auc:macro`.
        data: As in `bench`.
        protocol: As in `bench`; folds of `auto` become one split.
        store: As in `bench`.
        jobs: Number of simultaneous runs.
        run_timeout: As in `bench`.
        run_memory: As in `bench`.
        card_folders: As in `bench`.
        patients: As in `bench`.
        positive: As in `bench`.
        hold_out: As in `bench`.
        engine: As in `bench`.
        engine_options: As in `bench`.
        cores: As in `bench`.
        on_event: Called with each `Event` of a run.
        on_message: Called with each warning and note when it arises; the result collects them too.

    Returns:
        The figures by size with intervals, and the extrapolation.

    Raises:
        ConfigError: An argument cannot be used, or the card cannot run.
        DataError: The data cannot be split, or have fewer training images than a size.
        OSError: The store cannot be written.
    """
    plan = plan_curve(
        card,
        sizes=sizes,
        draws=draws,
        seeds=seeds,
        metric=metric,
        data=data,
        protocol=protocol,
        store=store,
        jobs=jobs,
        run_timeout=run_timeout,
        run_memory=run_memory,
        card_folders=card_folders,
        patients=patients,
        positive=positive,
        hold_out=hold_out,
        engine=engine,
        engine_options=engine_options,
        cores=cores,
        on_message=on_message,
    )
    return plan.run(on_event=on_event)


def plan_curve(
    card: CardLike,
    *,
    sizes: Iterable[int] | None = None,
    draws: int = 5,
    seeds: int = 1,
    metric: str | None = None,
    data: PathLike | Dataset = "phantom",
    protocol: PathLike | Protocol | None = None,
    store: PathLike | Store = "runs",
    jobs: int = 1,
    run_timeout: str = "24h",
    run_memory: float | None = None,
    card_folders: Paths = (),
    patients: str | None = None,
    positive: str | None = None,
    hold_out: str | None = None,
    engine: str = "local",
    engine_options: Mapping[str, object] | None = None,
    cores: int | None = None,
    on_message: OnMessage = silent,
) -> CurvePlan:
    """Plan the runs of `curve` without computing or writing anything.

    Args:
        card: The card. All arguments are those of `curve`.

    Returns:
        The plan. Its method `run` computes it; `reused` lists the runs that the store already contains.

    Raises:
        ConfigError: As `curve`.
        DataError: As `curve`.
    """
    stop_in_worker()
    declared_gib()  # reports a wrong limit of the cache now, and not in every run
    messages = Messages(on_message)
    one_of_types("card", card, (*PATH, ModelCard), "a name, a YAML file or a ModelCard")
    wanted = None if sizes is None else _sizes(sizes)
    draws, seeds, jobs = whole("draws", draws, 1, MOST_DRAWS), whole("seeds", seeds, 1, 100), whole("jobs", jobs, 1)
    optional_text("metric", metric, "the name of a metric or None")
    limits = resolve_limits(run_timeout, run_memory)
    where = resolve_engine(engine, engine_options, cores, data)
    (chosen,) = resolve_cards([card], card_folders, messages)
    refuse_ensemble(chosen, "curve")
    registration_of(chosen.model.builder)
    check_protocol(protocol)
    target = resolve_store(store)
    warm_up()
    dataset = open_data(data, SourceOptions(patients, positive, None, hold_out), target, messages)
    conditions = _one_split(resolve_conditions(protocol, dataset, target, messages), messages)
    report_data(dataset, messages, [chosen])
    plan = make_plan([chosen], conditions, dataset, [0])
    if not plan.specs:
        raise ConfigError(*(f"card {skip.card.name}: {skip.reason}" for skip in plan.skips))
    key = _metric(metric, dataset)
    (split,) = planned_splits(plan, dataset)
    present = split.facts.classes["train"]
    steps = _default_sizes(present) if wanted is None else wanted
    _check_sizes(steps, present, dataset.classes, conditions)
    if seeds > 1 and isinstance(chosen.recipe, ProbeRecipe):
        messages.note(f"--seeds {seeds}: {chosen.name} is fitted, not trained, so that every seed gives the same model")
        seeds = 1
    base, of = plan.specs[0], sum(present)
    specs = tuple(
        RunSpec(
            card=base.card,
            protocol=conditions,
            dataset=base.dataset,
            seed=draw + MOST_DRAWS * repetition,  # more draws or seeds keep the runs that exist
            stage="curve",
            subset=TrainingSubset(images=images, of=of, draw=draw),
        )
        for draw in range(draws)
        for images in sorted(steps, reverse=True)
        for repetition in range(seeds)
    )
    plan, lines = replace(plan, specs=specs), messages.lines()
    return CurvePlan(plan, dataset, target, jobs, limits, lines, where, split=split, metric=key)


def _sizes(sizes: object) -> list[int]:
    """The distinct sizes, increasing. Raises ConfigError."""
    right = "numbers of training images, such as 50,100,200,400"
    if isinstance(sizes, str) or not isinstance(sizes, Iterable):
        raise ConfigError(f"--sizes: give {right}")
    listed_sizes = sorted({whole("sizes", size, 1) for size in sizes})
    if not listed_sizes:
        raise ConfigError(f"--sizes: is empty; give {right}")
    return listed_sizes


def _one_split(protocol: Protocol, messages: Messages) -> Protocol:
    """The protocol without folds and stored models. Raises ConfigError if the user asked for folds."""
    if protocol.test_folds is not None and protocol.name != AUTO:
        raise ConfigError(
            f"protocol {protocol.name}: test_folds: a curve needs one test part for all sizes; leave test_folds out"
        )
    if protocol.test_folds is not None:
        messages.note("a curve needs one test part for all sizes: one split instead of the folds of protocol auto")
    return protocol.model_copy(update={"test_folds": None, "keep_models": False})


def _metric(metric: str | None, dataset: Dataset) -> str:
    """The metric, or its key for several classes. Raises ConfigError."""
    if len(dataset.classes) == 2:
        return metric_named(metric or "auc", measures())
    known = multiclass_metrics(dataset.classes, ordered=dataset.ordered)
    name = metric or "auc:macro"
    for key in (name, name.casefold(), f"{name.casefold()}:macro"):
        if key in known:
            return key
    raise unknown("metric", name, known)


def _default_sizes(present: Counts) -> list[int]:
    """The available number of training images, halved up to four times while the rarest class has ten images."""
    total = sum(present)
    sizes = [total // 2**step for step in range(_DEFAULT_SIZES)]
    return sorted(size for size in sizes if size == total or min(subset_counts(present, size)) >= _LEAST_DEFAULT)


def _check_sizes(sizes: Sequence[int], present: Counts, classes: tuple[str, ...], protocol: Protocol) -> None:
    """Raise DataError if a size is too large, or leaves a class with too few images."""
    total = sum(present)
    if too_large := [size for size in sizes if size > total]:
        limit = protocol.sampling.train
        more = (
            "" if limit is None or limit > total else f"; sampling.train of protocol {protocol.name} allows {limit:,}"
        )
        raise DataError(
            f"--sizes {', '.join(map(str, too_large))}: the split has {plural(total, 'training image')}{more}; give "
            f"sizes up to {total}"
        )
    for size in sizes:
        counts = subset_counts(present, size) if size >= len(present) else (0,) * len(present)
        if few := [f"{count} of {name}" for count, name in zip(counts, classes, strict=True) if count < LEAST_OF_CLASS]:
            least = next((n for n in range(size, total) if min(subset_counts(present, n)) >= LEAST_OF_CLASS), total)
            raise DataError(
                f"--sizes {size}: has {listed(few)}; a class needs {LEAST_OF_CLASS} training images: give {least} or "
                "more"
            )

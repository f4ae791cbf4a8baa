"""`zoo bench`: run cards under a protocol and compare them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.completion import card_names
from zoo.cli.options import (
    CardsOption,
    DataIsOption,
    DataOption,
    PatientsOption,
    PositiveOption,
    ProtocolOption,
    RunMemoryOption,
    RunTimeoutOption,
    StoreOption,
    err,
    known_cards,
    limits_of,
    out,
)

if TYPE_CHECKING:
    from rich.console import Console

    from benchmark.data.dataset import Dataset
    from benchmark.runs.execution.events import Event


def command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[CARD]...", help="Cards to run.", autocompletion=card_names)
    ] = None,
    all_cards: Annotated[bool, typer.Option("--all", help="Run every card.")] = False,
    data: DataOption = "phantom",
    protocol: ProtocolOption = "quick",
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", min=1, max=1000, help="Run seeds 0 to N-1 instead of the protocol's.", metavar="N"),
    ] = None,
    store: StoreOption = Path("runs"),
    jobs: Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Runs at a time.")] = 1,
    keep_models: Annotated[
        bool,
        typer.Option(
            "--keep-models",
            help="Keep trained models, for `zoo predict`; runs stored without a model are computed again.",
        ),
    ] = False,
    run_timeout: RunTimeoutOption = "24h",
    run_memory: RunMemoryOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run and what would be reused.")] = False,
    cards: CardsOption = None,
    patients: PatientsOption = None,
    positive: PositiveOption = None,
    data_is: DataIsOption = None,
) -> None:
    """Run cards under a protocol, reuse what the store holds, and print the comparison."""
    from benchmark.data.cache import declared_gib
    from benchmark.runs.execution.execute import execute_all, reusable_run
    from benchmark.runs.plan import make_plan, planned_splits
    from benchmark.runs.protocol import load_protocol
    from benchmark.runs.storage.store import Store
    from reports.render.terminal.comparison import comparison_tables
    from reports.render.terminal.runs import plan_table
    from reports.report import build_report
    from reports.results.split_lines import split_lines, split_notes
    from zoo.cli.data_notes import opened, saying, tell_notes
    from zoo.cli.progress import watching
    from zoo.config.strict_yaml import ConfigError
    from zoo.models.catalog import select

    declared_gib()  # a wrong limit is told now and not by every run
    limits = limits_of(run_timeout, run_memory)
    known = known_cards(cards)
    if all_cards == bool(names):
        raise ConfigError("zoo bench: give cards by name, or --all for every card; `zoo cards` lists them")
    chosen = list(known.values()) if all_cards else select(known, names or ())
    rules = load_protocol(protocol)
    if keep_models:
        rules = rules.model_copy(update={"keep_models": True})
    kept = Store(store)
    dataset = opened(data, patients, positive, data_is)
    console = err()
    tell_notes(console, dataset, chosen)
    plan = make_plan(chosen, rules, dataset, list(range(seeds)) if seeds else None)
    if not plan.specs:
        raise ConfigError(*(f"card {skip.card.name}: {skip.reason}" for skip in plan.skips))
    if dry_run:
        splits = planned_splits(plan, dataset)
        lines = split_lines(splits, dataset.classes, len(dataset.images))
        lines += [f"note: {note}" for note in split_notes(splits)]
        reused = {spec.run_id for spec in plan.specs if reusable_run(kept, spec) is not None}
        out().print(plan_table(plan, reused, lines))
        return
    with watching(console, plan, dataset) as on_event:
        handle = warning_of_leaks(console, dataset, on_event)
        runs = execute_all(plan.specs, dataset, kept, jobs=jobs, limits=limits, on_event=handle)
    if data_is is not None and any(run.spec.dataset.known_as != data_is for run in runs):
        console.print("note: reused runs do not record --data-is; give it to `zoo report` too", markup=False)
        runs = [saying(run, data_is) for run in runs]
    out().print(comparison_tables(build_report(runs, kept.history, plan.skips)))
    if any(run.status == "failed" for run in runs):
        raise typer.Exit(1)


def warning_of_leaks(console: Console, dataset: Dataset, on_event: Callable[[Event], None]) -> Callable[[Event], None]:
    """`on_event`, and on `console` what the parts of a split share, when the first run on it has started: its images
    are prepared then, and comparing them takes less time than the run needs to load its network."""
    from benchmark.data.checks.leakage import leaks
    from benchmark.data.splits import make_split
    from benchmark.runs.execution.events import Started

    compared: set[str] = set()

    def handle(event: Event) -> None:
        on_event(event)
        if not isinstance(event, Started) or event.split.fingerprint in compared:
            return
        compared.add(event.split.fingerprint)
        protocol = event.spec.protocol
        split = make_split(dataset, protocol.sampling, event.spec.split_seed)
        for line in leaks(dataset, split, protocol.image_size).lines():
            console.print(f"warning: leakage: {line}", markup=False, soft_wrap=True)

    return handle

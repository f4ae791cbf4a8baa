"""`zoo bench`: runs cards under a protocol and compares them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from zoo.cli.completion import card_names
from zoo.cli.options import (
    CardsOption,
    ClaimsOption,
    CollectionOption,
    CoresOption,
    DataIsOption,
    DataOption,
    EngineOption,
    HoldOutOption,
    PatientsOption,
    PositiveOption,
    ProtocolOption,
    RayOption,
    RunMemoryOption,
    RunTimeoutOption,
    SlurmOption,
    StoreOption,
    err,
    out,
    registered_line,
    say,
)


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="CARD", help="Cards to run: names or YAML files.", autocompletion=card_names),
    ] = None,
    all_cards: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Run every card of the collection: without --collection, pneumonia-report on the phantom and on that "
            "report's images, and starter on other images.",
        ),
    ] = False,
    collection: CollectionOption = None,
    data: DataOption = "phantom",
    protocol: ProtocolOption = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", min=1, max=1000, help="Run seeds 0 to N-1. Default: the seeds of the protocol.", metavar="N"
        ),
    ] = None,
    store: StoreOption = "runs",
    jobs: Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Number of simultaneous runs.")] = 1,
    keep_models: Annotated[
        bool,
        typer.Option(
            "--keep-models",
            help="Store trained models, for `zoo predict`; runs stored without a model are computed again.",
        ),
    ] = False,
    run_timeout: RunTimeoutOption = "24h",
    run_memory: RunMemoryOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report which runs would be computed or reused, and stop.")
    ] = False,
    cards: CardsOption = None,
    patients: PatientsOption = None,
    positive: PositiveOption = None,
    hold_out: HoldOutOption = None,
    data_is: DataIsOption = None,
    claims: ClaimsOption = None,
    engine: EngineOption = "local",
    slurm: SlurmOption = None,
    ray: RayOption = None,
    cores: CoresOption = None,
    print_batch: Annotated[
        bool,
        typer.Option(
            "--print-batch", help="With --engine slurm: print the batch script of the missing runs, and submit nothing."
        ),
    ] = False,
) -> None:
    """Run cards under a protocol, reuse stored runs, and print the comparison."""
    from benchmark.runs.storage.beside.remembered import protocol_option
    from reports.render.terminal.comparison import answers, comparison_tables
    from reports.render.terminal.runs import plan_table
    from reports.results.conditions.protocol_choices import protocol_lines, time_lines
    from reports.results.conditions.split_lines import split_lines, split_notes
    from zoo.api.bench import plan_bench
    from zoo.cli.engines import engine_options
    from zoo.cli.progress import watching
    from zoo.config.errors import ConfigError

    if (all_cards or collection is not None) == bool(names):
        raise ConfigError(
            "zoo bench: give cards by name, or --collection NAME, or --all for every card; `zoo cards` lists them"
        )
    planned = plan_bench(
        names,
        collection=collection,
        data=data,
        protocol=protocol,
        seeds=seeds,
        store=store,
        jobs=jobs,
        keep_models=keep_models,
        run_timeout=run_timeout,
        run_memory=run_memory,
        card_folders=cards or (),
        patients=patients,
        positive=positive,
        data_is=data_is,
        hold_out=hold_out,
        claims=claims,
        engine=engine,
        engine_options=engine_options(engine, slurm, ray),
        cores=cores,
        print_batch=print_batch,
        will_run=not (dry_run or print_batch),
        on_message=say,
    )
    if dry_run:
        dataset = planned.dataset
        protocol_of_all = planned.plan.specs[0].protocol
        lines = protocol_lines(protocol_of_all, planned.expected_time)
        lines += [] if lines else time_lines(planned.expected_time)
        lines += [f"note: {planned.trained_again}"] if planned.trained_again is not None else []
        lines += split_lines(planned.splits, dataset.classes, len(dataset.images), protocol_of_all)
        lines += [f"note: {note}" for note in split_notes(planned.splits)]
        out().print(plan_table(planned.plan, planned.reused, lines))
        return
    if print_batch:
        script = planned.batch_script(on_message=say)
        if script is None:
            say(f"nothing to compute: all {len(planned.plan.specs)} runs are stored")
        else:
            print(script)
        return
    console = err()
    again = planned.trained_again
    notes = [] if again is None else [again]
    with watching(console, planned.plan, planned.dataset, expected=planned.expected_time, notes=notes) as on_event:
        results = planned.run(on_event=on_event, on_message=partial(console.print, markup=False, soft_wrap=True))
    out().print(comparison_tables(results.report))
    options = protocol_option(results.store, results.runs[0].spec) if results.runs else []
    out().print(answers(results.report, results.store.name, options))
    if results.head is not None:
        say(registered_line(results.head))
    if results.failed or (names and results.skips):
        raise typer.Exit(1)

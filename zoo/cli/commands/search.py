"""`zoo search`: tunes a card, and runs the winner."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.completion import card_names, space_names
from zoo.cli.options import (
    CardsOption,
    ClaimsOption,
    CoresOption,
    DataOption,
    EngineOption,
    HoldOutOption,
    JsonOption,
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
    print_json,
    registered_line,
    say,
)


def command(
    card: Annotated[str, typer.Argument(metavar="CARD", help="The card to tune.", autocompletion=card_names)],
    space: Annotated[
        str | None,
        typer.Option(
            "--space",
            metavar="NAME_OR_FILE",
            help="The search space. Default: the first that fits the card.",
            autocompletion=space_names,
        ),
    ] = None,
    tuner: Annotated[
        str | None,
        typer.Option(
            "--tuner", metavar="NAME", help="random, bayesian, hyperband, grid, optuna. Default: set by the space."
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", min=1, max=10_000, metavar="N", help="Number of trials. Default: set by the space."),
    ] = None,
    executions: Annotated[
        int | None,
        typer.Option("--executions", min=1, max=1000, metavar="N", help="Runs per trial. Default: set by the space."),
    ] = None,
    data: DataOption = "phantom",
    protocol: ProtocolOption = None,
    store: StoreOption = "runs",
    out_dir: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder for the winning card and the search report.")
    ] = Path("search"),
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the winning card. Default: CARD-tuned.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Number of simultaneous trials.")] = 1,
    run_timeout: RunTimeoutOption = "24h",
    run_memory: RunMemoryOption = None,
    cards: CardsOption = None,
    patients: PatientsOption = None,
    positive: PositiveOption = None,
    hold_out: HoldOutOption = None,
    claims: ClaimsOption = None,
    engine: EngineOption = "local",
    slurm: SlurmOption = None,
    ray: RayOption = None,
    cores: CoresOption = None,
    json: JsonOption = False,
) -> None:
    """Tune a card on validation, write the winner as a card, and score it on the test split once."""
    from reports.render.terminal.comparison import comparison_tables
    from reports.render.terminal.search import search_tables
    from reports.results.conditions.split_lines import split_lines
    from zoo.api.search import plan_search
    from zoo.cli.engines import engine_options
    from zoo.cli.progress import searching, watching

    planned = plan_search(
        card,
        space=space,
        tuner=tuner,
        trials=trials,
        executions=executions,
        data=data,
        protocol=protocol,
        store=store,
        out=out_dir,
        name=name,
        jobs=jobs,
        run_timeout=run_timeout,
        run_memory=run_memory,
        card_folders=cards or (),
        patients=patients,
        positive=positive,
        hold_out=hold_out,
        claims=claims,
        engine=engine,
        engine_options=engine_options(engine, slurm, ray),
        cores=cores,
        on_message=say,
    )
    console, dataset = err(), planned.dataset
    with searching(console, planned.space, planned.card, dataset) as (on_event, on_trial):
        for line in split_lines(planned.splits, dataset.classes, len(dataset.images)):
            console.print(line, markup=False, soft_wrap=True)
        trial_results = planned.tune(on_event=on_event, on_trial=on_trial)
    results = planned.finish(
        trial_results,
        lambda plan: watching(console, plan.plan, plan.dataset),
        on_message=partial(console.print, markup=False, soft_wrap=True),  # above the live table
    )
    if results.winner is None or results.bench is None:
        out().print(search_tables(results.trials))
        raise typer.Exit(1)
    if json:
        print_json(results.to_dict())
    else:
        again = ["zoo", "bench", results.winner.stem, "--cards", str(out_dir), "--data", data, "--protocol"]
        again += [protocol or planned.protocol.name]
        again += [] if patients is None else ["--patients", patients]
        again += [] if positive is None else ["--positive", positive]
        again += [] if hold_out is None else ["--hold-out", hold_out]
        again += ["--store", str(store)]
        out().print(search_tables(results.trials))
        out().print(comparison_tables(results.bench.report))
        written = f"wrote {results.winner} and {out_dir / 'search.md'}; run the card again with: {shlex.join(again)}"
        out().print(written, markup=False, soft_wrap=True)
    if results.bench.head is not None:
        say(registered_line(results.bench.head))
    if results.bench.failed:
        raise typer.Exit(1)

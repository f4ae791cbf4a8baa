"""`zoo curve`: how a card's figures depend on the number of training images."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.completion import card_names
from zoo.cli.options import (
    CardsOption,
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
    say,
)


def command(
    card: Annotated[
        str, typer.Argument(metavar="CARD", help="The card: a name or a YAML file.", autocompletion=card_names)
    ],
    sizes: Annotated[
        str | None,
        typer.Option(
            "--sizes",
            metavar="N,N,...",
            help="Numbers of training images, such as 50,100,200,400. Default: all that the split has, halved up to "
            "four times.",
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", min=1, max=100, metavar="N", help="Draws of training images by patient per size.")
    ] = 5,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=100, metavar="N", help="Trainings per draw; a probe has one.")
    ] = 1,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric", metavar="NAME", help="The metric. Default: auc, with three or more classes its macro mean."
        ),
    ] = None,
    data: DataOption = "phantom",
    protocol: ProtocolOption = None,
    store: StoreOption = "runs",
    jobs: Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Number of simultaneous runs.")] = 1,
    run_timeout: RunTimeoutOption = "24h",
    run_memory: RunMemoryOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report which runs would be computed or reused, and stop.")
    ] = False,
    cards: CardsOption = None,
    patients: PatientsOption = None,
    positive: PositiveOption = None,
    hold_out: HoldOutOption = None,
    engine: EngineOption = "local",
    slurm: SlurmOption = None,
    ray: RayOption = None,
    cores: CoresOption = None,
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout, and nothing else.")] = False,
) -> None:
    """Measure a card by the number of training images, and say what more images would probably add."""
    from reports.render.csv_text import csv_text
    from reports.render.terminal.runs import plan_table
    from reports.render.terminal.training_size import curve_view
    from reports.render.training_size import COLUMNS
    from reports.results.conditions.protocol_choices import time_lines
    from reports.results.conditions.split_lines import split_lines
    from zoo.api.curve import plan_curve
    from zoo.cli.engines import engine_options
    from zoo.cli.progress import watching
    from zoo.config.errors import ConfigError

    if json and csv:
        raise ConfigError("zoo curve: --json and --csv exclude each other; give one")
    planned = plan_curve(
        card,
        sizes=None if sizes is None else _numbers(sizes),
        draws=draws,
        seeds=seeds,
        metric=metric,
        data=data,
        protocol=protocol,
        store=store,
        jobs=jobs,
        run_timeout=run_timeout,
        run_memory=run_memory,
        card_folders=cards or (),
        patients=patients,
        positive=positive,
        hold_out=hold_out,
        engine=engine,
        engine_options=engine_options(engine, slurm, ray),
        cores=cores,
        on_message=say,
    )
    if dry_run:
        dataset = planned.dataset
        lines = time_lines(planned.expected_time)
        lines += split_lines([planned.split], dataset.classes, len(dataset.images), planned.plan.specs[0].protocol)
        out().print(plan_table(planned.plan, planned.reused, lines))
        return
    expected = planned.expected_time
    with watching(err(), planned.plan, planned.dataset, expected=expected, splits=[planned.split]) as on_event:
        results = planned.run(on_event=on_event)
    for line in results.messages[len(planned.messages) :]:
        say(line)
    if results.curve is None:
        raise ConfigError(f"every run of the curve failed: {results.runs[0].error}")
    if json:
        print_json(results.to_dict())
    elif csv:
        print(csv_text(COLUMNS, [list(row.values()) for row in results.rows()]), end="")
    else:
        out().print(curve_view(results.curve))
    if results.failed:
        raise typer.Exit(1)


def _numbers(sizes: str) -> list[int]:
    """The numbers in `50,100,200`. Raises ConfigError."""
    from zoo.config.errors import ConfigError

    parts = [part.strip() for part in sizes.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ConfigError(f"--sizes {sizes}: give numbers of training images with commas, such as 50,100,200,400")
    return [int(part) for part in parts]

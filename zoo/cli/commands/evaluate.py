"""`zoo evaluate`: applies a stored model to the images of another source."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from zoo.cli.completion import protocol_names
from zoo.cli.options import (
    HoldOutOption,
    JsonOption,
    PatientsOption,
    PositiveOption,
    RunArgument,
    StoreOption,
    err,
    out,
    print_json,
    say,
)


def command(
    name: RunArgument,
    data: Annotated[
        str, typer.Option("--data", metavar="SOURCE", help="The other source: what --data of `zoo bench` accepts.")
    ],
    store: StoreOption = "runs",
    part: Annotated[
        str, typer.Option("--part", metavar="NAME", help="The part to evaluate: all, train, val or test.")
    ] = "all",
    class_map: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="MODEL=OTHER,...",
            help="Classes of the source with other names than in the model, such as 'NORMAL=healthy'; several may "
            "become one.",
        ),
    ] = None,
    recalibrate_on: Annotated[
        float,
        typer.Option(
            "--recalibrate-on",
            metavar="SHARE",
            help="The share of the images, by patient, on which a second version is recalibrated, to be compared on "
            "the others; 0 for none.",
        ),
    ] = 0.5,
    split_seed: Annotated[int, typer.Option("--split-seed", min=0, metavar="N", help="Seed of this division.")] = 0,
    patients: PatientsOption = None,
    positive: PositiveOption = None,
    hold_out: HoldOutOption = None,
    run_data: Annotated[
        str | None,
        typer.Option(
            "--run-data", metavar="SOURCE", help="Only runs on these data. Default: those of the latest bench."
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            metavar="NAME",
            help="Only runs under this protocol. Default: that of the latest bench.",
            autocompletion=protocol_names,
        ),
    ] = None,
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout, and nothing else.")] = False,
) -> None:
    """Evaluate a stored model on another source without refitting: external validation, with discrimination, figures at
    the transferred threshold, calibration, and what recalibration would give.

    The result is stored beside the runs, and the report shows it. The run and its threshold stay as they are.
    """
    from rich.progress import track

    from reports.render.terminal.outside import outside_csv, outside_view
    from zoo.api.evaluate import evaluate
    from zoo.cli.plain_progress import SlowSteps, can_redraw, with_progress
    from zoo.config.errors import ConfigError

    if json and csv:
        raise ConfigError("zoo evaluate: --json and --csv exclude each other; give one")
    console = err()
    bar = partial(track, description="predicting", console=console, transient=True)
    lines = partial(with_progress, label="predicting", write=partial(console.print, markup=False))
    with SlowSteps(partial(console.print, markup=False, soft_wrap=True)) as steps:
        steps(f"opening {data}")
        results = evaluate(
            name,
            data,
            store=store,
            part=part,
            class_map=class_map,
            recalibrate_on=recalibrate_on,
            split_seed=split_seed,
            patients=patients,
            positive=positive,
            hold_out=hold_out,
            run_data=run_data,
            protocol=protocol,
            progress=bar if can_redraw(console) else lines,
            on_message=say,
        )
    if json:
        print_json(results.to_dict())
    elif csv:
        print(outside_csv(results.validation), end="")
    else:
        out().print(outside_view(results.validation))
        how = "reused from the store" if results.reused else "stored"
        out().print(f"{how} as evaluation {results.evaluation.evaluation_id}; `zoo report` shows it", markup=False)

"""`zoo evaluate`: applies a stored model to the images of another source."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from zoo.cli.completion import protocol_names, run_names
from zoo.cli.options import (
    CoresOption,
    EngineOption,
    HoldOutOption,
    JsonOption,
    PatientsOption,
    PositiveOption,
    RayOption,
    SlurmOption,
    StoreOption,
    err,
    out,
    print_json,
    say,
)


def command(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="A run id or the start of one; or CARD or CARD:SEED, of the latest bench if several match. With "
            "several names, several sources, --cores or another engine, CARD means all its seeds.",
            autocompletion=run_names,
        ),
    ],
    data: Annotated[
        list[str],
        typer.Option(
            "--data",
            metavar="SOURCE",
            help="The other source: what --data of `zoo bench` accepts; may be repeated.",
        ),
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
    engine: EngineOption = "local",
    slurm: SlurmOption = None,
    ray: RayOption = None,
    cores: CoresOption = None,
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout, and nothing else.")] = False,
) -> None:
    """Evaluate a stored model on another source without refitting: external validation, with discrimination, figures at
    the transferred threshold, calibration, and what recalibration would give.

    The result is stored beside the runs, and the report shows it. The run and its threshold stay as they are. Several
    runs or sources give one line each.
    """
    from rich.progress import track

    from reports.render.csv_text import csv_text
    from reports.render.terminal.outside import outside_csv, outside_summary, outside_view
    from zoo.api.evaluate import evaluate
    from zoo.api.evaluate_all import evaluate_all
    from zoo.cli.engines import engine_options
    from zoo.cli.plain_progress import SlowSteps, can_redraw, with_progress
    from zoo.config.errors import ConfigError

    if json and csv:
        raise ConfigError("zoo evaluate: --json and --csv exclude each other; give one")
    console = err()
    bar = partial(track, description="predicting", console=console, transient=True)
    lines = partial(with_progress, label="predicting", write=partial(console.print, markup=False))
    options = engine_options(engine, slurm, ray)
    request: dict[str, Any] = {
        "store": store,
        "part": part,
        "class_map": class_map,
        "recalibrate_on": recalibrate_on,
        "split_seed": split_seed,
        "patients": patients,
        "positive": positive,
        "hold_out": hold_out,
        "run_data": run_data,
        "protocol": protocol,
    }
    if len(names) > 1 or len(data) > 1 or engine != "local" or cores is not None:
        all_results = evaluate_all(
            names,
            data,
            **request,
            engine=engine,
            engine_options=options,
            cores=cores,
            on_line=say,
            on_message=say,
        )
        if json:
            print_json(all_results.to_dict())
        elif csv:
            print(csv_text(*all_results.table()), end="")
        else:
            rows = [(row.name, row.data, row.validation, row.error) for row in all_results.rows]
            out().print(outside_summary(rows))
        if all_results.failed:
            raise typer.Exit(1)
        return
    with SlowSteps(partial(console.print, markup=False, soft_wrap=True)) as steps:
        steps(f"opening {data[0]}")
        results = evaluate(
            names[0],
            data[0],
            **request,
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

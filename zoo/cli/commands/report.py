"""`zoo report`: writes a report about a store, in one or several formats."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.completion import protocol_names
from zoo.cli.options import (
    CardsOption,
    DataIsOption,
    DecisionOption,
    PatientsOption,
    StoreOption,
    ThresholdRuleOption,
    err,
    out,
    say,
)


def command(
    store: StoreOption = "runs",
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for the report.")] = Path("."),
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format", metavar="NAME", help="md, html, json, csv or tex; may be repeated. Default: md, html."
        ),
    ] = None,
    claims: Annotated[
        list[str] | None,
        typer.Option(
            "--claims",
            metavar="NAME_OR_FILE",
            help="Claims to check, built-in or a file; may be repeated. Default: those about its cards and data.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 1 if a claim differs or is impossible.")
    ] = False,
    threshold_rule: ThresholdRuleOption = None,
    decision: DecisionOption = None,
    gallery: Annotated[
        bool, typer.Option("--gallery", help="Add test images, with Grad-CAM from stored models.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="SOURCE",
            help="Only runs on these data; or, with --gallery, where the images of the runs are now. Default: all, the "
            "latest bench first.",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            metavar="NAME",
            help="Only runs under this protocol. Default: all.",
            autocompletion=protocol_names,
        ),
    ] = None,
    patients: PatientsOption = None,
    data_is: DataIsOption = None,
    cards: CardsOption = None,
) -> None:
    """Write a report about a store: verdicts on claims, figures, curves, methods, limits and checklists."""
    from reports.render.terminal.claims import claims_tables
    from zoo.api.report import report
    from zoo.cli.plain_progress import SlowSteps
    from zoo.config.errors import ConfigError

    with SlowSteps(partial(err().print, markup=False, soft_wrap=True)) as steps:
        steps("reading the store")
        results = report(
            store,
            out=out_dir,
            formats=formats or ("md", "html"),
            claims=claims,
            threshold_rule=threshold_rule,
            decision=decision,
            gallery=gallery,
            data=data,
            protocol=protocol,
            patients=patients,
            data_is=data_is,
            card_folders=cards or (),
            on_message=say,
            on_progress=steps,
        )
    for each in results.verdicts:
        out().print(claims_tables(each))
    for path in results.paths:
        out().print(f"wrote {path}", markup=False)
    for line in dict.fromkeys(line for each in results.summaries for line in each.claims):
        out().print(line, markup=False)
    if strict and not results.verdicts:
        raise ConfigError("--strict: no claims are about these cards and data; name claims with --claims")
    if strict and results.differs:
        raise typer.Exit(1)

"""`zoo plan`: what a test set can find out, before anything is trained."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.completion import claims_names, protocol_names
from zoo.cli.options import CardsOption, JsonOption, StoreOption, out, print_json, say


def command(
    claims: Annotated[
        str | None,
        typer.Argument(metavar="CLAIMS", help="A built-in claims file or a YAML file.", autocompletion=claims_names),
    ] = None,
    test: Annotated[
        int | None,
        typer.Option("--test", metavar="N", help="Number of test images. Default: as many as published."),
    ] = None,
    positives: Annotated[
        int | None,
        typer.Option("--positives", metavar="N", help="Positives among them. Default: the published prevalence."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", metavar="N", help="Trainings per card. Default: those of the protocol, or 1."),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            metavar="NAME_OR_FILE",
            help="The protocol of the runs, for seeds and test images.",
            autocompletion=protocol_names,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="SOURCE", help="The data of the runs, as in zoo bench, for their test part."),
    ] = None,
    difference: Annotated[
        float | None,
        typer.Option(
            "--difference",
            metavar="X",
            help="True difference: for differs, and of a sentence from its bound. Default: twice the margin; for a "
            "sentence the printed figures, where its cards have them.",
        ),
    ] = None,
    spread: Annotated[
        float,
        typer.Option("--spread", metavar="X", help="Assumed standard deviation of a figure between trainings."),
    ] = 0.0,
    expected: Annotated[
        float | None,
        typer.Option("--expected", metavar="X", help="Expected figure, for --width and for cards without a figure."),
    ] = None,
    width: Annotated[
        float | None,
        typer.Option("--width", metavar="X", help="Wished width of a 95% interval: how many test images it takes."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option("--metric", metavar="NAME", help="The figure of --width: auc, recall, f1, recall:macro, ..."),
    ] = None,
    prevalence: Annotated[
        str | None,
        typer.Option(
            "--prevalence",
            metavar="X",
            help="Share of positives for --width and --sensitivity, or of each class: 0.5,0.3,0.2. Default: 0.5.",
        ),
    ] = None,
    sensitivity: Annotated[
        str | None,
        typer.Option(
            "--sensitivity",
            metavar="X@CONFIDENCE",
            help="A guaranteed sensitivity: how many positive validation images it takes: 0.95@0.95.",
        ),
    ] = None,
    store: StoreOption = "runs",
    cards: CardsOption = None,
    json: JsonOption = False,
) -> None:
    """Say what a test set can find out before anything is trained: for claims, for an interval, for a guarantee."""
    from reports.render.terminal.plan import plan_tables
    from zoo.api.plan import plan

    results = plan(
        claims,
        test=test,
        positives=positives,
        seeds=seeds,
        protocol=protocol,
        data=data,
        difference=difference,
        spread=spread,
        expected=expected,
        width=width,
        metric=metric,
        prevalence=None if prevalence is None else _shares(prevalence),
        sensitivity=sensitivity,
        store=store,
        card_folders=cards or (),
        on_message=say,
    )
    if json:
        print_json(results.to_dict())
        return
    out().print(plan_tables(results.claims, results.width, results.guarantee))


def _shares(text: str) -> list[float]:
    from zoo.config.errors import ConfigError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"--prevalence {text}: give a share such as 0.3, or one per class: 0.5,0.3,0.2") from None

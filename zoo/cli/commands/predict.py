"""`zoo predict`: applies a stored model to images."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.options import (
    DecisionOption,
    JsonOption,
    RunArgument,
    RunDataOption,
    RunProtocolOption,
    StoreOption,
    ThresholdRuleOption,
    err,
    out,
    print_json,
    say,
)


def command(
    name: RunArgument,
    paths: Annotated[list[Path], typer.Argument(metavar="IMAGE|FOLDER", help="Images, or folders of images.")],
    store: StoreOption = "runs",
    data: RunDataOption = None,
    protocol: RunProtocolOption = None,
    threshold_rule: ThresholdRuleOption = None,
    decision: DecisionOption = None,
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout, and nothing else.")] = False,
) -> None:
    """Predict the probability of the positive class and the decision per image, and mark images unlike the training
    images. For three or more classes, predict the class and the probability of each class. An ensemble averages what
    the models of its members give.

    An image that cannot be read, or has no finite probability, gets an error instead of a decision; the exit code is
    then 1.
    """
    from rich.progress import track

    from reports.render.terminal.predictions import calibration_line, predictions_csv, predictions_table
    from zoo.api.predict import predict
    from zoo.cli.plain_progress import SlowSteps, can_redraw, with_progress
    from zoo.config.errors import ConfigError

    if json and csv:
        raise ConfigError("zoo predict: --json and --csv exclude each other; give one")
    console = err()
    bar = partial(track, description="predicting", console=console, transient=True)
    lines = partial(with_progress, label="predicting", write=partial(console.print, markup=False))
    with SlowSteps(partial(console.print, markup=False, soft_wrap=True)) as steps:
        steps(f"loading the model of {name}, then predicting")
        results = predict(
            name,
            paths,
            store=store,
            data=data,
            protocol=protocol,
            threshold_rule=threshold_rule,
            decision=decision,
            progress=bar if can_redraw(console) else lines,
            on_message=say,
        )
    if json:
        print_json(results.to_dict())
    elif csv:
        if not results.decider.calibrator.accepted:
            say(f"note: {calibration_line(results.decider.calibrator)}")
        print(predictions_csv(results.run, results.decider, results.predictions, results.known), end="")
    else:
        table = predictions_table(results.run, results.decider, results.predictions, results.notes, results.known)
        out().print(table)
    if results.failed:
        raise typer.Exit(1)

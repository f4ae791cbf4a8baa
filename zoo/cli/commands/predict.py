"""`zoo predict`: apply a stored model to images."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.options import JsonOption, RunArgument, StoreOption, err, out, print_json, say


def command(
    name: RunArgument,
    paths: Annotated[list[Path], typer.Argument(metavar="IMAGE|FOLDER...", help="Images, or folders of images.")],
    store: StoreOption = Path("runs"),
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Rows of CSV on stdout, nothing else.")] = False,
) -> None:
    """Give the probability of the positive class per image, the decision, and a mark if unlike the training images.

    An image that cannot be read or gets no probability is named and not decided: exit code 1.
    """
    from rich.progress import track

    from reports.render.terminal.predictions import predictions_csv, predictions_table
    from zoo.api.predict import predict
    from zoo.cli.plain_progress import can_redraw, counted
    from zoo.config.strict_yaml import ConfigError

    if json and csv:
        raise ConfigError("zoo predict: --json and --csv exclude each other; give one")
    console = err()
    redrawn = partial(track, description="predicting", console=console, transient=True)
    lines = partial(counted, doing="predicting", tell=partial(console.print, markup=False))
    results = predict(name, paths, store=store, progress=redrawn if can_redraw(console) else lines, on_message=say)
    if json:
        print_json(results.to_dict())
    elif csv:
        print(predictions_csv(results.predictions), end="")
    else:
        out().print(predictions_table(results.run, results.decider, results.predictions, results.notes))
    if results.failed:
        raise typer.Exit(1)

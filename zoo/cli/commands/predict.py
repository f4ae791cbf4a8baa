"""`zoo predict`: what a kept model says of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.options import JsonOption, RunArgument, StoreOption, err, out, print_json, warn


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
    from functools import partial

    from rich.progress import track

    from benchmark.runs.deployment.decision_rule import decider_of
    from benchmark.runs.deployment.model_files import model_of, reference_note
    from benchmark.runs.deployment.predictions import image_files, predict_files
    from benchmark.runs.storage.lookup import resolve_run
    from benchmark.runs.storage.store import Store
    from reports.render.terminal.predictions import predictions_csv, predictions_document, predictions_table
    from zoo.cli.plain_progress import can_redraw, counted
    from zoo.config.strict_yaml import ConfigError

    if json and csv:
        raise ConfigError("zoo predict: --json and --csv exclude each other; give one")
    kept = Store(store)
    run = resolve_run(kept, name, warn)
    model_of(run, kept)  # a model that is missing is told before the images are looked for
    files = image_files(paths)
    decider = decider_of(run, kept)
    made = predict_files(run, kept, decider, files)
    console = err()
    if can_redraw(console):
        predictions = list(track(made, "predicting", total=len(files), console=console, transient=True))
    else:
        predictions = list(counted(made, len(files), "predicting", partial(console.print, markup=False)))
    notes = [reference_note(run, kept)]
    if json:
        print_json(predictions_document(run, decider, predictions, notes))
    elif csv:
        print(predictions_csv(predictions), end="")
    else:
        out().print(predictions_table(run, decider, predictions, notes))
    if any(each.error is not None for each in predictions):
        raise typer.Exit(1)

"""`zoo data`: describes the contents of a source."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from benchmark.data.sources import source_descriptions
from zoo.cli.options import HoldOutOption, JsonOption, PatientsOption, PositiveOption, out, print_json


def command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=f"{source_descriptions()}.")] = "phantom",
    patients: PatientsOption = None,
    positive: PositiveOption = None,
    hold_out: HoldOutOption = None,
    json: JsonOption = False,
) -> None:
    """Show images, patients, classes and intensity by part, leakage, shortcuts, duplicates and unreadable files."""
    from dataclasses import replace

    from benchmark.data.checks.describe import describe, measure
    from benchmark.runs.run import DatasetFacts
    from benchmark.runs.shortcuts import shortcuts_of_dataset
    from reports.results.conditions.recognised import identity_line
    from zoo.api.arguments.inputs import resolve_data
    from zoo.api.output.data_messages import class_group_warnings

    dataset = resolve_data(source, patients, positive, hold_out=hold_out)
    measured = measure(dataset)
    described, shortcuts = describe(dataset, measured), shortcuts_of_dataset(dataset, measured)
    summary = replace(
        described,
        identity=identity_line(DatasetFacts.of(dataset)),
        warnings=(
            *described.warnings,
            *class_group_warnings(dataset),
            *(shortcut.line() for shortcut in shortcuts if shortcut.notable),
        ),
        shortcuts=shortcuts,
    )
    if json:
        print_json(asdict(summary))
        return
    from reports.render.terminal.data import data_tables

    out().print(data_tables(summary))

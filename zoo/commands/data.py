"""`zoo data`: what a source holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from zoo.commands.options import JsonOption, PatientsOption, out, print_json


def command(
    source: Annotated[
        str, typer.Argument(metavar="[SOURCE]", help="phantom, a folder, a .npz file, or kaggle:OWNER/NAME.")
    ] = "phantom",
    patients: PatientsOption = None,
    json: JsonOption = False,
) -> None:
    """Show images, patients, classes and intensity by part, leakage between parts, duplicates and unreadable files."""
    from benchmark.data import open_dataset
    from benchmark.data.describe import describe

    summary = describe(open_dataset(source, patient_pattern=patients), patients)
    if json:
        print_json(asdict(summary))
        return
    from reports.tables import data_tables

    out().print(data_tables(summary))

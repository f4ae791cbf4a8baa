"""`zoo labels`: lists images of train and validation whose labels are probably wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.data.sources import source_descriptions
from zoo.cli.options import (
    HoldOutOption,
    JsonOption,
    PatientsOption,
    PositiveOption,
    ProtocolOption,
    StoreOption,
    out,
    print_json,
    say,
)

_MOST = 40


def command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=f"{source_descriptions()}.")] = "phantom",
    protocol: ProtocolOption = None,
    store: StoreOption = "runs",
    patients: PatientsOption = None,
    positive: PositiveOption = None,
    hold_out: HoldOutOption = None,
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write labels.csv, and labels.html with the pictures.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List images of train and validation whose labels are probably wrong. Test labels are not judged."""
    from reports.render.terminal.table import escape, plain_table
    from zoo.api.labels import labels

    results = labels(
        source,
        protocol=protocol,
        store=store,
        patients=patients,
        positive=positive,
        hold_out=hold_out,
        out=folder,
        on_message=say,
    )
    if json:
        print_json(results.to_dict())
        return
    console = out()
    table = plain_table("image", "part", "label", "suggested", title=escape(results.data))
    table.add_column("score of the label", justify="right")
    for each in results.suspects[:_MOST]:
        row = (each.name, each.part, each.label, each.suggested, f"{each.score:.3f}")
        table.add_row(*map(escape, row))
    console.print(table)
    console.print(results.about, markup=False)
    if len(results.suspects) > _MOST:
        console.print(f"{len(results.suspects) - _MOST} more: --json or --out DIR lists all", markup=False)
    for path in results.paths:
        console.print(f"wrote {path}", markup=False, soft_wrap=True)

"""`zoo export`: a stored model in a folder that needs no zoo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.options import RunArgument, StoreOption, out, say


def command(
    name: RunArgument,
    store: StoreOption = Path("runs"),
    out_dir: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="A new folder; CARD-SEED if left out.")
    ] = None,
) -> None:
    """Write a folder: the model as Keras and ONNX, threshold and calibration, a model card, a short example."""
    from zoo.api.export import export

    for path in export(name, store=store, out=out_dir, on_message=say).paths:
        out().print(f"wrote {path}", markup=False, soft_wrap=True)

"""`zoo export`: writes a stored model to a folder that works without zoo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.options import (
    DecisionOption,
    RunArgument,
    RunDataOption,
    RunProtocolOption,
    StoreOption,
    ThresholdRuleOption,
    out,
    say,
)


def command(
    name: RunArgument,
    store: StoreOption = "runs",
    data: RunDataOption = None,
    protocol: RunProtocolOption = None,
    threshold_rule: ThresholdRuleOption = None,
    decision: DecisionOption = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="A new folder. Default: CARD-SEED.")
    ] = None,
    container: Annotated[bool, typer.Option("--container", help="Write a service with a Containerfile, too.")] = False,
) -> None:
    """Write a folder with the model as Keras and ONNX, threshold and calibration, what recognises images unlike the
    training images and the drift of a batch, a model card and a short example. Ensembles, and cards that average views
    of an image, cannot be exported."""
    from zoo.api.export import export

    written = export(
        name,
        store=store,
        data=data,
        protocol=protocol,
        threshold_rule=threshold_rule,
        decision=decision,
        out=out_dir,
        container=container,
        on_message=say,
    )
    for path in written.paths:
        out().print(f"wrote {path}", markup=False, soft_wrap=True)

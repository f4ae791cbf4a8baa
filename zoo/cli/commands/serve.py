"""`zoo serve`: answers HTTP requests with a stored model."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.options import (
    DecisionOption,
    RunArgument,
    RunDataOption,
    RunProtocolOption,
    StoreOption,
    ThresholdRuleOption,
    say,
)


def command(
    name: RunArgument,
    store: StoreOption = "runs",
    data: RunDataOption = None,
    protocol: RunProtocolOption = None,
    threshold_rule: ThresholdRuleOption = None,
    decision: DecisionOption = None,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="The address to listen on. Any other than loopback opens the service to the network.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", help="The port to listen on; 0 chooses a free one.")
    ] = 8000,
    max_mib: Annotated[
        float, typer.Option("--max-mib", metavar="MIB", help="The largest request that is read, in MiB.")
    ] = 20.0,
    max_megapixels: Annotated[
        float,
        typer.Option("--max-megapixels", metavar="N", help="The largest image that is decoded, in million pixels."),
    ] = 25.0,
) -> None:
    """Answer HTTP requests with a stored model. POST an image to /predict: the answer is JSON with its probabilities,
    its decision, and whether it is unlike the training images. Ctrl-C ends the service.

    GET /healthz says whether the service runs; GET / describes the model. The service has no password and no
    encryption.
    """
    from zoo.api.serve import serve

    serve(
        name,
        store=store,
        data=data,
        protocol=protocol,
        threshold_rule=threshold_rule,
        decision=decision,
        host=host,
        port=port,
        max_mib=max_mib,
        max_megapixels=max_megapixels,
        on_message=say,
    )

"""`zoo protocols`: lists the protocols, or prints the fields of one."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.completion import protocol_names
from zoo.cli.options import (
    HoldOutOption,
    JsonOption,
    PatientsOption,
    PositiveOption,
    StoreOption,
    out,
    print_json,
    say,
)


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME_OR_FILE",
            help="The protocol to print. Default: the built-in ones are listed.",
            autocompletion=protocol_names,
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="SOURCE", help="The images for which auto makes a protocol.")
    ] = None,
    patients: PatientsOption = None,
    positive: PositiveOption = None,
    hold_out: HoldOutOption = None,
    store: StoreOption = "runs",
    json: JsonOption = False,
) -> None:
    """List the protocols, or print each field of one with its value and its meaning. With --data, show what auto
    chooses for these images and why, without training.
    """
    from dataclasses import asdict

    from benchmark.runs.auto_protocol import AutoPolicy
    from benchmark.runs.storage.beside.remembered import SourceOptions
    from reports.render.terminal.protocols import fields_table, protocols_table
    from reports.results.conditions.protocol_choices import choice_lines
    from zoo.api.protocols import listed_protocols, show_protocol
    from zoo.config.errors import ConfigError
    from zoo.config.strict_yaml import write_yaml

    if data is not None and name != "auto":
        raise ConfigError("zoo protocols: --data is for auto, as in `zoo protocols auto --data my_images`")
    if name is None:
        rows = listed_protocols()
        if json:
            print_json([asdict(row) for row in rows])
        else:
            out().print(protocols_table([(row.name, row.title, row.purpose) for row in rows]))
        return
    options = SourceOptions(patients, positive, None, hold_out)
    protocol = show_protocol(name, data=data, options=options, store=store, on_message=say)
    if isinstance(protocol, AutoPolicy):
        document = protocol.model_dump(mode="json")
        if json:
            print_json(document)
            return
        print(write_yaml(document), end="")
        say("`zoo protocols auto --data SOURCE` shows the protocol that it makes for a data set")
        return
    if json:
        print_json(protocol.to_dict())
        return
    out().print(f"{protocol.protocol.name}: {protocol.protocol.title}", markup=False)
    for line in choice_lines(protocol.protocol):
        out().print(line, markup=False, soft_wrap=True)
    out().print(fields_table(protocol.rows))

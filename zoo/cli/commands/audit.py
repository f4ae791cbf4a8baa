"""`zoo audit`: checks published figures for contradictions."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.completion import claims_names
from zoo.cli.options import CardsOption, JsonOption, out, print_json, say


def command(
    claims: Annotated[
        str | None,
        typer.Argument(
            metavar="CLAIMS",
            help="A built-in claims file or a YAML file. Default: all built-in claims files.",
            autocompletion=claims_names,
        ),
    ] = None,
    cards: CardsOption = None,
    json: JsonOption = False,
) -> None:
    """Check published figures for contradictions and impossible values, and show what the figures imply."""
    from zoo.api.audit import audit

    results = audit(claims, card_folders=cards or (), on_message=say)
    if json:
        print_json(results.to_dict())
        return
    from reports.render.terminal.audit import audit_tables

    for each in results.audits:
        out().print(audit_tables(each))

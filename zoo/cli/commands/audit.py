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
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with code 1 if a figure is impossible or a sentence names an unknown row."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Check published figures for contradictions and impossible values, and show what the figures imply.

    The exit code is 0 whatever is found; with --strict it is 1 if a printed figure is impossible, or if a sentence
    names a row that does not exist. It is 2 if the claims file is wrong.
    """
    from zoo.api.audit import audit

    results = audit(claims, card_folders=cards or (), on_message=say)
    if json:
        print_json(results.to_dict())
    else:
        from reports.render.terminal.audit import audit_tables

        for each in results.audits:
            out().print(audit_tables(each))
    if strict and (results.impossible or results.unknown_names):
        raise typer.Exit(1)

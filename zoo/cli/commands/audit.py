"""`zoo audit`: published figures against themselves."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.completion import claims_names
from zoo.cli.options import CardsOption, JsonOption, known_cards, out, print_json


def command(
    claims: Annotated[
        str | None,
        typer.Argument(
            metavar="[CLAIMS]",
            help="A built-in claims file or a YAML file; every built-in one if left out.",
            autocompletion=claims_names,
        ),
    ] = None,
    cards: CardsOption = None,
    json: JsonOption = False,
) -> None:
    """Check published figures against themselves: which can be, which cannot, and what follows from them."""
    from reports.audit.audit import Audit, audit
    from reports.claims.model import claims_names, load_claims

    known = known_cards(cards)
    names = [claims] if claims is not None else claims_names()
    audits = [audit(load_claims(name, known)) for name in names]
    if json:
        from pydantic import TypeAdapter

        print_json(TypeAdapter(list[Audit]).dump_python(audits, mode="json"))
        return
    from reports.render.terminal.audit import audit_tables

    for each in audits:
        out().print(audit_tables(each))

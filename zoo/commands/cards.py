"""`zoo cards`: list cards, or show one resolved."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.commands.options import CardsOption, JsonOption, out, print_json


def command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Show this card, resolved.")] = None,
    cards: CardsOption = None,
    json: JsonOption = False,
) -> None:
    """List the cards, or show one with everything it inherits."""
    from zoo.catalog import load_cards, select
    from zoo.strict_yaml import write_yaml

    known = load_cards(cards or ())
    if name is not None:
        card = select(known, [name])[0]
        if json:
            print_json(card.model_dump(mode="json"))
        else:
            print(write_yaml(card.model_dump(mode="json")), end="")
        return
    if json:
        print_json([card.model_dump(mode="json") for card in known.values()])
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("card", "builder", "extends", "what it changes", "published", box=None, pad_edge=False)
    for card in known.values():
        table.add_row(
            escape(card.name),
            card.model.builder,
            escape(card.extends or ""),
            escape(card.changes),
            str(len(card.published)) if card.published else "",
        )
    out().print(table)

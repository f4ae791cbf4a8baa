"""`zoo cards`: list cards, or show one resolved."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.completion import card_names
from zoo.cli.options import CardsOption, JsonOption, out, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.models.card import ModelCard

_WIDE = 110


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show this card, resolved.", autocompletion=card_names)
    ] = None,
    cards: CardsOption = None,
    json: JsonOption = False,
) -> None:
    """List the cards, or show one with everything it inherits.

    A plug-in that cannot be loaded is reported; the list then has the others, and the exit code is 2.
    """
    from zoo.config.strict_yaml import write_yaml
    from zoo.models.catalog import load_cards, select

    problems: list[str] = []
    known = load_cards(cards or (), problems.append)
    for problem in problems:
        print(f"zoo: {problem}", file=sys.stderr)
    if name is not None:
        card = select(known, [name])[0]
        if json:
            print_json(card.with_old_keys())
        else:
            print(write_yaml(card.model_dump(mode="json")), end="")
        return
    if json:
        print_json([card.with_old_keys() for card in known.values()])
    else:
        console = out()
        console.print(cards_table(known.values(), console.width))
    if problems:
        raise typer.Exit(2)


def cards_table(cards: Iterable[ModelCard], width: int) -> Table:
    """One row a card; on a terminal of few columns, what it extends stands below what it changes."""
    from rich.markup import escape
    from rich.table import Table

    wide = width >= _WIDE
    table = Table(box=None, pad_edge=False)
    for head in ("card", "builder", *(["extends"] if wide else []), "what it changes", "published"):
        table.add_column(head, overflow="fold", justify="right" if head == "published" else "left")
    for card in cards:
        parent = escape(card.extends or "")
        changes = escape(card.change)
        told = [parent, changes] if wide else [f"{changes}\n(extends {parent})" if parent else changes]
        table.add_row(escape(card.name), card.model.builder, *told, str(len(card.published) or ""))
    return table

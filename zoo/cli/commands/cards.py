"""`zoo cards`: lists the cards, or prints one with everything it inherits."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from zoo.cli.completion import card_names
from zoo.cli.options import CardsOption, JsonOption, out, print_json


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="The card to print. Default: all cards are listed.", autocompletion=card_names
        ),
    ] = None,
    cards: CardsOption = None,
    json: JsonOption = False,
) -> None:
    """List the cards, or print one with everything it inherits.

    If a plug-in cannot be loaded, stderr names it, the list contains the other cards, and the exit code is 2.
    """
    from reports.render.terminal.cards import cards_table
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
        out().print(cards_table(known.values(), out().width))
    if problems:
        raise typer.Exit(2)

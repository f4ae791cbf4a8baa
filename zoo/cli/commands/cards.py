"""`zoo cards`: lists the cards, or prints one with everything it inherits."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from zoo.cli.completion import card_names
from zoo.cli.options import CardsOption, CollectionOption, JsonOption, out, print_json


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="The card to print. Default: all cards are listed.", autocompletion=card_names
        ),
    ] = None,
    collection: CollectionOption = None,
    cards: CardsOption = None,
    json: JsonOption = False,
) -> None:
    """List the cards by collection, or print one with everything it inherits.

    The origin, digest and licence of pretrained weights follow, and what they were pretrained on.

    If a card names the layers that it unfreezes, its network is built, which takes some seconds, and the layers behind
    which the frozen part can end are printed too.

    If a plug-in cannot be loaded, stderr names it, the list contains the other cards, and the exit code is 2.
    """
    from reports.render.terminal.cards import cards_table
    from zoo.api.output.cuts import cut_lines
    from zoo.api.output.weights import weights_lines
    from zoo.config.errors import ConfigError
    from zoo.config.strict_yaml import write_yaml
    from zoo.models.catalog import load_catalog, select

    problems: list[str] = []
    catalog = load_catalog(cards or (), problems.append)
    for problem in problems:
        print(f"zoo: {problem}", file=sys.stderr)
    if name is not None:
        if collection is not None:
            raise ConfigError("zoo cards: give NAME or --collection, not both; a name is unique over all collections")
        card = select(catalog.cards, [name])[0]
        if json:
            print_json(card.with_old_keys())
        else:
            print(f"# collection: {catalog.collections[card.name]}")
            print(write_yaml(card.model_dump(mode="json")), end="")
            for line in (*weights_lines(card), *cut_lines(card)):
                print(f"# {line}")
        return
    listed = catalog.cards if collection is None else catalog.of(collection)
    if json:
        print_json([card.with_old_keys() | {"collection": catalog.collections[card.name]} for card in listed.values()])
    else:
        names = catalog.names() if collection is None else (collection,)
        out().print(cards_table({name: catalog.of(name).values() for name in names}, out().width))
    if problems:
        raise typer.Exit(2)

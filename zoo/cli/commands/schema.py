"""`zoo schema`: the JSON Schema of a YAML file, for editors."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from zoo.cli.options import print_json

_KINDS = ("card", "protocol", "space", "claims")


def _kinds(incomplete: str) -> list[str]:
    return [kind for kind in _KINDS if kind.startswith(incomplete)]


def command(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="card, protocol, space or claims.", autocompletion=_kinds)
    ],
) -> None:
    """Print the JSON Schema of cards, protocols, search spaces or claims.

    For an editor that speaks to yaml-language-server: `zoo schema card > card.schema.json`, and as the first line of a
    card `# yaml-language-server: $schema=card.schema.json`.
    """
    from zoo.cli.schemas import SCHEMAS
    from zoo.config import plugins
    from zoo.config.strict_yaml import unknown

    if kind not in SCHEMAS:
        raise unknown("schema", kind, SCHEMAS)
    print_json(SCHEMAS[kind]())
    broken = plugins.load(plugins.BUILDERS).broken if kind == "card" else ()
    for problem in broken:
        print(f"zoo: {problem}; its builders are not in the schema", file=sys.stderr)
    if broken:
        raise typer.Exit(2)

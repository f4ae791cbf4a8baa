"""`zoo schema`: prints the JSON Schema of a kind of YAML file, for editors."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from zoo.cli.options import print_json

_KINDS = ("card", "protocol", "space", "claims", "classes", "report")


def _kinds(incomplete: str) -> list[str]:
    return [kind for kind in _KINDS if kind.startswith(incomplete)]


def command(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="card, protocol, space, claims, classes or report.", autocompletion=_kinds),
    ],
) -> None:
    """Print the JSON Schema of cards, protocols, search spaces, claims, classes.yaml or report.json.

    For an editor with yaml-language-server, run `zoo schema card > card.schema.json` and write
    `# yaml-language-server: $schema=card.schema.json` as the first line of a card.
    """
    from zoo.cli.schemas import SCHEMAS, WRITTEN
    from zoo.config import plugins
    from zoo.config.strict_yaml import unknown

    makers = {**SCHEMAS, **WRITTEN}
    if kind not in makers:
        raise unknown("schema", kind, makers)
    print_json(makers[kind]())
    groups = {"card": (plugins.BUILDERS, plugins.METRICS), "space": (plugins.METRICS,), "claims": (plugins.METRICS,)}
    broken = [problem for group in groups.get(kind, ()) for problem in plugins.load(group).broken]
    for problem in broken:
        print(f"zoo: {problem}; the schema is without it", file=sys.stderr)
    if broken:
        raise typer.Exit(2)

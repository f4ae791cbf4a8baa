"""Renders the verification of a store for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from benchmark.runs.storage.upkeep.verification import Check
from reports.render.terminal.table import escape, plain_table

_STYLES = {"same": "bold green", "other": "bold yellow", "tampered": "bold red", "unchecked": "bold"}


def verification_table(checks: Sequence[Check]) -> RenderableType:
    """A row per check: its result, what was compared, what was observed and what would be right."""
    table = plain_table("result", "about", "observed", "right would be")
    for check in checks:
        state = Text(check.state, style=_STYLES[check.state])
        table.add_row(state, *map(escape, (check.about, check.text, check.right)))
    return table

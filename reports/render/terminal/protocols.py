"""Protocols for a terminal: the list, and the fields of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from reports.render.terminal.table import escape, plain_table

if TYPE_CHECKING:
    from benchmark.runs.protocol_fields import FieldRow


def protocols_table(rows: Sequence[tuple[str, str, str]]) -> Table:
    """One row per protocol: its name, its title and what it is for."""
    table = plain_table("protocol", "title", "for")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def fields_table(rows: Sequence[FieldRow]) -> Table:
    """One row per field: its value and its meaning."""
    table = plain_table("field", "value", "meaning")
    for row in rows:
        value = row.value if isinstance(row.value, str) else json.dumps(row.value)
        table.add_row(*map(escape, (row.field, value, row.meaning)))
    return table

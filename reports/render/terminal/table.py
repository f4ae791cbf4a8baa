"""Builds tables and escaped text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.markup import escape as _escape_markup
from rich.table import Table

from reports.text import one_line


def escape(text: str) -> str:
    """Escape `text` for rich: no markup, no control characters; line ends remain."""
    return "\n".join(_escape_markup(one_line(line)) for line in text.split("\n"))


def plain_table(*columns: str, whole: Sequence[str] = (), title: str | None = None) -> Table:
    """Build an empty table without vertical rules.

    Args:
        columns: Heads of the columns whose cells fold in a narrow terminal.
        whole: Heads of the columns after them, whose cells never fold, such as figures.
        title: A line above the table, as rich markup.

    Returns:
        The table without rows.
    """
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    for column in whole:
        table.add_column(column, no_wrap=True)
    return table

"""Builds tables and escaped text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape as _escape_markup
from rich.segment import Segment
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


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        head: Its head.
        justify: The side at which its cells are aligned.
        folds: Whether its cells fold in a narrow terminal.
    """

    head: str
    justify: Literal["left", "right"] = "left"
    folds: bool = False


@dataclass(frozen=True)
class LongTable:
    """A table like `plain_table`, of any number of rows.

    Rich measures and wraps each cell, which takes half a second per thousand rows. So it draws a row of the widest
    cells alone. If none of them folds, the other rows are written with the same widths.

    Attributes:
        columns: The columns.
        rows: The rows, at least one, each with a text of one line and without markup per column.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        longest = [max(column, key=cell_len) for column in zip(*self.rows, strict=True)]
        lines = console.render_lines(self._table([longest]), options, pad=False, new_lines=True)
        widths = [
            max(cell_len(text), cell_len(column.head)) for text, column in zip(longest, self.columns, strict=True)
        ]
        sample = "".join(part.text for part in lines[3]).removesuffix("\n") if len(lines) == _LINES else ""
        expected = self._line(longest, widths)
        if sample.rstrip() != expected.rstrip():
            yield self._table(self.rows)
            return
        edge = sample[len(expected) :]
        for line in lines[:3]:
            yield from line
        for row in self.rows:
            yield Segment(f"{self._line(row, widths)}{edge}\n")
        yield from lines[4]

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        parts = []
        for text, width, column in zip(row, widths, self.columns, strict=True):
            blanks = " " * (width - cell_len(text))
            parts.append(f"{blanks}{text}" if column.justify == "right" else f"{text}{blanks}")
        return f" {'  '.join(parts)}"

    def _table(self, rows: Sequence[Sequence[str]]) -> Table:
        table = plain_table()
        for column in self.columns:
            table.add_column(
                column.head,
                justify=column.justify,
                no_wrap=not column.folds,
                overflow="fold" if column.folds else "ellipsis",
            )
        for row in rows:
            table.add_row(*map(escape, row))
        return table


_LINES = 5
"""Lines of a table of one row: a blank one, the heads, the rule, the row, a blank one."""

"""The table of cards for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.table import Table

from reports.render.terminal.table import escape

if TYPE_CHECKING:
    from zoo.models.card import ModelCard

_WIDE = 110


def cards_table(collections: Mapping[str, Iterable[ModelCard]], width: int) -> Table:
    """One row per card, below a row with the name of its collection.

    Args:
        collections: The cards of each collection, in the order of the rows.
        width: Columns of the terminal. On a narrow one the parent of a card follows its change in one cell.

    Returns:
        A table without borders.
    """
    wide = width >= _WIDE
    table = Table(box=None, pad_edge=False)
    for head in ("card", "builder", *(["extends"] if wide else []), "what it changes", "published"):
        table.add_column(head, overflow="fold", justify="right" if head == "published" else "left")
    for collection, cards in collections.items():
        table.add_row(f"[bold]{escape(collection)}[/bold]")
        for card in cards:
            parent = escape(card.extends or "")
            changes = escape(card.change) + (" (baseline)" if card.baseline else "")
            cells = [parent, changes] if wide else [f"{changes}\n(extends {parent})" if parent else changes]
            table.add_row(f"  {escape(card.name)}", card.model.builder, *cells, str(len(card.published) or ""))
    return table

"""Renders a search for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType

from benchmark.runs.trial import SearchResult
from reports.render.terminal.table import escape, plain_table
from reports.results.search import luck, trial_table


def search_tables(result: SearchResult) -> RenderableType:
    """The trials, best first, then those without an objective; then the selection bias of the best trial."""
    heads, rows = trial_table(result)
    title = f"{result.base.name}: {result.tuner} search of {result.space}, val {result.metric}"
    table = plain_table(*heads, title=escape(title))
    for row in rows:
        table.add_row(*map(escape, row))
    return Group(table, *map(escape, luck(result)))

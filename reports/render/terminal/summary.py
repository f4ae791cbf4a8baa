"""Renders the summary of a section for a terminal, in few lines."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports.render.terminal.table import escape
from reports.summary.model import Summary
from reports.summary.text import Part, heading_lines, parts
from reports.text import one_line, plural

_TOPICS = {
    "best": "best",
    "comparisons": "others",
    "baselines": "baselines",
    "resolution": "images",
    "problems": "problems",
    "next": "next",
}
_MOST_CARDS = 3
_MOST_PROBLEMS = 2
_MOST_STEPS = 1


def summary_view(summary: Summary, report: str | None = None) -> RenderableType:
    """Render a summary: the best card, the others, what is wrong, and the next command.

    Args:
        summary: The summary.
        report: The command that writes the whole report, as the last line; None for none.

    Returns:
        Lines that wrap beside their topic.
    """
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("topic", no_wrap=True, style="bold")
    table.add_column("text", overflow="fold")
    for part in parts(summary, _MOST_CARDS):
        topic = _TOPICS[part.name]
        for line in _lines(part):
            table.add_row(topic, escape(line))
            topic = ""
    if report is not None:
        table.add_row("report", escape(report))
    first, *others = map(one_line, heading_lines(summary.heading))
    return Group(Text(first, style="bold"), *map(Text, others), table)


def _lines(part: Part) -> Iterator[str]:
    """The sentences of a part; of problems and commands the first ones."""
    limits = {"problems": _MOST_PROBLEMS, "next": _MOST_STEPS}
    limit = limits.get(part.name, len(part.sentences))
    yield from part.sentences[:limit]
    if part.name == "problems" and len(part.sentences) > limit:
        yield f"{plural(len(part.sentences) - limit, 'more problem')}: see the report"

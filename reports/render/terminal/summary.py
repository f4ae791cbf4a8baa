"""Renders the summary of a section for a terminal, in few lines."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from reports.summary.model import Summary
from reports.summary.text import Part, heading_lines, parts
from reports.text import one_line, plural

_TOPICS = {
    "best": "best",
    "threshold": "threshold",
    "comparisons": "others",
    "baselines": "baselines",
    "tuning": "tuning",
    "resolution": "images",
    "more": "training",
    "problems": "problems",
    "next": "next",
}
_TOPIC = 11  # columns
_MOST_CARDS = 3
_MOST_PROBLEMS = 2
_MOST_STEPS = 3


def summary_view(summary: Summary, report: str | None = None) -> RenderableType:
    """Render a summary: the best card, the others, what is wrong, and the next command.

    Args:
        summary: The summary.
        report: The command that writes the whole report, as the last line; None for none.

    Returns:
        Lines that wrap beside their topic.
    """
    topics = {**_TOPICS, "best": "result" if summary.best is None or summary.best.of == 1 else "best"}
    rows = [(topics[part.name], line) for part in parts(summary, _MOST_CARDS) for line in _lines(part)]
    if report is not None:
        rows.append(("report", report))
    return _Summary(heading_lines(summary.heading), tuple(rows))


@dataclass(frozen=True)
class _Summary:
    """A heading, of which the first line is bold, and rows of a topic and a text. No interval is broken."""

    heading: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for place, line in enumerate(self.heading):
            for text in _wrapped(line, options.max_width):
                yield Text(text, style="" if place else "bold")
        previous = ""
        for topic, line in self.rows:
            for text in _wrapped(line, options.max_width - _TOPIC):
                yield Text.assemble(("" if topic == previous else topic).ljust(_TOPIC), text)
                previous = topic


def _wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, which break at blanks outside of intervals and at no hyphen."""
    whole = re.sub(
        r"\[[^\[\]]*\]", lambda interval: interval.group().replace(" ", "\N{NO-BREAK SPACE}"), one_line(text)
    )
    lines = textwrap.wrap(whole, max(20, width), break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _lines(part: Part) -> Iterator[str]:
    """The sentences of a part; of problems and commands the first ones."""
    limits = {"problems": _MOST_PROBLEMS, "next": _MOST_STEPS}
    limit = limits.get(part.name, len(part.sentences))
    others = part.sentences[limit:]
    always = [sentence for sentence in others if sentence in part.always]
    yield from (*part.sentences[:limit], *always)
    if part.name == "problems" and len(others) > len(always):
        yield f"{plural(len(others) - len(always), 'more problem')}: see the report"

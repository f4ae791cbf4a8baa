"""Builds tables, cells and folded parts of GitHub-flavoured markdown, with escaped text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from reports.text import one_line

_LITERAL = re.compile(r"(`[^`]*`|https?://\S+)|_")
"""Code spans and addresses, in which an underscore stays as it is, or an underscore elsewhere."""


class Markup(str):
    """Markdown that `cell` does not escape."""

    __slots__ = ()


def image(path: str, alt: str) -> Markup:
    """An image at `path`, relative to the document, with its alternative text."""
    alt = cell(alt).replace("[", "(").replace("]", ")")
    return Markup(f"![{alt}]({path})")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; cells are escaped."""
    lines = ["| " + " | ".join(map(cell, heads)) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(cell(text) for text in row) + " |" for row in rows]


def folded(summary: str, lines: Sequence[str]) -> list[str]:
    """`lines` that a reader opens by a click on `summary`; viewers without HTML list them as they are."""
    body = list(lines)
    while body and not body[-1]:
        body.pop()
    return ["<details>", f"<summary>{cell(summary)}</summary>", "", *body, "", "</details>", ""]


def cell(text: str) -> str:
    """Escape `text` for a table cell; code spans remain."""
    if isinstance(text, Markup):
        return text
    text = one_line(text)
    for old, new in (("\\", "\\\\"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(old, new)
    text = re.sub(r"(!(?=\[)|\](?=[(\[:])|[|*])", r"\\\1", text)
    # Inside words too, because some viewers take `one_class_name` for emphasis.
    return _LITERAL.sub(lambda match: match[1] or r"\_", text)

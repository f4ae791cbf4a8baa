"""Tables, cells and folded parts of GitHub-flavoured markdown; text cannot break out of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from reports.text import one_line


class Markup(str):
    """Text that is markdown already; `cell` keeps it as it is."""

    __slots__ = ()


def image(path: str, alt: str) -> Markup:
    """The picture at `path`, relative to the document; `alt` says what it shows."""
    alt = cell(alt).replace("[", "(").replace("]", ")")
    return Markup(f"![{alt}]({path})")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; cells are escaped."""
    lines = ["| " + " | ".join(map(cell, heads)) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(cell(text) for text in row) + " |" for row in rows]


def folded(summary: str, lines: Sequence[str]) -> list[str]:
    """`lines` behind a line that opens them on a code host; other readers show them as they are."""
    body = list(lines)
    while body and not body[-1]:
        body.pop()
    return ["<details>", f"<summary>{cell(summary)}</summary>", "", *body, "", "</details>", ""]


def cell(text: str) -> str:
    """Text that cannot break out of a table cell or be taken for markup; code spans stay."""
    if isinstance(text, Markup):
        return text
    text = one_line(text)
    for old, new in (("\\", "\\\\"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(old, new)
    return re.sub(r"(!(?=\[)|\](?=[(\[:])|[|*])", r"\\\1", text)

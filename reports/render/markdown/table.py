"""Tables, cells and folded parts of GitHub-flavoured markdown; text cannot break out of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from reports.text import one_line


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; cells are escaped."""
    lines = ["| " + " | ".join(map(cell, heads)) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(cell(text) for text in row) + " |" for row in rows]


def folded(summary: str, lines: Sequence[str]) -> list[str]:
    """`lines` behind a line that opens them on a code host; other readers show them as they are."""
    held = list(lines)
    while held and not held[-1]:
        held.pop()
    return ["<details>", f"<summary>{cell(summary)}</summary>", "", *held, "", "</details>", ""]


def cell(text: str) -> str:
    """Text that cannot break out of a table cell or be taken for markup; code spans stay."""
    text = one_line(text)
    for old, new in (("\\", "\\\\"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(old, new)
    return re.sub(r"(!(?=\[)|\](?=[(\[:])|[|*])", r"\\\1", text)

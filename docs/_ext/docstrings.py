"""Docstrings of this project are plain prose and lists with names in backticks; Sphinx reads reStructuredText."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_CODE = re.compile(r"(`[^`]+`)")
_SECTIONS = ("Args:", "Attributes:", "Returns:", "Raises:")


def to_rst(text: str) -> list[str]:
    """Lines of reStructuredText: names as literals, every other mark as it stands, lists apart from prose.

    Paragraphs and list entries are taken as one line each, since a name in backticks may run over the end of a line.
    """
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        section, _, body = paragraph.partition("\n")
        if section in _SECTIONS:
            entries = (" ".join(entry.split()) for entry in re.split(r"\n(?= {4}\S)", body))
            lines += [f"**{section}**", "", *(_escaped(f"- {_named(entry)}") for entry in entries), ""]
            continue
        for entry in re.split(r"\n(?=- )", paragraph):
            lines += [_escaped(" ".join(entry.split())), ""]
    return lines


def _named(entry: str) -> str:
    """An entry of a section, its name in backticks."""
    return re.sub(r"^([*\w]+): ", r"`\1`: ", entry)


def _escaped(line: str) -> str:
    parts = _CODE.split(line)
    return "".join(f"`{part}`" if _CODE.fullmatch(part) else re.sub(r"([*|_])", r"\\\1", part) for part in parts)


def _process(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    lines[:] = to_rst("\n".join(lines))


def _signature(app: Sphinx, what: str, name: str, obj: object, options: Any, *_: Any) -> tuple[str, str] | None:
    # The fields of a file format have a page of their own; pydantic's signature of them is not for reading.
    return ("", "") if isinstance(obj, type) and issubclass(obj, BaseModel) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True}

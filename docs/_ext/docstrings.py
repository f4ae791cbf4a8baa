"""Docstrings of this project are plain prose and lists with names in backticks, then Google-style sections. Sphinx
reads reStructuredText; napoleon translates the sections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_CODE = re.compile(r"(`[^`]+`)")
_SECTION = re.compile(r"^(?:Args|Attributes|Returns|Yields|Raises):$", re.M)


def to_rst(text: str) -> list[str]:
    """Convert prose and lists to reStructuredText: names in backticks become literals, other marks are escaped.

    Args:
        text: Paragraphs and list entries. Each is joined to one line, since a name in backticks may contain a line end.

    Returns:
        The lines.
    """
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        for entry in re.split(r"\n(?=- )", paragraph):
            lines += [_escaped(" ".join(entry.split())), ""]
    return lines


def _escaped(line: str) -> str:
    parts = _CODE.split(line)
    return "".join(f"`{part}`" if _CODE.fullmatch(part) else re.sub(r"([*|_])", r"\\\1", part) for part in parts)


def _escaped_sections(text: str) -> list[str]:
    """The lines of Google-style sections. Names before the colons are not escaped."""
    return [line if _SECTION.fullmatch(line) else _escaped(line) for line in text.split("\n")]


def _process(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    text = "\n".join(lines)
    section = _SECTION.search(text)
    prose, sections = (text, "") if section is None else (text[: section.start()], text[section.start() :])
    lines[:] = [*to_rst(prose), *_escaped_sections(sections)]


def _signature(app: Sphinx, what: str, name: str, obj: object, options: Any, *_: Any) -> tuple[str, str] | None:
    # The fields of a file format have a page of their own; pydantic's signature of them is not for reading.
    return ("", "") if isinstance(obj, type) and issubclass(obj, BaseModel) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True}

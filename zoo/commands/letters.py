"""Output where the terminal or the pipe does not take every letter."""

from __future__ import annotations

import codecs
import io
import sys
from typing import TextIO

_INSTEAD = {"–": "-", "—": "-", "−": "-", "…": "...", "×": "x", "·": ".", "±": "+/-", "’": "'", "“": '"', "”": '"'}
_HANDLER = "zoo.plain"


def allow_plain_output() -> None:
    """Let stdout and stderr write what their encoding has no letters for: plain signs where there are such, escapes
    (`\\u0142`) elsewhere. A stream that takes all letters stays as it is."""
    codecs.register_error(_HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not takes_all_letters(stream):
            stream.reconfigure(errors=_HANDLER)


def takes_all_letters(stream: TextIO) -> bool:
    """Whether the stream's encoding has every letter there is."""
    return (stream.encoding or "ascii").lower().replace("_", "-").startswith("utf")


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    text = "".join(_INSTEAD.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in letters)
    return text, error.end

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
    (`\\u0142`) elsewhere. A byte of a file name that is no letter in any encoding is written as `\\xf1`."""
    codecs.register_error(_HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def takes_all_letters(stream: TextIO) -> bool:
    """Whether the stream's encoding has every letter there is."""
    return (stream.encoding or "ascii").lower().replace("_", "-").startswith("utf")


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(map(_instead, letters)), error.end


def _instead(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # how Python hands on a byte that is not UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return _INSTEAD.get(letter) or letter.encode("ascii", "backslashreplace").decode("ascii")

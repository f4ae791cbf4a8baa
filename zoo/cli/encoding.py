"""Output to terminals and pipes whose encoding lacks characters."""

from __future__ import annotations

import codecs
import io
import sys
from typing import TextIO

_PLAIN = str.maketrans(
    {"–": "-", "—": "-", "−": "-", "…": "...", "×": "x", "·": ".", "±": "+/-", "’": "'", "“": '"', "”": '"'}
)


def allow_plain_output() -> None:
    """Replace characters that the encoding of stdout or stderr lacks by plain signs or, without one, by escapes.

    `backslashreplace` alone would print a minus sign as `\\u2212`.
    """
    codecs.register_error("zoo.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="zoo.plain")


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_PLAIN)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


def takes_all_letters(stream: TextIO) -> bool:
    """Whether the encoding of `stream` has every character."""
    return (stream.encoding or "ascii").lower().replace("_", "-").startswith("utf")

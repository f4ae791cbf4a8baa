"""File names that are not UTF-8, as text that can be hashed, stored and printed."""

from __future__ import annotations

import os


def printable(name: str) -> str:
    """`name` with each byte that is not UTF-8 as an escape: `ni\\xf1o.png`. Every other name stays as it is.

    Python hands such bytes on as lone surrogates, which cannot be encoded.
    """
    try:
        name.encode("utf-8")
        return name
    except UnicodeEncodeError:
        pass
    try:
        return os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return name.encode("utf-8", "backslashreplace").decode("utf-8")

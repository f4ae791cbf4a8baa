"""Numbers with their nouns, for messages."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """The count with its noun: "1 image", "1,399 images"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

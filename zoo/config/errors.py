"""The error of everything a user can correct, and texts of other origin in one line."""

from __future__ import annotations

import unicodedata

_BREAKING = frozenset(("Cc", "Zl", "Zp", "Cs"))
"""Unicode's categories of control characters, separators of lines and paragraphs, and lone surrogates."""


class ConfigError(ValueError):
    """A file or a name that cannot be used; `lines` has one line per error."""

    def __init__(self, *lines: str) -> None:
        self.lines = tuple(escaped(line) for line in lines)
        super().__init__("\n".join(self.lines))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[str, ...], dict[str, object]]:
        # A copy from another process keeps its lines apart, and its notes.
        return type(self), self.lines, self.__dict__


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type's name if it has no message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def escaped(text: str) -> str:
    """Escape what would break a line or cannot be printed, since an error may quote a file: a line break becomes `\\n`.

    Args:
        text: Any text.

    Returns:
        One line, whose other characters are those of `text`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        letter.encode("unicode_escape").decode("ascii") if unicodedata.category(letter) in _BREAKING else letter
        for letter in text
    )

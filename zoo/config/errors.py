"""The error of everything a user can correct, and other libraries' errors in one line."""

from __future__ import annotations


class ConfigError(ValueError):
    """A file or a name that cannot be used; `lines` has one line per error."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type's name if it has no message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

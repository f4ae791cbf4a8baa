"""Warnings and notes of a call: lines that begin with `warning:` or `note:`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reports.text import one_line

OnMessage = Callable[[str], None]


def silent(_: object) -> None:
    """Ignore the argument: the default of every callback."""


class Messages:
    """Passes the messages of one call on as they arise, and collects them for its result.

    Args:
        on_message: Called with each line.
        lines: Messages of an earlier step, which are not passed on again.
    """

    def __init__(self, on_message: OnMessage = silent, lines: Iterable[str] = ()) -> None:
        self._on_message = on_message
        self._lines = list(lines)

    def warn(self, text: str) -> None:
        """Report a problem that the call works around."""
        self._add(f"warning: {text}")

    def note(self, text: str) -> None:
        """Report a fact that helps to interpret the result."""
        self._add(f"note: {one_line(text)}")

    def lines(self) -> tuple[str, ...]:
        """Every message so far."""
        return tuple(self._lines)

    def _add(self, line: str) -> None:
        self._lines.append(line)
        self._on_message(line)

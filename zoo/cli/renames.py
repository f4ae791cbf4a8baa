"""Names of commands and options that were renamed; the old ones work for one version."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

COMMANDS = {"log": "track"}
OPTIONS = {"search": {"--seeds": "--executions"}, "report": {"--threshold": "--threshold-rule"}}


def renamed(arguments: Sequence[str]) -> list[str]:
    """`arguments` with today's names; each old name gives a line on stderr."""
    place = next((place for place, word in enumerate(arguments) if not word.startswith("-")), len(arguments))
    if place == len(arguments):
        return list(arguments)
    command = COMMANDS.get(arguments[place], arguments[place])
    if command != arguments[place]:
        _notice(f"zoo {arguments[place]}", f"zoo {command}")
    return [*arguments[:place], command, *_options(OPTIONS.get(command, {}), arguments[place + 1 :])]


def _options(new_names: dict[str, str], words: Iterable[str]) -> Iterator[str]:
    for word in words:
        name, equals, value = word.partition("=")
        if name in new_names:
            _notice(name, new_names[name])
        yield f"{new_names.get(name, name)}{equals}{value}"


def _notice(old: str, new: str) -> None:
    print(f"zoo: {old} is now {new}; the old name will be removed in the next version", file=sys.stderr)

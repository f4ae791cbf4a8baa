"""Replaces old names of commands and options, which work for one version."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from zoo.config.errors import ConfigError

COMMANDS = {"log": "track"}
OPTIONS = {"search": {"--seeds": "--executions"}, "report": {"--threshold": "--threshold-rule"}}


def renamed(arguments: Sequence[str]) -> list[str]:
    """`arguments` with current names; each old name gives a line on stderr."""
    index = next((index for index, word in enumerate(arguments) if not word.startswith("-")), len(arguments))
    if index == len(arguments):
        return list(arguments)
    command = COMMANDS.get(arguments[index], arguments[index])
    if command != arguments[index]:
        _notice(f"zoo {arguments[index]}", f"zoo {command}")
    return [*arguments[:index], command, *_options(OPTIONS.get(command, {}), arguments[index + 1 :])]


def _options(new_names: dict[str, str], words: Sequence[str]) -> Iterator[str]:
    names = {word.partition("=")[0] for word in words}
    for word in words:
        name, equals, value = word.partition("=")
        if name in new_names:
            if new_names[name] in names:
                raise ConfigError(f"{name} is the old name of {new_names[name]}; keep {new_names[name]} alone")
            _notice(name, new_names[name])
        yield f"{new_names.get(name, name)}{equals}{value}"


def _notice(old: str, new: str) -> None:
    print(f"zoo: {old} is now {new}; the old name will be removed in the next version", file=sys.stderr)

"""A group of commands that builds each command when it is needed.

Typer inspects every parameter of a command to build it. The help of the group needs names and docstrings alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

Source = Callable[..., Any] | typer.Typer


def lazy_group(sources: dict[str, Source]) -> type[TyperGroup]:
    """Return the class of a group, for the argument `cls` of Typer.

    Args:
        sources: The function or the Typer instance of each command by its name, in the order of the help.

    Returns:
        The class. A function's docstring is the help of its command.
    """

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = _Commands(sources)

        def format_commands(self, ctx: Any, formatter: Any) -> None:
            """Write the first paragraph of each command's help, whole."""
            with formatter.section("Commands"):
                formatter.write_dl([(name, _summary(source)) for name, source in sources.items()])

    return LazyGroup


class _Commands(MutableMapping[str, Any]):
    """Commands by name, each built when it is first read."""

    def __init__(self, sources: dict[str, Source]) -> None:
        self._sources = sources
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            self._built[name] = _build(name, self._sources[name])
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def __setitem__(self, name: str, command: Any) -> None:
        raise TypeError("commands are fixed by their sources")

    __delitem__: Any = __setitem__


def _build(name: str, source: Source) -> Any:
    if isinstance(source, typer.Typer):
        command: Any = get_command(source)
        command.name = name
        return command
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    single.command(name)(source)
    return get_command(single)


def _summary(source: Source) -> str:
    text = source.info.help if isinstance(source, typer.Typer) else source.__doc__
    return inspect.cleandoc(text or "").partition("\n\n")[0].replace("\n", " ")

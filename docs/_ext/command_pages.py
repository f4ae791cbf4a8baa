"""The directive `zoo-command`: usage, arguments and options of a command, read from the program at build time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer.main
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from zoo.cli.app import app as front_door

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def commands() -> dict[str, Any]:
    """Every command by its words after `zoo`, in the order of `zoo --help`."""
    by_name: dict[str, Any] = {}

    def visit(group: Any, before: str) -> None:
        for name, command in group.commands.items():
            if getattr(command, "invoke_without_command", True):
                by_name[f"{before}{name}"] = command
            if hasattr(command, "commands"):
                visit(command, f"{before}{name} ")

    visit(typer.main.get_command(front_door), "")
    return by_name


class CommandDirective(SphinxDirective):
    """`{zoo-command} NAME`. An unknown name fails the build."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Parse the text as Markdown, so that names of files and options look as in `--help`."""
        self.env.note_reread()  # the program may have changed where the page has not
        name = self.arguments[0]
        known = commands()
        if name not in known:
            raise self.error(f"zoo has no command '{name}'; it has {', '.join(known)}")
        return self.parse_text_to_nodes("\n".join(_lines(name, known[name])))


def _lines(name: str, command: Any) -> list[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]
    usage = " ".join([f"zoo {name}", *(["[OPTIONS]"] if options else []), *map(_value, arguments)])
    lines = [command.help or "", "", "```text", usage, "```", ""]
    lines += _table("argument", [(_value(p), p) for p in arguments])
    lines += _table("option", [(_spelt(p), p) for p in options])
    return lines


def _table(kind: str, rows: list[tuple[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = [f"| {kind} | default | does |", "|---|---|---|"]
    for name, parameter in rows:
        cells = (f"`{name}`", _default(parameter), parameter.help or "")
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return [*lines, ""]


def _value(parameter: Any) -> str:
    value = parameter.metavar or parameter.name.upper()
    optional = parameter.param_type_name == "argument" and not parameter.required and not value.startswith("[")
    value = f"[{value}]" if optional else value
    return f"{value}..." if parameter.nargs == -1 else value


def _spelt(option: Any) -> str:
    spelling = ", ".join([*option.opts, *option.secondary_opts])
    return spelling if option.is_flag else f"{spelling} {_value(option)}"


def _default(parameter: Any) -> str:
    value = parameter.default
    return "" if value is None or value is False or callable(value) or value == () else f"`{value}`"


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("zoo-command", CommandDirective)
    return {"parallel_read_safe": True}

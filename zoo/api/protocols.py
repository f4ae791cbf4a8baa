"""`zoo protocols`: the built-in protocols, their fields, and what `auto` makes of a data set."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmark.runs.auto_protocol import AutoPolicy, load_policy
from benchmark.runs.protocol import AUTO, Protocol, built_in_protocols, load_protocol
from benchmark.runs.protocol_fields import FieldRow, field_rows
from benchmark.runs.storage.beside.remembered import SourceOptions
from benchmark.runs.storage.store import Store
from zoo.api.arguments.conditions import open_data, resolve_conditions
from zoo.api.arguments.inputs import PathLike, resolve_store
from zoo.api.output.messages import Messages, OnMessage, silent

PURPOSES = {
    AUTO: "your own images: sizes by share, image size, views and epochs by cost. Default for all data but the phantom",
    "quick": "a first try on synthetic images. Default for the phantom",
    "published": "the conditions of the report that the cards of pneumonia-report rebuild",
    "full": "final figures on all images, without a limit of time",
}
"""What each built-in protocol is for."""


@dataclass(frozen=True)
class ListedProtocol:
    """A built-in protocol: its name, its title and what it is for."""

    name: str
    title: str
    purpose: str


@dataclass(frozen=True)
class ShownProtocol:
    """A protocol with its fields.

    Attributes:
        protocol: The protocol.
        rows: Its fields.
        messages: Lines that begin with `warning:` or `note:`.
    """

    protocol: Protocol
    rows: tuple[FieldRow, ...]
    messages: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The document that `zoo protocols NAME --json` prints."""
        choices = [choice.model_dump(mode="json") for choice in self.protocol.choices]
        return {
            "name": self.protocol.name,
            "title": self.protocol.title,
            "fields": [asdict(row) for row in self.rows],
            "choices": choices,
        }


def listed_protocols() -> list[ListedProtocol]:
    """The built-in protocols, `auto` first. Raises ConfigError."""
    titles = {AUTO: load_policy().title}
    return [
        ListedProtocol(name, titles.get(name) or load_protocol(name).title, PURPOSES[name])
        for name in built_in_protocols()
    ]


def show_protocol(
    name: str,
    *,
    data: PathLike | None = None,
    options: SourceOptions | None = None,
    store: PathLike | Store = "runs",
    on_message: OnMessage = silent,
) -> ShownProtocol | AutoPolicy:
    """The fields of a protocol, without training anything.

    Args:
        name: A built-in name or a YAML file.
        data: The source for which `auto` is resolved.
        options: The options of the source; None takes what the store remembers.
        store: The folder that contains the runs, or a Store.
        on_message: Called with each note when it arises.

    Returns:
        The protocol with its fields; for `auto` without data, its policy.

    Raises:
        ConfigError: The protocol is unknown or invalid.
        DataError: The data cannot be read.
    """
    if name != AUTO:
        protocol = load_protocol(name)
        return ShownProtocol(protocol, tuple(field_rows(protocol)))
    if data is None:
        return load_policy()
    target, messages = resolve_store(store), Messages(on_message)
    dataset = open_data(data, options or SourceOptions(), target, messages)
    protocol = resolve_conditions(AUTO, dataset, target, messages)
    return ShownProtocol(protocol, tuple(field_rows(protocol)), messages.lines())

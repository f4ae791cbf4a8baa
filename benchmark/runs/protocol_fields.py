"""The fields of a protocol as a list: each with its value and its meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmark.data.splits import Sampling
from benchmark.runs.protocol import Protocol

_REASONS = "choices"  # not a condition: the reasons of a protocol that `auto` made
_IN_PARTS = "sampling"

MEANINGS = {
    **{
        name: str(field.description)
        for name, field in Protocol.model_fields.items()
        if name not in (_IN_PARTS, _REASONS)
    },
    **{f"{_IN_PARTS}.{name}": str(field.description) for name, field in Sampling.model_fields.items()},
}
"""The meaning of each field; parts of `sampling` by path."""


@dataclass(frozen=True)
class FieldRow:
    """A field of a protocol.

    Attributes:
        field: Its name, or its path as `sampling.train`.
        value: Its value as plain data.
        meaning: What it does.
        why: Why `auto` chose the value; None if it did not.
    """

    field: str
    value: Any
    meaning: str
    why: str | None = None


def field_rows(protocol: Protocol) -> list[FieldRow]:
    """List the fields of a protocol.

    Args:
        protocol: The protocol.

    Returns:
        The fields in the order of the file format, with the reasons of `auto`.
    """
    reasons = {choice.field: choice.why for choice in protocol.choices}
    return [FieldRow(field, value, MEANINGS.get(field, ""), reasons.get(field)) for field, value in _values(protocol)]


def _values(protocol: Protocol) -> Iterator[tuple[str, Any]]:
    for field, value in protocol.model_dump(mode="json", exclude={_REASONS}).items():
        if field == _IN_PARTS:
            yield from ((f"{field}.{part}", number) for part, number in value.items())
        elif field == "threshold":
            yield field, protocol.threshold.in_words()
        elif field == "decision":
            yield field, protocol.decision.in_words()
        else:
            yield field, value

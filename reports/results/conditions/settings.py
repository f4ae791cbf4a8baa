"""The settings of a run, from card and protocol, as flat names and plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.runs.run import RunSpec

Value = bool | int | float | str
_OF_CARD = {"model", "recipe"}


def flat_settings(spec: RunSpec) -> dict[str, Value]:
    """The settings that determine a run.

    Args:
        spec: The run.

    Returns:
        The values by path: `model.*` and `recipe.*` of the card, `protocol.*`, then `seed`. Lists are text, such as
        `[0.75, 1.25]`. Unset values, names, prose and published figures are left out.
    """
    card = spec.card.model_dump(mode="json", include=_OF_CARD)
    protocol = spec.protocol.model_dump(mode="json", include=spec.protocol.result_fields())
    return {**dict(_flat(card, "")), **dict(_flat(protocol, "protocol.")), "seed": spec.seed}


def _flat(data: Mapping[str, Any], before: str) -> Iterator[tuple[str, Value]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        elif value is not None:
            yield f"{before}{key}", value if isinstance(value, bool | int | float | str) else str(value)

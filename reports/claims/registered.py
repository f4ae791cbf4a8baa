"""Claims as a benchmark registers them, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from benchmark.runs.registration import RegisteredClaims, registered_claims
from reports.claims.model import Claims

RULES = "rules"
"""The item with what every verdict of a file depends on: its margins, conditions and data."""

_RULES = ("margin", "loss_margin", "conditions")
_ROW_PARTS = ("matrices", "interpretations", "settings")
_PROSE = ("report", "language")


def registered(claims: Claims) -> RegisteredClaims:
    """Make the entry that registers claims.

    Args:
        claims: Loaded claims, whose rows have the figures of their cards.

    Returns:
        Their content, and a digest of each row, of each statement, and of the rules that judge them. Fields at their
        default are left out, so that a field that a later version adds changes no digest.
    """
    content = claims.model_dump(mode="json", exclude_defaults=True)
    content |= {"margin": claims.margin, "loss_margin": claims.loss_margin}
    return registered_claims(claims.name, dict(_items(content)), content)


def claims_from(entry: RegisteredClaims) -> Claims | None:
    """The claims that were registered; None if this version of the program does not know a field of them."""
    try:
        return Claims.model_validate(entry.content)
    except ValidationError:
        return None


def _items(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    source = {key: value for key, value in content["source"].items() if key not in _PROSE}
    yield RULES, {"source": source, **{key: content[key] for key in _RULES if key in content}}
    for row in content["rows"]:
        parts = {part: [each for each in content.get(part, ()) if each["row"] == row["name"]] for part in _ROW_PARTS}
        yield f"row {row['name']}", {"row": row, **parts}
    for statement in content.get("statements", ()):
        yield f"statement {statement['id']}", statement

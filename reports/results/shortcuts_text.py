"""Sentences about facts that distinguish the classes without content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.data.checks.shortcuts import Shortcut


def unjudged_line(shortcuts: Sequence[Shortcut]) -> str | None:
    """The facts that are not judged, by reason; None if all are, or there are none."""
    reasons: dict[str, list[str]] = {}
    for each in shortcuts:
        if each.auc is None and each.reason is not None:
            reasons.setdefault(each.reason, []).append(each.facts)
    if not reasons:
        return None
    return "not judged as shortcuts: " + "; ".join(
        f"{', '.join(facts)} ({reason})" for reason, facts in reasons.items()
    )

"""Cards that were not run, by the reason that they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark.runs.run import Run
from benchmark.runs.storage.beside.remembered import skipped_cards
from benchmark.runs.storage.store import Store


@dataclass(frozen=True)
class SkippedCard:
    """A card that was not run, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class SkippedCards:
    """The names of cards that were not run for the same reason."""

    names: tuple[str, ...]
    reason: str


def by_reason(skips: Iterable[SkippedCard]) -> tuple[SkippedCards, ...]:
    """Put cards with the same reason together, in the order of the first of each."""
    names: dict[str, list[str]] = {}
    for skip in skips:
        names.setdefault(skip.reason, []).append(skip.name)
    return tuple(SkippedCards(tuple(dict.fromkeys(of_reason)), reason) for reason, of_reason in names.items())


def stored_skips(runs: Sequence[Run], store: Store) -> tuple[SkippedCard, ...]:
    """The cards that benchmarks on the same data under the same protocol skipped, and that have no run.

    Args:
        runs: The runs of a report.
        store: Their store.

    Returns:
        Each card once, with the reason.
    """
    reasons: dict[str, str] = {}
    for conditions in dict.fromkeys(run.spec.conditions for run in runs):
        names = {run.spec.card.name for run in runs if run.spec.conditions == conditions}
        reasons |= skipped_cards(store, conditions, names)
    return tuple(SkippedCard(name, reason) for name, reason in reasons.items())

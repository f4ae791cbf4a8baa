"""The labels of the cards of a section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from reports.summary.model import CardLabel
from zoo.models.card import ModelCard


def labels(cards: Iterable[ModelCard]) -> dict[str, CardLabel]:
    """The label of each card by name; titles that two cards share are followed by the name."""
    by_name = {card.name: card for card in cards}
    titles = Counter(card.title for card in by_name.values())
    return {
        name: CardLabel(
            name,
            card.title if titles[card.title] == 1 else f"{card.title} ({name})",
            card.baseline,
        )
        for name, card in by_name.items()
    }

"""Ensembles of a benchmark: their members run beside them, whether or not they were asked for."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.api.arguments.inputs import Paths, known_cards
from zoo.api.output.messages import Messages
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard
from zoo.models.catalog import member_problems


def with_members(cards: Sequence[ModelCard], card_folders: Paths) -> list[ModelCard]:
    """Add the members of ensembles, each before the first ensemble that needs it.

    Args:
        cards: The requested cards.
        card_folders: Folders with more cards than the built-in and installed ones.

    Returns:
        The cards with those that were missing.

    Raises:
        ConfigError: A member is unknown, or an ensemble itself.
    """
    if not any(card.members for card in cards):
        return list(cards)
    requested = {card.name: card for card in cards}
    known = {**known_cards(card_folders, Messages()), **requested}
    chosen: dict[str, ModelCard] = {}
    for card in cards:
        if problems := list(member_problems(card, known, f"card {card.name}")):
            raise ConfigError(*problems)
        chosen |= {name: known[name] for name in card.members if name not in requested and name not in chosen}
        chosen[card.name] = card
    return list(chosen.values())


def refuse_ensemble(card: ModelCard, command: str) -> None:
    """Raise ConfigError if a card is an ensemble, for a command that trains one card."""
    if card.members:
        raise ConfigError(
            f"card {card.name}: averages the scores of other cards and is not trained; give zoo {command} one of "
            f"{', '.join(card.members)}"
        )

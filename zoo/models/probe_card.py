"""Whether the probe that a fine-tuned card names is one of the same pretrained network."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from zoo.config.strict_yaml import suggest
from zoo.models.card import ModelCard
from zoo.models.recipe import ProbeRecipe, Recipe
from zoo.models.registry import get_builder


def probe_card_problems(
    card: ModelCard, cards: Mapping[str, ModelCard], failed: Collection[str], where: str
) -> Iterator[str]:
    """Yield why the `probe_card` of a card is not the probe of its network.

    Args:
        card: A card with a `probe_card`.
        cards: All valid cards by name.
        failed: The names of cards with errors of their own.
        where: The file, for messages.

    Yields:
        A line that says what would be right.
    """
    name, where = str(card.probe_card), f"{where}: probe_card"
    probe = cards.get(name)
    if not isinstance(card.recipe, Recipe) or card.recipe.finetune is None:
        yield f"{where}: is for a card with recipe.finetune, which is compared with a probe; drop it"
    elif probe is None and name not in failed:
        yield f"{where}: unknown card '{name}'. {suggest(name, cards)}"
    elif probe is not None and not isinstance(probe.recipe, ProbeRecipe):
        yield f"{where}: '{name}' is no probe; name a card with recipe.probe"
    elif probe is not None and _network(probe) != _network(card):
        yield f"{where}: '{name}' has another network, other weights or another preprocessing; name a probe on the same"


def _network(card: ModelCard) -> tuple[object, ...]:
    """What a fine-tuned card and its probe have in common."""
    builder, params = get_builder(card.model.builder), card.model.params
    weights = builder.weights_of(params)
    return builder.base_of(params), None if weights is None else weights.name, card.recipe.preprocessing

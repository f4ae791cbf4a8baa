"""Where the frozen part of a card's network can end, so that the feature bank can store what it computes."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard
from zoo.models.registry import get_builder, smallest_image

_SIDE = 128


def cut_lines(card: ModelCard) -> Iterator[str]:
    """Describe the cuts of a card's network, if the card may name the layer from which on it is unfrozen.

    The network is built with random weights, which changes no cut. Nothing is built for other cards.

    Args:
        card: The card.

    Yields:
        Lines of text: a heading, then one per cut, from the input to the output.
    """
    unfreeze = get_builder(card.model.builder).unfreeze
    if unfreeze is None or not unfreeze.by_name:
        return
    from benchmark.training.quiet import load_keras

    load_keras()
    from benchmark.training.cuts import cuts
    from benchmark.training.model_graph import build_flat
    from benchmark.training.network import frozen_layers

    side = max(_SIDE, smallest_image(card.model.builder, card.model.params))
    try:
        model = build_flat(card.model.builder, card.model.params | {"weights": "random"}, (side, side, 3)).model
    except ConfigError as error:
        yield f"where the frozen part can end is not known: {' '.join(error.lines)}"
        return
    yield f"the frozen part can end behind these layers (images of {side} px: features per image; weights behind):"
    for cut in cuts(model, set(frozen_layers(model))):
        yield f"  {cut.layer}: {' x '.join(map(str, cut.shape))}; {cut.behind:,}"

"""What the registry of weights says about the pretrained weights of a card."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.models.card import ModelCard
from zoo.models.known_weights import known_weights
from zoo.models.registry import get_builder

_NOT_STATED = "not stated"


def weights_lines(card: ModelCard) -> Iterator[str]:
    """Describe the pretrained weights of a card. Nothing is searched or loaded.

    Args:
        card: The card.

    Yields:
        Lines of text; none for a card without pretrained weights.
    """
    weights = get_builder(card.model.builder).weights_of(card.model.params)
    if weights is None:
        return
    yield f"pretrained weights: {weights.name}"
    known = known_weights().get(weights.network or "")
    if known is not None:
        yield f"  file: {known.origin}"
        yield f"  digest of the file: {known.digest or 'none is known, so the file is not used'}"
        if known.same_tensors_in is not None:
            same = known.same_tensors_in
            yield f"  the same tensors: package {same.package.replace('_', '-')}, file {same.file}"
            yield f"  SHA-256 of the tensors: {known.tensors}"
    yield f"  licence: {weights.licence or _NOT_STATED}"
    yield f"  pretrained on: {weights.pretrained_on or _NOT_STATED}"

"""The members of an ensemble, as parameters of a card. There is no network to build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from zoo.config.errors import ConfigError
from zoo.models.registry import register_builder

if TYPE_CHECKING:
    import keras

Members = Annotated[list[str], Field(min_length=2, max_length=100)]


@register_builder("ensemble", converts_levels=True)
def ensemble(input_shape: tuple[int, int, int], outputs: int = 1, *, members: Members) -> keras.Model:
    """No network: the scores are the mean of those of other cards, on the same split and with the same seed.

    Args:
        input_shape: Height, width and channels of an image.
        outputs: 1 for the probability of the positive class of two; k for a probability per class of k.
        members: the names of the cards, two or more; none of them is an ensemble

    Returns:
        Nothing.

    Raises:
        ConfigError: Always.
    """
    raise ConfigError(
        f"an ensemble has no network to build; it averages the scores of {', '.join(members)}, which `zoo bench` stores"
    )

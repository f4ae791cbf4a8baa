"""The last layer of a network: a probability for two classes, a probability per class for more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def score_layer(outputs: int) -> keras.layers.Layer:
    """Make the layer that turns features into probabilities.

    Args:
        outputs: 1 for the probability of the positive class of two; k for a probability per class of k.

    Returns:
        A dense layer: with a sigmoid for one output, else with a softmax over the outputs.
    """
    from keras import layers

    if outputs == 1:
        return layers.Dense(1, activation="sigmoid", name="probability")
    return layers.Dense(outputs, activation="softmax", name="probabilities")

"""Models as builders of other packages return them: with models inside, as a Sequential, with a call of their own."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

SIDE = 16
SHAPE = (SIDE, SIDE, 3)


def base(*, trainable: bool = True, name: str = "base") -> keras.Model:
    """Two convolutions with normalisation between them, and a branch that goes around the second."""
    inputs = keras.Input(SHAPE, name="base_image")
    x = layers.Conv2D(4, 3, padding="same", name="first")(inputs)
    x = layers.BatchNormalization(momentum=0.5, name="norm")(x)
    x = layers.ReLU(name="active")(x)
    y = layers.Conv2D(4, 3, padding="same", activation="relu", name="second")(x)
    x = layers.Add(name="joined")([x, y])
    model = keras.Model(inputs, layers.MaxPooling2D(4, name="pooled")(x), name=name)
    model.trainable = trainable
    return model


def headed(inner: keras.Model, **call: Any) -> keras.Model:
    """`inner`, called with `call`, under a head of its own."""
    inputs = keras.Input(SHAPE, name="image")
    x = layers.Flatten(name="flatten")(inner(inputs, **call))
    x = layers.Dropout(0.5, name="dropout")(x)
    outputs = layers.Dense(1, activation="sigmoid", kernel_regularizer="l2", name="probability")(x)
    return keras.Model(inputs, outputs, name="headed")


def sequential(*, built: bool = True) -> keras.Sequential:
    """The same kind of network as a list of layers, with a list of layers in it."""
    inner = keras.Sequential([layers.Conv2D(4, 3, name="first"), layers.BatchNormalization(name="norm")], name="inner")
    rest = [layers.GlobalMaxPooling2D(name="pooled"), layers.Dense(1, activation="sigmoid", name="probability")]
    return keras.Sequential([*([keras.Input(SHAPE)] if built else []), inner, *rest], name="listed")


class Own(keras.Model):  # type: ignore[misc]
    """A model with a call of its own, which no graph describes."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.convolution = layers.Conv2D(4, 3, name="own_convolution")
        self.pool = layers.GlobalAveragePooling2D()
        self.dense = layers.Dense(1, activation="sigmoid")

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.dense(self.pool(self.convolution(inputs)))

"""Images of three classes and more, which differ in the place of a bright band, and networks trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import pytest

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.training.fit import FeatureOptions, Fitted, fit
from benchmark.training.frozen.bank import Bank
from tests.support import tiny
from zoo.models import registry
from zoo.models.card import ModelCard
from zoo.models.registry import register_builder
from zoo.models.score_layer import score_layer

CLASSES = 3
SIDE = 16


def images(
    split: Literal["train", "val", "test"], labels: Any, classes: int = CLASSES, side: int = SIDE
) -> LabelledImages:
    """Grey images with these labels: the lower the band of bright rows, the higher the label."""
    labels = np.asarray(labels, dtype=np.int64)
    bright = np.arange(side) * classes // side == labels[:, None]
    generator = np.random.default_rng([len(labels), len(split)])
    pixels = generator.normal(70 + 110 * bright[:, :, None, None], 15, (len(labels), side, side, 1))
    names = tuple(f"{split}-{i}" for i in range(len(labels)))
    digests = tuple(f"{(len(split) * 1000 + i) * 2654435761 % 2**64:064x}" for i in range(len(labels)))
    return LabelledImages(split, np.clip(pixels, 0, 255).astype(np.uint8), labels, names, names, digests)


def in_turn(count: int, classes: int = CLASSES) -> Any:
    """Labels 0, 1, 2, 0, 1, 2, ..."""
    return np.arange(count) % classes


def trained(
    bank: Path,
    card: ModelCard | None = None,
    *,
    classes: int = CLASSES,
    train: Any = None,
    class_names: tuple[str, ...] = (),
    **options: Any,
) -> Fitted:
    """A small network trained on `train`, or on 60 images of all classes."""
    keras.utils.set_random_seed(0)
    return fit(
        card or tiny.card(epochs=5),
        images("train", in_turn(60, classes) if train is None else train, classes),
        images("val", in_turn(24, classes), classes),
        seed=0,
        view_seed=0,
        features=FeatureOptions(Bank(bank, 1 << 30)),
        classes=classes,
        class_names=class_names,
        **options,
    )


def frozen_builder(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a builder, registered for this test, with one frozen layer and one that trains."""
    monkeypatch.setattr(registry, "_BUILDERS", dict(registry._BUILDERS))

    @register_builder("frozen_band")
    def frozen_band(input_shape: tuple[int, int, int], outputs: int = 1) -> keras.Model:
        inputs = keras.Input(input_shape)
        weights = keras.initializers.GlorotUniform(seed=0)
        frozen = keras.layers.Conv2D(4, 3, 4, kernel_initializer=weights, trainable=False, name="frozen")(inputs)
        return keras.Model(inputs, score_layer(outputs)(keras.layers.Flatten()(frozen)))

    return "frozen_band"

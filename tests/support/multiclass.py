"""Images of three classes and more, which differ in the place of a bright band, and networks trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.training.fit import FeatureOptions, Fitted, fit
from benchmark.training.frozen.bank import Bank
from tests.support import tiny
from zoo.models.card import ModelCard

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
    bank: Path, card: ModelCard | None = None, *, classes: int = CLASSES, train: Any = None, **options: Any
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
        **options,
    )

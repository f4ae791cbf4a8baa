"""Training images in both modes: what batch normalisation hides from the validation figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import pytest

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.evidence.diagnosis.training_record import BatchNormProbe, batch_norm_probe
from benchmark.training.fit import FeatureOptions, Fitted, fit
from benchmark.training.frozen.bank import Bank
from benchmark.training.network import run_batched
from benchmark.training.use.probe import grey_levels, score_in_both_modes
from tests.support import tiny

SIDE = 32


def images(split: Literal["train", "val", "test"], count: int, level: float = 110) -> LabelledImages:
    """Grey images, the second class brighter by 40."""
    labels = np.arange(count) % 2
    pixels = np.random.default_rng(count).normal(level + 40 * labels[:, None, None, None], 20, (count, SIDE, SIDE, 1))
    names = tuple(f"{split}-{i}" for i in range(count))
    digests = tuple(f"{i * 2654435761 % 2**64:064x}" for i in range(count))
    return LabelledImages(split, np.clip(pixels, 0, 255).astype(np.uint8), labels, names, names, digests)


def trained(tmp_path: Path, learning_rate: float = 0.01, **model: Any) -> Fitted:
    keras.utils.set_random_seed(0)
    card = tiny.card(model=model, epochs=3, optimizer={"name": "adam", "learning_rate": learning_rate})
    features = FeatureOptions(Bank(tmp_path, 1 << 30))
    return fit(card, images("train", 64), images("val", 16), seed=0, view_seed=0, features=features)


def compare_modes(fitted: Fitted, train: LabelledImages, batch_size: int) -> BatchNormProbe:
    return batch_norm_probe(*score_in_both_modes(fitted, train, batch_size))


def test_without_batch_normalisation_there_is_one_mode(tmp_path: Path) -> None:
    modes = compare_modes(trained(tmp_path), images("train", 64), 16)
    assert modes.images == 64
    assert modes.batch_accuracy is None
    assert modes.batch_loss is None
    assert 0 <= modes.inference_accuracy <= 1


def test_no_more_than_128_images_are_used(tmp_path: Path) -> None:
    assert compare_modes(trained(tmp_path), images("train", 200), 16).images == 128


def test_moving_statistics_that_lag_show_in_the_difference_of_the_modes(tmp_path: Path) -> None:
    fitted = trained(tmp_path, batch_norm_momentum=0.999)
    modes = compare_modes(fitted, images("train", 64), 16)
    assert modes.batch_accuracy is not None
    assert modes.batch_loss is not None
    assert modes.batch_accuracy >= 0.9
    assert modes.inference_loss > 2 * modes.batch_loss


def test_moving_statistics_equal_to_those_of_the_batch_make_the_modes_agree(tmp_path: Path) -> None:
    # A low rate keeps the loss above 0: near 0, float32 has too few digits to compare.
    fitted = trained(tmp_path, learning_rate=1e-4, batch_norm_momentum=0.001)
    train = images("train", 64)
    fitted.network.tail([fitted.network.batch(train, 0, np.arange(64))], training=True)  # sets them to those of all 64
    modes = compare_modes(fitted, train, 64)
    assert modes.inference_loss > 0.01
    assert modes.batch_loss == pytest.approx(modes.inference_loss, rel=1e-3)


def test_the_network_is_left_as_it_was(tmp_path: Path) -> None:
    fitted = trained(tmp_path, batch_norm_momentum=0.9, dropout=0.5)
    pixels = images("val", 16).pixels
    before = run_batched(fitted.model, pixels)
    compare_modes(fitted, images("train", 64), 16)
    np.testing.assert_array_equal(run_batched(fitted.model, pixels), before)
    rates = [layer.rate for layer in fitted.network.model.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.5]


def test_dropout_makes_no_difference_to_the_modes(tmp_path: Path) -> None:
    fitted = trained(tmp_path, batch_norm_momentum=0.9, dropout=0.9)
    first, second = (compare_modes(fitted, images("train", 64), 16) for _ in range(2))
    assert first == second


def test_grey_levels_are_the_mean_its_spread_and_the_contrast() -> None:
    made = images("train", 40)
    mean, between, within = grey_levels(made)
    pixels = made.pixels.reshape(40, -1).astype(float)
    assert mean == pytest.approx(pixels.mean(axis=1).mean())
    assert between == pytest.approx(pixels.mean(axis=1).std())
    assert within == pytest.approx(pixels.std(axis=1).mean())

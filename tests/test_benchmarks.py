"""Timings, for `pytest --benchmark-only --benchmark-enable`; run once without timing in the ordinary suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmark.data.sources import open_dataset
from benchmark.evidence import Scores, figures
from benchmark.training.augmentation import augmented_view
from benchmark.training.frozen.bank import Bank
from benchmark.training.frozen.features import Network
from benchmark.training.network import BATCH, run_batched
from zoo.models.catalog import load_cards
from zoo.models.registry import build

SIDE = 64
CARDS = {"scratch_cnn": "attempt-1", "vgg16": "attempt-7"}


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    dataset = open_dataset("phantom")
    return dataset.read(dataset.images[:BATCH], SIDE)


def test_views_of_a_batch(benchmark: BenchmarkFixture, pixels: np.ndarray) -> None:
    augmentation = load_cards()["attempt-1"].recipe.augmentation
    keys = [f"{number:064x}" for number in range(len(pixels))]
    made = benchmark(augmented_view, pixels, keys, augmentation, 1, 0)
    assert made.shape == pixels.shape


def test_drawing_the_phantom(benchmark: BenchmarkFixture) -> None:
    dataset = open_dataset("phantom")
    drawn = benchmark(dataset.read, dataset.images[:BATCH], 150)
    assert drawn.shape == (BATCH, 150, 150, 1)


def test_all_metrics_of_468_images(benchmark: BenchmarkFixture) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(468) % 2
    scores = Scores("test", labels, np.clip(generator.normal(0.4 + 0.2 * labels, 0.2), 0, 1))
    found = benchmark(figures, scores, 0.5)
    assert found["auc"].value is not None


@pytest.mark.parametrize("builder", CARDS)
def test_one_training_step(benchmark: BenchmarkFixture, builder: str, pixels: np.ndarray, tmp_path: Path) -> None:
    network = made(builder, tmp_path)
    network.tail.compile(optimizer=keras.optimizers.Adam(1e-4), loss="binary_crossentropy", jit_compile=False)
    labels = (np.arange(len(pixels)) % 2).astype(np.float32)[:, None]
    inputs = np.zeros((len(pixels), *network.tail.input_shape[1:]), np.float32)
    network.tail.train_on_batch(inputs, labels)
    loss = benchmark(network.tail.train_on_batch, inputs, labels)
    assert np.isfinite(np.asarray(loss)).all()


@pytest.mark.parametrize("builder", CARDS)
def test_inference_of_a_batch(benchmark: BenchmarkFixture, builder: str, pixels: np.ndarray, tmp_path: Path) -> None:
    whole = made(builder, tmp_path).full_model("whole")
    run_batched(whole, pixels)
    scores = benchmark(run_batched, whole, pixels)
    assert scores.shape == (len(pixels), 1)


def made(builder: str, folder: Path) -> Network:
    card = load_cards()[CARDS[builder]]
    params: dict[str, Any] = card.model.params | ({"weights": "random"} if builder == "vgg16" else {})
    model = build(builder, params, (SIDE, SIDE, 3))
    return Network(model, (SIDE, SIDE, 1), card.recipe, view_seed=0, bank=Bank(folder, 0))

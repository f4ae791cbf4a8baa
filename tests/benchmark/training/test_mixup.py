"""Mixtures of batches: shares, means, and what training sees of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, recall_score

from benchmark.training.mixup import draw_mixture, mixing_generator
from benchmark.training.targets import targets_of
from benchmark.training.use.predict import score
from tests.support import tiny
from tests.support.multiclass import frozen_builder, images, in_turn, trained
from zoo.models.card import ModelSpec

STILL: dict[str, Any] = {"epochs": 1, "batch_size": 64, "optimizer": {"name": "sgd", "learning_rate": 1e-30}}


def test_targets_still_sum_to_one_and_the_mean_of_a_batch_stays() -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(17, 5, 3)).astype(np.float32)
    targets = targets_of(np.arange(17) % 3, 3)
    for seed in range(20):
        mixture = draw_mixture(mixing_generator(seed, 0, 1), 0.4, 17)
        assert 0.5 <= mixture.share <= 1
        assert mixture.of(targets).sum(axis=1) == pytest.approx(np.ones(17))
        assert mixture.of(targets).mean(axis=0) == pytest.approx(targets.mean(axis=0))
        assert mixture.of(rows).mean(axis=0) == pytest.approx(rows.mean(axis=0), abs=1e-6)
        assert (mixture.of(targets).argmax(axis=1) == np.arange(17) % 3).all()


def test_shares_follow_the_beta_distribution_folded_at_one_half() -> None:
    generator = mixing_generator(0, 0, 1)
    shares = [draw_mixture(generator, 2.0, 2).share for _ in range(4000)]
    assert np.mean(shares) == pytest.approx(0.5 + 3 / 16, abs=0.01)  # E|B - 1/2| of Beta(2, 2) is 3/16


@pytest.mark.parametrize("classes", [2, 3])
def test_the_loss_of_an_epoch_is_that_of_mixed_images_and_targets(classes: int, tmp_path: Path) -> None:
    """The network does not move, so the epoch is one batch of the network that is returned."""
    train = images("train", in_turn(60, classes), classes)
    fitted = trained(tmp_path, tiny.card(**STILL, mixup=0.4), classes=classes, train=train.labels)
    order = np.random.default_rng([0, 0, 1]).permutation(60)
    mixture = draw_mixture(mixing_generator(0, 0, 1), 0.4, 60)
    pixels = mixture.of(train.pixels[order].astype(np.float32))
    targets = mixture.of(targets_of(train.labels, classes)[order]).astype(np.float64)
    scores = fitted.model.predict(pixels, verbose=0).astype(np.float64)
    if classes == 2:
        targets, scores = (np.hstack([1 - each, each]) for each in (targets, scores))
    penalties = sum(float(each) for each in fitted.model.losses)
    row = fitted.history[0]
    assert row["loss"] == pytest.approx(-(targets * np.log(scores)).sum(axis=1).mean() + penalties, rel=1e-4)
    predicted = scores.argmax(axis=1)
    assert row["accuracy"] == pytest.approx(accuracy_score(train.labels[order], predicted))
    if classes == 2:
        assert row["recall"] == pytest.approx(recall_score(train.labels[order], predicted))


def test_the_same_seed_mixes_features_behind_frozen_layers_in_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, val = tiny.card(epochs=2, mixup=0.3), images("val", in_turn(6))
    card = card.model_copy(update={"model": ModelSpec(builder=frozen_builder(monkeypatch))})
    one, other = (trained(tmp_path / name, card) for name in ("one", "other"))
    assert one.network.prefix_end is not None
    assert score(one, val).tobytes() == score(other, val).tobytes()

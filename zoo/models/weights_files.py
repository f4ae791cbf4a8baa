"""Finds files of pretrained weights: in a card, in folders of this machine, in packages, or by download."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zoo.config.atomic import atomic_file
from zoo.config.errors import ConfigError

_TIMEOUT_S = 10
_ALGORITHMS = {32: "md5", 64: "sha256"}  # by the number of hexadecimal digits


class WeightsUnavailable(ConfigError):
    """No pretrained weights are available; the message names the remedies."""


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights.

    Attributes:
        origin: Its location in words.
        path: Its path.
    """

    origin: str
    path: Path


def in_card(weights: str, suffixes: tuple[str, ...], known: str) -> WeightsFile:
    """Return the file that a card names by its path.

    Args:
        weights: The value of the parameter `weights`.
        suffixes: The endings of files that can be read.
        known: What else the parameter may be, for the message.

    Returns:
        The file.

    Raises:
        WeightsUnavailable: There is no such file, or it has another ending.
    """
    path = Path(weights).expanduser()
    if path.suffix not in suffixes:
        raise WeightsUnavailable(
            f"model.weights: '{weights}' is neither {known} nor a file ending in {', '.join(suffixes)}"
        )
    if not path.is_file():
        raise WeightsUnavailable(f"model.weights: {path}: no such file")
    return WeightsFile("path in the card", path)


def in_directory(fits: Callable[[str], bool], wanted: str, reasons: list[str]) -> WeightsFile | None:
    """Return the first file of the folder ZOO_WEIGHTS_DIR whose name `fits`; else None.

    Args:
        fits: Whether a file of this name has the weights.
        wanted: The names that fit, in words.
        reasons: Gets the reason why there is none.

    Returns:
        The file, or None.
    """
    folder = os.environ.get("ZOO_WEIGHTS_DIR")
    if not folder:
        reasons.append("ZOO_WEIGHTS_DIR is not set")
        return None
    for path in sorted(Path(folder).expanduser().glob("*")):
        if fits(path.name):
            return WeightsFile("ZOO_WEIGHTS_DIR", path)
    reasons.append(f"ZOO_WEIGHTS_DIR={folder} contains no {wanted}")
    return None


def keras_cache() -> Path:
    """Return the folder in which Keras stores downloaded weights."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"


def in_keras_cache(file_name: str, reasons: list[str]) -> WeightsFile | None:
    """Return the file of this name in Keras' cache; else None, with the reason."""
    path = keras_cache() / file_name
    if path.is_file():
        return WeightsFile("Keras' cache", path)
    reasons.append("not in Keras' cache")
    return None


def file_of_package(package: str, file: Path) -> Path | None:
    """Return the path of a file in an installed package, which is not imported; None if there is none.

    Args:
        package: The name under which the package is imported.
        file: The path of the file inside the package.

    Returns:
        The path.
    """
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    folders = list(spec.submodule_search_locations or []) if spec else []
    path = Path(folders[0]) / file if folders else None
    return path if path is not None and path.is_file() else None


def download(url: str, digest: str, file_name: str, reasons: list[str]) -> WeightsFile | None:
    """Download a file into Keras' cache if its digest is right.

    `keras.utils.get_file` is unsuitable: it has no timeout, writes to the final path, where another process finds half
    a file, leaves a damaged file there, prints on stdout, and needs Keras, which the planning process does not load.

    Args:
        url: The address of the file.
        digest: MD5 or SHA-256 of the file in hexadecimal digits.
        file_name: Its name in the cache.
        reasons: Gets the reason why there is no download.

    Returns:
        The file, or None.
    """
    if os.environ.get("ZOO_OFFLINE"):
        reasons.append("ZOO_OFFLINE forbids the download")
        return None
    import http.client
    import urllib.request

    target = keras_cache() / file_name
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            target.parent.mkdir(parents=True, exist_ok=True)
            total = hashlib.new(_ALGORITHMS[len(digest)], usedforsecurity=False)
            with atomic_file(target) as part, part.open("wb") as file:
                while chunk := answer.read(1 << 20):
                    total.update(chunk)
                    file.write(chunk)
                if total.hexdigest() != digest:
                    raise OSError("the downloaded file was damaged")
    except (OSError, http.client.HTTPException) as error:
        reasons.append(f"no download ({getattr(error, 'reason', error)})")
        return None
    return WeightsFile("Keras' download", target)


def file_digest(path: Path, like: str | None = None) -> str:
    """Return the digest of a file in hexadecimal digits.

    Args:
        path: The file.
        like: A digest whose kind is wanted, MD5 or SHA-256; None for SHA-256.

    Returns:
        The digest.
    """
    algorithm = _ALGORITHMS[64 if like is None else len(like)]
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()

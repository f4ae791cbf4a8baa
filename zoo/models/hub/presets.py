"""Finds and checks presets of KerasHub: a folder with the configuration and the weights of a backbone.

`kaggle:OWNER/MODEL/keras/VARIATION/VERSION` is downloaded once into the cache of kagglehub. Its weights are used only
with the digest that the card states. Everything else is the path of a folder. This module loads no Keras, because every
plan reads it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from zoo.config.errors import ConfigError, first_line
from zoo.models.weights_files import WeightsFile, WeightsUnavailable, file_digest

KAGGLE = "kaggle:"
WEIGHTS = "model.weights.h5"
_CONFIG = "config.json"
_CONVERTER = "image_converter.json"
_PARTS = 5  # owner, model, framework, variation, version
_MOST_BYTES = 2**20


def find(preset: str) -> WeightsFile:
    """Find the weights of a preset. A failed download is not repeated in this process.

    Args:
        preset: `kaggle:OWNER/MODEL/keras/VARIATION/VERSION`, or the path of a folder.

    Returns:
        The file and its origin.

    Raises:
        ConfigError: The name of a download is incomplete.
        WeightsUnavailable: There is no such preset, or it lacks a file.
    """
    folder, origin = Path(preset).expanduser(), "preset in the card"
    if preset.startswith(KAGGLE):
        of_kaggle, origin = _of_kaggle(preset)
        if of_kaggle is None:
            raise WeightsUnavailable(f"model.preset: {preset}: {origin}")
        folder = of_kaggle
    for name in (_CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise WeightsUnavailable(
                f"model.preset: {preset}: has no {name}; give kaggle:OWNER/MODEL/keras/VARIATION/VERSION, or the "
                "folder of a preset"
            )
    return WeightsFile(origin, folder / WEIGHTS)


def verified(preset: str, digest: str | None) -> Path:
    """Find the weights of a preset and check their digest.

    Args:
        preset: As in `find`.
        digest: The SHA-256 that the card states; None for a folder whose weights are used as they are.

    Returns:
        The file.

    Raises:
        ConfigError: There is no such preset, the file has another digest, or a downloaded one has no stated digest.
    """
    path = find(preset).path
    if digest is None and not preset.startswith(KAGGLE):
        return path
    actual = file_digest(path)
    if digest is None:
        raise ConfigError(
            f"model.digest: a downloaded preset needs the digest of its weights; that of {path} is {actual}: state it "
            "if you trust this file"
        )
    if actual != digest:
        raise ConfigError(
            f"{path}: these are not the weights of the card: the SHA-256 of the file is {actual}, not {digest}; remove "
            "the folder to download it again, or correct model.digest"
        )
    return path


def configuration(preset: str, backbone: str) -> dict[str, Any]:
    """Read the arguments of a backbone from a preset. Nothing that the file names is imported.

    Args:
        preset: As in `find`.
        backbone: The name of the backbone, without `Backbone`.

    Returns:
        The arguments.

    Raises:
        ConfigError: The file cannot be read, or is that of another backbone.
    """
    path = find(preset).path.with_name(_CONFIG)
    content = _document(path)
    if content.get("class_name") != f"{backbone}Backbone" or not isinstance(content.get("config"), dict):
        raise ConfigError(f"{path}: is the preset of {content.get('class_name')}, not of {backbone}Backbone")
    return dict(content["config"])


def input_scale(preset: str) -> tuple[Any, Any] | None:
    """Read how a preset converts grey levels 0..255 into the input of its network.

    Args:
        preset: As in `find`.

    Returns:
        Factor and offset, each a number or one per channel; None if the preset has no such file.

    Raises:
        ConfigError: The file cannot be read, or contains something else.
    """
    path = find(preset).path.with_name(_CONVERTER)
    if not path.is_file():
        return None
    config = _document(path).get("config", {})
    scale, offset = config.get("scale"), config.get("offset")
    for name, value in (("scale", scale), ("offset", offset)):
        numbers = value if isinstance(value, list) else [value]
        if not all(each is None or isinstance(each, int | float) for each in numbers) or len(numbers) not in (1, 3):
            raise ConfigError(f"{path}: {name} is {value!r:.60}; it must be a number, or one per channel")
    return (1.0 if scale is None else scale), (0.0 if offset is None else offset)


def _document(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it is no object")
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not a readable file of a preset: {first_line(error)}") from error
    return content


@cache
def _of_kaggle(preset: str) -> tuple[Path | None, str]:
    """The folder of a preset and its origin; or None and the reason."""
    handle = preset.removeprefix(KAGGLE)
    parts = handle.split("/")
    if len(parts) != _PARTS or not parts[-1].isdigit() or any(part in ("", ".", "..") for part in parts):
        raise ConfigError(
            f"model.preset: {preset}: give kaggle:OWNER/MODEL/keras/VARIATION/VERSION, such as "
            "kaggle:keras/dinov2/keras/dinov2_small/1; with its version, it is always the same file"
        )
    root = Path(os.environ.get("KAGGLEHUB_CACHE") or Path.home() / ".cache" / "kagglehub")
    folder = root / "models" / handle
    if all((folder / name).is_file() for name in (_CONFIG, WEIGHTS)):
        return folder, "kagglehub's cache"
    advice = "connect to the internet once, or give the folder of a preset"
    if os.environ.get("ZOO_OFFLINE"):
        return None, f"ZOO_OFFLINE forbids the download; {advice}"
    try:
        import kagglehub
    except ImportError:
        return None, "a download needs kagglehub; pip install 'zoo-bench[hub]'"
    try:
        return Path(kagglehub.model_download(handle)), "Kaggle"
    except Exception as error:  # kagglehub and its HTTP libraries raise many kinds
        return None, f"no download ({first_line(error)}); {advice}"

"""MedMNIST-style archives: arrays train_images, train_labels, val_images, ... in one .npz file."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image as Pillow

from benchmark.data.dataset import DataError, Dataset, Image, PatientFacts, Pixels
from benchmark.data.pixels import is_grey, resize

PARTS: tuple[Literal["train", "val", "test"], ...] = ("train", "val", "test")


def open_npz(path: Path) -> Dataset:
    """The data set in the archive `path`: images uint8 (n, h, w) or (n, h, w, 3), labels (n,) or (n, 1) of two kinds.

    Optional keys: `classes` (two names) and PART_patients (n,); without these every image is a patient of its own.
    Raises DataError.
    """
    try:
        with zipfile.ZipFile(path):
            pass  # np.load takes other files too
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: not a readable .npz of plain arrays: {error}") from error
    for part in PARTS:
        for kind in ("images", "labels"):
            if f"{part}_{kind}" not in arrays:
                raise DataError(f"{path}: key '{part}_{kind}' is missing; found {', '.join(sorted(arrays))}")
    values = np.unique(np.concatenate([arrays[f"{part}_labels"].reshape(-1) for part in PARTS]))
    if len(values) != 2:
        raise DataError(f"{path}: labels have {len(values)} values ({values[:8].tolist()}); two classes are needed")
    pixels: dict[str, Any] = {}
    images: list[Image] = []
    for part in PARTS:
        images += _part(path, arrays, part, values, pixels)
    names = arrays.get("classes", values)
    if len(names) != 2:
        raise DataError(f"{path}: classes has {len(names)} names; two are needed")
    grey = all(is_grey(Pillow.fromarray(array)) for array in pixels.values())
    channels: Literal[1, 3] = 1 if grey else 3

    def read(wanted: Sequence[Image], size: int) -> Pixels:
        found = [resize(Pillow.fromarray(pixels[image.name]), size, channels) for image in wanted]
        return np.stack(found) if found else np.zeros((0, size, size, channels), np.uint8)

    return Dataset(
        source=str(path),
        title=f"arrays in {path.name}",
        synthetic=False,
        classes=(str(names[0]), str(names[1])),
        images=tuple(sorted(images, key=lambda image: image.name)),
        channels=channels,
        read=read,
        patients=_patients(arrays, images),
    )


def _patients(arrays: dict[str, Any], images: Sequence[Image]) -> PatientFacts:
    told = sum(f"{image.part}_patients" in arrays for image in images)
    return PatientFacts("arrays" if told else "unknown", told, len(images))


def _part(
    path: Path,
    arrays: dict[str, Any],
    part: Literal["train", "val", "test"],
    values: Any,
    pixels: dict[str, Any],
) -> list[Image]:
    stack, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"].reshape(-1)
    if stack.dtype != np.uint8 or stack.ndim not in (3, 4) or (stack.ndim == 4 and stack.shape[-1] not in (1, 3)):
        raise DataError(
            f"{path}: {part}_images is {stack.dtype} of shape {stack.shape}; uint8 (n, h, w) or (n, h, w, 3) is needed"
        )
    patients = arrays.get(f"{part}_patients")
    if len(labels) != len(stack) or (patients is not None and len(patients) != len(stack)):
        raise DataError(f"{path}: {part}_images has {len(stack)} images, but labels or patients another number")
    if stack.ndim == 4 and stack.shape[-1] == 1:
        stack = stack[..., 0]
    if len(np.unique(labels)) < 2:
        raise DataError(f"{path}: {part}_labels holds {labels[:1].tolist()} alone; every part needs both classes")
    images = []
    for index, (image, label) in enumerate(zip(stack, labels, strict=True)):
        name = f"{part}/{index:06d}"
        pixels[name] = image
        digest = hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
        patient = name if patients is None else str(patients[index])
        images.append(Image(name, part, int(label == values[1]), patient, digest))
    return images

"""MedMNIST-style archives: arrays train_images, train_labels, val_images, ... in one .npz file."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from benchmark.data.classes import FEWEST_IMAGES, MOST_CLASSES, fewest_classes, listed
from benchmark.data.dataset import DataError, Dataset, Image, PatientFacts, Pixels
from benchmark.data.decoding.pixels import Channels, resize
from benchmark.data.levels import DEEP, Depth, Levels, Stored, check_finite, levels_of, scaled
from benchmark.data.sources.declared import beside, declared_order
from zoo.config.errors import first_line

PARTS: tuple[Literal["train", "val", "test"], ...] = ("train", "val", "test")

MOST_BYTES = 4 * 2**30
"""The most bytes that the arrays of an archive may take in memory."""

_DEPTHS: dict[str, Depth] = {
    "uint8": "8-bit",
    "uint16": "16-bit",
    "int16": "32-bit",
    "int32": "32-bit",
    "float16": "float",
    "float32": "float",
    "float64": "float",
}
_PLAIN = "biufUS"  # NumPy's kinds of numbers and strings

Arrays = dict[str, npt.NDArray[Any]]


def open_npz(path: Path) -> Dataset:
    """Open an archive in the layout of MedMNIST.

    Images are (n, h, w) or (n, h, w, 3), labels (n,) or (n, 1) with two or more values. Images of more than 8 bits are
    scaled like those of a folder. Optional keys are `classes` (a name per value, in the order of the values), `ordered`
    (whether that order is a scale) and PART_patients (n,); without patients, every image is a patient of its own.

    Args:
        path: A .npz file.

    Returns:
        The data set.

    Raises:
        DataError: The file cannot be read, or its arrays do not have these shapes.
    """
    arrays = _load(path)
    values = _values(path, arrays)
    names = _names(path, arrays, values)
    pixels: dict[str, npt.NDArray[Any]] = {}
    images: list[Image] = []
    for part in PARTS:
        images += _part(path, arrays, part, values, pixels)
    stored = _stored(path, arrays, pixels)
    channels: Channels = 3 if any(image.colour for image in stored.values()) else 1
    levels = levels_of(stored.values())
    dataset = Dataset(
        source=str(path),
        title=f"arrays in {path.name}",
        synthetic=False,
        classes=names,
        images=tuple(sorted(images, key=lambda image: image.name)),
        channels=channels,
        read=_reader(pixels, channels, levels),
        levels=levels,
        stored=stored,
        patients=_patients(arrays, images),
        ordered=_ordered(path, arrays),
    )
    return declared_order(dataset, beside(path))


def _patients(arrays: Arrays, images: Sequence[Image]) -> PatientFacts:
    labelled = sum(f"{image.part}_patients" in arrays for image in images)
    return PatientFacts("arrays" if labelled else "unknown", labelled, len(images))


def _load(path: Path) -> Arrays:
    """Read the arrays of a data set, after a check of the memory that they declare."""
    keys = {"classes", "ordered"} | {f"{part}_{kind}" for part in PARTS for kind in ("images", "labels", "patients")}
    try:
        with zipfile.ZipFile(path) as archive:
            declared: dict[str, int] = {}
            for member in archive.infolist():
                key = member.filename.removesuffix(".npy")
                if key in keys:
                    declared[key] = declared.get(key, 0) + _declared_bytes(archive, member)
        if sum(declared.values()) > MOST_BYTES:
            key = max(declared, key=lambda key: declared[key])
            raise DataError(
                f"{path}: its arrays take {_size(sum(declared.values()))}, {key} alone {_size(declared[key])}; at most "
                f"{_size(MOST_BYTES)} are read; give a folder of images"
            )
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] if key in keys else np.zeros(0) for key in file.files}
    except DataError:
        raise
    except Exception as error:  # damaged headers raise many kinds of errors, among them those of Python's tokenizer
        raise DataError(f"{path}: not a readable .npz of plain arrays: {first_line(error)}") from error


def _declared_bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """The memory of an array in bytes: the larger of the sizes by the archive and by the header of the array."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
    return max(member.file_size, math.prod(int(side) for side in shape) * dtype.itemsize)


def _size(count: int) -> str:
    step = min(int(math.log2(max(count, 1))) // 10, 6)
    return f"{count / 2 ** (10 * step):.3g} {('bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB')[step]}"


def _values(path: Path, arrays: Arrays) -> npt.NDArray[Any]:
    """The values of the labels, sorted: one per class."""
    for part in PARTS:
        for kind in ("images", "labels"):
            if f"{part}_{kind}" not in arrays:
                raise DataError(f"{path}: key '{part}_{kind}' is missing; it contains {', '.join(sorted(arrays))}")
        for key in (f"{part}_labels", f"{part}_patients"):
            _check_plain(path, arrays, key)
        _check_one_label(path, f"{part}_labels", arrays[f"{part}_labels"])
    if len({arrays[f"{part}_labels"].dtype.kind in "US" for part in PARTS}) > 1:
        raise DataError(f"{path}: labels are strings in one part and numbers in another; use one kind in all")
    values = np.unique(np.concatenate([arrays[f"{part}_labels"].reshape(-1) for part in PARTS]))
    if len(values) < fewest_classes():
        raise DataError(f"{path}: labels have {len(values)} values ({values[:8].tolist()}); two classes are needed")
    count = sum(len(arrays[f"{part}_labels"]) for part in PARTS)
    if len(values) > 2 and (count < FEWEST_IMAGES * len(values) or len(values) > MOST_CLASSES):
        raise DataError(
            f"{path}: labels have {len(values)} values for {count} images; labels must be classes, at most "
            f"{MOST_CLASSES}, with at least {FEWEST_IMAGES} images each"
        )
    return values


def _check_one_label(path: Path, key: str, labels: npt.NDArray[Any]) -> None:
    """Refuse labels with several values per image."""
    if labels.ndim == 1 or labels.shape[1:] == (1,):
        return
    shape = " x ".join(map(str, labels.shape))
    one_hot = labels.ndim == 2 and labels.dtype.kind in "biuf" and bool(((labels != 0).sum(axis=1) == 1).all())
    if labels.ndim == 2 and not one_hot:
        raise DataError(
            f"{path}: {key} has {labels.shape[1]} labels per image ({shape}); images with several labels are not "
            "supported; give one label per image, (n,) or (n, 1)"
        )
    right = f"give the index of the 1 per row: {key}.argmax(axis=1)" if one_hot else "give (n,) or (n, 1)"
    raise DataError(f"{path}: {key} has shape {labels.shape}; {right}")


def _ordered(path: Path, arrays: Arrays) -> bool:
    """Whether the archive declares that the order of its classes is a scale."""
    ordered = arrays.get("ordered")
    if ordered is None:
        return False
    if ordered.size != 1 or ordered.dtype.kind not in "biu" or ordered.reshape(-1)[0] not in (0, 1):
        raise DataError(f"{path}: ordered is {str(ordered)[:80]!r}; it must be one true or false")
    return bool(ordered.reshape(-1)[0])


def _check_plain(path: Path, arrays: Arrays, key: str) -> None:
    array = arrays.get(key)
    if array is None:
        return
    if array.dtype.kind not in _PLAIN:
        raise DataError(f"{path}: {key} is of type {str(array.dtype)[:80]}; numbers or strings are needed")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{path}: {key} contains NaN or infinite values; every image needs a finite value")
    if array.dtype.kind == "U" and not _is_unicode(array):
        raise DataError(f"{path}: {key} contains characters that do not exist in Unicode; write its strings again")


def _is_unicode(array: npt.NDArray[Any]) -> bool:
    """Whether the code points of strings exist. NumPy reads any number, and Python fails when it uses the string."""
    if not array.nbytes:
        return True
    points = np.ascontiguousarray(array).view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
    return bool(((points < 0xD800) | ((points > 0xDFFF) & (points <= 0x10FFFF))).all())


def _names(path: Path, arrays: Arrays, values: npt.NDArray[Any]) -> tuple[str, ...]:
    _check_plain(path, arrays, "classes")
    array = arrays.get("classes", values)
    if array.ndim != 1 or len(array) != len(values):
        needed = "two names" if len(values) == 2 else f"{len(values)} names, one per label ({listed(_texts(values))}),"
        raise DataError(f"{path}: classes has shape {array.shape}; {needed} are needed")
    names = _texts(array)
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None and len(names) == 2:
        raise DataError(f"{path}: classes names both '{repeated}'; two different names are needed")
    if repeated is not None:
        raise DataError(f"{path}: classes contains '{repeated}' twice; each class needs a name of its own")
    return names


def _texts(array: npt.NDArray[Any]) -> tuple[str, ...]:
    return tuple(name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name) for name in array)


def _part(
    path: Path,
    arrays: Arrays,
    part: Literal["train", "val", "test"],
    values: npt.NDArray[Any],
    pixels: dict[str, npt.NDArray[Any]],
) -> list[Image]:
    stack, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"].reshape(-1)
    first = arrays["train_images"].dtype
    if (
        stack.dtype.name not in _DEPTHS
        or stack.ndim not in (3, 4)
        or (stack.ndim == 4 and stack.shape[-1] not in (1, 3))
    ):
        raise DataError(
            f"{path}: {part}_images is {str(stack.dtype)[:80]} of shape {stack.shape}; uint8 (n, h, w) or (n, h, w, 3) "
            "is needed, or uint16, int16, int32 or floats of that shape"
        )
    if stack.dtype != first:
        raise DataError(f"{path}: {part}_images is {stack.dtype}, train_images {first}; one type is needed")
    patients = arrays.get(f"{part}_patients")
    if len(labels) != len(stack) or (patients is not None and patients.shape[:1] != stack.shape[:1]):
        raise DataError(f"{path}: {part}_images has {len(stack)} images, but labels or patients have another length")
    if not all(stack.shape):
        raise DataError(f"{path}: {part}_images has shape {stack.shape}; every image needs pixels")
    if stack.ndim == 4 and stack.shape[-1] == 1:
        stack = stack[..., 0]
    present = np.unique(labels)
    if len(values) == 2 and len(present) < 2:
        raise DataError(f"{path}: {part}_labels contains only {labels[:1].tolist()}; every part needs both classes")
    if len(present) < len(values):
        missing = listed(_texts(np.setdiff1d(values, present)))
        raise DataError(f"{path}: {part}_labels lacks {missing}; every part needs each of the {len(values)} classes")
    images = []
    for index, (image, label) in enumerate(zip(stack, labels, strict=True)):
        name = f"{part}/{index:06d}"
        pixels[name] = image
        digest = hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
        patient = name if patients is None else str(patients[index])
        images.append(Image(name, part, int(np.searchsorted(values, label)), patient, digest))
    return images


def _stored(path: Path, arrays: Arrays, pixels: dict[str, npt.NDArray[Any]]) -> dict[str, Stored]:
    dtype = arrays["train_images"].dtype.name
    stored = {}
    for name, image in pixels.items():
        try:
            check_finite(image)
        except ValueError as error:
            raise DataError(f"{path}: image {name} {error}; leave it out of the archive") from None
        low, high = float(image.min()), float(image.max())
        colour = image.ndim == 3 and not (image == image[..., :1]).all()
        height, width = image.shape[:2]
        stored[name] = Stored("npz", dtype, _DEPTHS[dtype], low, high, width, height, False, False, bool(colour))
    return stored


def _reader(pixels: dict[str, npt.NDArray[Any]], channels: Channels, levels: Levels) -> Any:
    deep = next((levels[depth] for depth in DEEP if depth in levels), None)

    def read(images: Sequence[Image], size: int) -> Pixels:
        arrays = [pixels[image.name] for image in images]
        grey = arrays if deep is None else [scaled(array, *deep) for array in arrays]
        resized = [resize(Pillow.fromarray(array), size, channels) for array in grey]
        return np.stack(resized) if resized else np.zeros((0, size, size, channels), np.uint8)

    return read

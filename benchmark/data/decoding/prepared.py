"""Pixels of a split, decoded once and shared by all runs on the same images."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmark.data.cache import cache_dir
from benchmark.data.dataset import Dataset, Image, Pixels
from benchmark.data.splits import Split
from zoo.config.atomic import atomic_folder
from zoo.config.leftovers import sweep

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
_VERSION = 2


@dataclass(frozen=True)
class LabelledImages:
    """The images of one split, in one order.

    Attributes:
        split: Name of the split.
        pixels: uint8 (n, size, size, channels).
        labels: Index of the class, int64 (n,).
        names: Name of each image.
        patients: Patient of each image.
        digests: Content digest of each image.
    """

    split: SplitName
    pixels: Pixels
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]
    patients: tuple[str, ...]
    digests: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> tuple[Image, ...]:
        """The images without their pixels, with the split as their part."""
        rows = zip(self.names, self.labels.tolist(), self.patients, self.digests, strict=True)
        return tuple(Image(name, self.split, label, patient, digest) for name, label, patient, digest in rows)


def prepare(dataset: Dataset, split: Split, size: int, root: Path | None = None) -> Path:
    """Decode the images of a split into a folder, unless the folder is complete.

    The folder is written under a temporary name and renamed, so that it is complete or absent.

    Args:
        dataset: The images.
        split: The images to decode.
        size: Side of the decoded images in pixels.
        root: Parent of the folder; by default in the cache.

    Returns:
        The folder, with a pair of files per split.

    Raises:
        DataError: An image can no longer be read.
        OSError: The folder cannot be written.
    """
    key = f"{_VERSION}:{dataset.fingerprint}:{split.fingerprint}:{size}:{dataset.channels}"
    folder = (root or cache_dir() / "prepared") / hashlib.sha256(key.encode()).hexdigest()[:24]
    for again in (True, True, False):
        if is_whole(folder) or _fill(folder, dataset, split, size, again):
            break
    return folder


def is_whole(folder: Path) -> bool:
    """Return whether `folder` contains every file of a prepared split, as it does until the cache is cleared."""
    return all((folder / f"{name}.{suffix}").is_file() for name in SPLITS for suffix in ("npy", "json"))


def _fill(folder: Path, dataset: Dataset, split: Split, size: int, again: bool) -> bool:
    """Fill `folder`. If the cache is cleared meanwhile, return False if the caller tries `again`; else raise."""
    parts: dict[SplitName, tuple[Image, ...]] = {"train": split.train, "val": split.val, "test": split.test}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder.parent)
        with atomic_folder(folder, sync=False) as building:
            for name, images in parts.items():
                pixels = dataset.read(images, size)
                np.save(building / f"{name}.npy", pixels)
                rows = [[image.name, image.patient, image.label, image.digest] for image in images]
                (building / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
            if folder.is_dir() and not is_whole(folder):
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError) and error.filename is not None
        if again and missing and Path(error.filename).is_relative_to(folder.parent):
            return False
        if not is_whole(folder):  # otherwise another process has written the same folder
            what = f"{error.strerror or error} (in the cache; ZOO_CACHE_DIR names another folder)"
            raise OSError(error.errno, what, str(folder.parent)) from error
    return True


def load(folder: Path, split: SplitName) -> LabelledImages:
    """Load one split of a prepared folder, with memory-mapped pixels."""
    rows = json.loads((folder / f"{split}.json").read_text(encoding="utf-8"))
    names, patients, labels, digests = zip(*rows, strict=True)
    pixels = np.load(folder / f"{split}.npy", mmap_mode="r", allow_pickle=False)
    return LabelledImages(split, pixels, np.asarray(labels, dtype=np.int64), names, patients, digests)


def with_names(images: LabelledImages, names: Container[str]) -> LabelledImages:
    """Select images by name.

    Args:
        images: The images of a split.
        names: The names to select; any others are left out.

    Returns:
        The selected images in the same order, with their pixels in memory.
    """
    rows = [row for row, name in enumerate(images.names) if name in names]
    chosen = [tuple(of[row] for row in rows) for of in (images.names, images.patients, images.digests)]
    return LabelledImages(images.split, images.pixels[rows], images.labels[rows], *chosen)

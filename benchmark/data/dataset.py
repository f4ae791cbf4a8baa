"""What a data source holds: images with class, patient and content digest, and how to read their pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

Part = Literal["train", "val", "test", "all"]
Pixels = npt.NDArray[np.uint8]


class DataError(ValueError):
    """The data cannot be used as asked; the message says what is wrong, where, and what would be right."""


@dataclass(frozen=True, slots=True)
class Image:
    """One labelled image.

    `name` is unique in its data set (a relative POSIX path for folders). `part` is the part the source itself put
    the image in, "all" when the source has no parts. `label` is 0 or 1, 1 being the positive class. `patient`
    groups images that are not independent. `digest` is the SHA-256 of the content, in hexadecimal.
    """

    name: str
    part: Part
    label: int
    patient: str
    digest: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A file or image that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """A labelled two-class image set.

    `classes[1]` is the positive class. `images` are sorted by name. `channels` is 1 when every image is grey, else
    3. `read(images, size)` returns uint8 pixels of shape (n, size, size, channels), in the order asked for.
    `original_size(image)` is its width and height in pixels before that, where the source knows it. `synthetic` marks
    images drawn by a program. `patient_pattern` is the pattern of file names that was asked for when it was opened.
    """

    source: str
    title: str
    synthetic: bool
    classes: tuple[str, str]
    images: tuple[Image, ...]
    channels: Literal[1, 3]
    read: Callable[[Sequence[Image], int], Pixels]
    problems: tuple[Problem, ...] = ()
    original_size: Callable[[Image], tuple[int, int]] | None = None
    patient_pattern: str | None = None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything a result can depend on: classes, names, parts, labels, patients, digests."""
        digest = hashlib.sha256("\0".join(self.classes).encode())
        for image in self.images:
            row = (image.name, image.part, str(image.label), image.patient, image.digest)
            digest.update(("\n" + "\0".join(row)).encode())
        return digest.hexdigest()

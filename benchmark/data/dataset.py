"""What a data source holds: images with class, patient and content digest, and how to read their pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmark.data.levels import Levels, Stored

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


@dataclass(frozen=True, slots=True)
class Ignored:
    """A file or folder of the source that is not read as an image, why, and how many files that are."""

    name: str
    reason: str
    files: int


@dataclass(frozen=True)
class PatientFacts:
    """Whether a data set says who its patients are.

    `origin` is what says it: file names, the folders in the class folders, arrays of an archive, the program that drew
    the images, or nothing. Of `images` so many are `told`; each of the others counts as a patient of its own.
    """

    origin: Literal["names", "folders", "arrays", "program", "unknown"]
    told: int
    images: int

    @property
    def known(self) -> bool:
        """Whether the patient of any image is known."""
        return self.origin != "unknown"

    def line(self) -> str | None:
        """What to know of it, in a line; None where the patient of every image is known."""
        if self.told == self.images:
            return None
        if self.known:
            return (
                f"patients are known for {self.told} of {self.images} images; each of the other "
                f"{self.images - self.told} counts as a patient of its own"
            )
        return "patients are not known: every image counts as a patient of its own"


@dataclass(frozen=True)
class Region:
    """Where in an image the finding can be, for a source that knows it.

    Attributes:
        name: What it shows, in the plural: "lungs".
        mask: `mask(image, size)` is True inside the region: bool (size, size).
    """

    name: str
    mask: Callable[[Image, int], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Dataset:
    """A labelled two-class image set.

    `classes[1]` is the positive class. `images` are sorted by name. `channels` is 1 when every image is grey, else
    3. `read(images, size)` returns uint8 pixels of shape (n, size, size, channels), in the order asked for.
    `original_size(image)` is its width and height in pixels before that, where the source knows it. `synthetic` marks
    images drawn by a program. `problems` are files that were left out, `ignored` what is not read as an image.
    `patients` says whether patients are known, `notes` what else to know before figures are read. `positive` is the
    class that was named as the finding, None where the order of the source decides. `test_names` is the SHA-256 of the
    sorted lines CLASS/NAME of the source's test part, joined by newlines, by which a published data set is recognised;
    `known_as` is the data set that the user declared it to be. `levels` is the scale by which `read` makes grey levels
    0..255 of deeper ones. `stored` says by name how each image is stored, where the source knows it. `patient_pattern`
    is the pattern of file names that was asked for when it was opened.
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
    ignored: tuple[Ignored, ...] = ()
    patients: PatientFacts | None = None
    notes: tuple[str, ...] = ()
    positive: str | None = None
    test_names: str | None = None
    known_as: str | None = None
    levels: Levels = field(default_factory=dict)
    stored: Mapping[str, Stored] = field(default_factory=dict)
    patient_pattern: str | None = None
    region: Region | None = None

    @property
    def unit(self) -> str:
        """What is drawn and counted as one: a patient, or an image where patients are not known."""
        return "patient" if self.patients is None or self.patients.known else "image"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything a result can depend on: classes, names, parts, labels, patients, digests, and how
        pixels are read where that is not as they are stored."""
        digest = hashlib.sha256(_bytes("\0".join(self.classes)))
        for image in self.images:
            row = (image.name, image.part, str(image.label), image.patient, image.digest)
            digest.update(_bytes("\n" + "\0".join(row)))
        if self.levels:
            digest.update(_bytes(f"\nlevels {sorted(self.levels.items())}"))
        if any(each.turned for each in self.stored.values()):
            digest.update(b"\nupright by EXIF")
        return digest.hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a name from elsewhere may hold bytes that are not UTF-8

"""What a data source contains: images with class, patient and content digest, and how to read their pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmark.data.levels import Levels, Stored
from zoo.config.errors import escaped

Part = Literal["train", "val", "test", "all"]
Pixels = npt.NDArray[np.uint8]


class DataError(ValueError):
    """The data cannot be used as requested; the message says what is wrong, where, and what would be right."""

    def __init__(self, message: str) -> None:
        """Make an error of one line, whatever it quotes.

        Args:
            message: The line.
        """
        super().__init__(escaped(message))


@dataclass(frozen=True, slots=True)
class Image:
    """One labelled image.

    Attributes:
        name: Unique in its data set; a relative POSIX path for folders.
        part: The part in which the source has the image; "all" if the source has no parts.
        label: Index of its class, from 0. Of two classes, 1 is the positive one.
        patient: The same for images that are not independent.
        digest: SHA-256 of the content, in hexadecimal.
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
    """A file or folder of the source that is not read as an image, why, and the number of files in it."""

    name: str
    reason: str
    files: int


@dataclass(frozen=True)
class PatientFacts:
    """Whether the patients of a data set are known.

    Attributes:
        origin: Where patients come from: file names, the folders in the class folders, arrays of an archive, a column
            of a manifest, the program that drew the images, or nowhere.
        told: Number of images with a known patient; each other image counts as a patient of its own.
        images: Number of all images.
    """

    origin: Literal["names", "folders", "arrays", "column", "program", "unknown"]
    told: int
    images: int

    @property
    def known(self) -> bool:
        """Whether the patient of any image is known."""
        return self.origin != "unknown"

    def line(self) -> str | None:
        """Say in one line which patients are unknown; None if all are known."""
        if self.told == self.images:
            return None
        if self.known:
            return (
                f"patients are known for {self.told} of {self.images} images; each other image counts as a patient of "
                "its own"
            )
        return "patients are not known: every image counts as a patient of its own"


@dataclass(frozen=True)
class Region:
    """Where in an image the finding can be, for a source that knows it.

    Attributes:
        name: What the region shows, in the plural: "lungs".
        mask: `mask(image, size)` is True inside the region: bool (size, size).
    """

    name: str
    mask: Callable[[Image, int], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Dataset:
    """A labelled image set of two or more classes; of one, for external validation alone.

    Attributes:
        source: The source string that opens it again.
        title: What it is, for people.
        synthetic: Whether the images are drawn by a program.
        classes: Names of the classes. Of two classes, `classes[1]` is the positive one.
        images: Sorted by name.
        channels: 1 if every image is grey, else 3.
        read: `read(images, size)` returns uint8 pixels (n, size, size, channels) in the order of `images`.
        problems: Files that were left out.
        original_size: Width and height of an image in pixels as stored, if the source knows it.
        ignored: Files and folders that are not read as images.
        patients: Whether patients are known.
        notes: What a reader should know before figures are read, one line each.
        positive: The class that the user named as positive; None if the order of the source decides.
        test_names: SHA-256 of the sorted lines CLASS/NAME of the source's test part, joined by newlines. A published
            data set is recognised by it.
        known_as: The data set that the user declared it to be.
        levels: The scale by which `read` turns deeper levels into 0..255, by bit depth.
        stored: How each image is stored, by name, if the source knows it.
        patient_pattern: The pattern for file names with which it was opened.
        region: Where a finding can be, if the source knows it.
        ordered: Whether the order of the classes is a scale, as with grades of a disease.
        attributes: Further facts about images, such as the site or the sex: by name of the fact, then of the image.
        hold_out: The images that the user held out for the test, as COLUMN=VALUE.
        files: The file of each image, by name; empty for a source without files.
    """

    source: str
    title: str
    synthetic: bool
    classes: tuple[str, ...]
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
    ordered: bool = False
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    hold_out: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """The unit that is drawn and counted: a patient, or an image if patients are not known."""
        return "patient" if self.patients is None or self.patients.known else "image"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that can decide a result.

        That is classes, names, parts, labels, patients and digests, and how pixels are read if that differs from how
        they are stored.

        Returns:
            The digest in hexadecimal.
        """
        digest = hashlib.sha256(_bytes("\0".join(self.classes)))
        for image in self.images:
            row = (image.name, image.part, str(image.label), image.patient, image.digest)
            digest.update(_bytes("\n" + "\0".join(row)))
        if self.levels:
            digest.update(_bytes(f"\nlevels {sorted(self.levels.items())}"))
        if any(file.reoriented for file in self.stored.values()):
            digest.update(b"\nupright by EXIF")
        if self.ordered:
            digest.update(b"\nordered classes")
        return digest.hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a name may contain bytes that are not UTF-8

"""The embedded data set: synthetic chest radiographs, drawn by the program and never sampled from an image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmark.data.dataset import Dataset, Image, PatientFacts, Pixels, Region
from benchmark.data.sources.phantom_anatomy import Anatomy, Pose, draw_anatomy, draw_pose, film, lungs

VERSION = 2
"""Raised when the same seed would give other pixels."""

CLASSES = ("NORMAL", "PNEUMONIA")
PATIENTS: dict[Literal["train", "val", "test"], int] = {"train": 300, "val": 66, "test": 200}
"""Patients of each part, half of them ill; each has 1 to 4 images."""


@dataclass(frozen=True)
class _Case:
    """What an image shows: the numbers of its patient and of itself, which seed everything about it."""

    patient: int
    image: int
    ill: bool
    test: bool


def open_phantom(seed: int = 0) -> Dataset:
    """Draw about 1,400 grey synthetic radiographs of 566 patients.

    The test part comes from another scanner than train and val. PNEUMONIA adds a focal or diffuse opacity inside the
    lungs, from barely visible to plain. An image depends only on `seed` and its name, and can be read at any size.

    Args:
        seed: Decides the patients and their images.

    Returns:
        The data set; its region is the lungs.
    """
    cases = _cases(seed)
    images = []
    for name, case in cases.items():
        part, label, _ = name.split("/")
        digest = hashlib.sha256(f"phantom {VERSION} {seed} {name}".encode()).hexdigest()
        known: Literal["train", "val", "test"] = "train" if part == "train" else "val" if part == "val" else "test"
        images.append(Image(name, known, CLASSES.index(label), f"p{case.patient:04d}", digest))

    def read(requested: Sequence[Image], size: int) -> Pixels:
        pixels = np.zeros((len(requested), size, size, 1), np.uint8)
        for index, image in enumerate(requested):
            pixels[index, :, :, 0] = film(*_describe(seed, cases[image.name]), size)
        return pixels

    def lung_mask(image: Image, size: int) -> npt.NDArray[np.bool_]:
        return lungs(*_describe(seed, cases[image.name]), size) > 0.5

    return Dataset(
        source="phantom",
        title="synthetic chest radiographs drawn by zoo",
        synthetic=True,
        classes=CLASSES,
        images=tuple(sorted(images, key=lambda image: image.name)),
        channels=1,
        read=read,
        patients=PatientFacts("program", len(images), len(images)),
        region=Region("lungs", lung_mask),
    )


def _cases(seed: int) -> dict[str, _Case]:
    generator = np.random.default_rng([seed, VERSION, 0])
    cases: dict[str, _Case] = {}
    patient = 0
    for part, count in PATIENTS.items():
        for number in range(count):
            ill = number % 2 == 1
            for shot in range(int(generator.integers(1, 5))):
                name = f"{part}/{CLASSES[ill]}/p{patient:04d}_{shot}.png"
                cases[name] = _Case(patient, len(cases), ill, part == "test")
            patient += 1
    return cases


def _describe(seed: int, case: _Case) -> tuple[Anatomy, Pose]:
    anatomy = draw_anatomy(np.random.default_rng([seed, VERSION, 1, case.patient]), case.ill)
    pose = draw_pose(np.random.default_rng([seed, VERSION, 2, case.image]), case.test)
    return anatomy, pose

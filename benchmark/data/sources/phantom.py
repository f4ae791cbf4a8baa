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
class _Place:
    """Where an image stands: its patient's and its own number, which seed everything about it."""

    patient: int
    image: int
    ill: bool
    test: bool


def open_phantom(seed: int = 0) -> Dataset:
    """About 1,400 synthetic radiographs of 566 patients, in train, val and a test part from another scanner.

    PNEUMONIA adds a focal or diffuse opacity inside the lungs, from barely visible to plain. An image depends on
    `seed` and its name alone, and can be read at any size; grey, one channel.
    """
    places = _places(seed)
    images = []
    for name, place in places.items():
        part, label, _ = name.split("/")
        digest = hashlib.sha256(f"phantom {VERSION} {seed} {name}".encode()).hexdigest()
        known: Literal["train", "val", "test"] = "train" if part == "train" else "val" if part == "val" else "test"
        images.append(Image(name, known, CLASSES.index(label), f"p{place.patient:04d}", digest))

    def read(wanted: Sequence[Image], size: int) -> Pixels:
        pixels = np.zeros((len(wanted), size, size, 1), np.uint8)
        for index, image in enumerate(wanted):
            pixels[index, :, :, 0] = film(*_describe(seed, places[image.name]), size)
        return pixels

    def lung_mask(image: Image, size: int) -> npt.NDArray[np.bool_]:
        return lungs(*_describe(seed, places[image.name]), size) > 0.5

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


def _places(seed: int) -> dict[str, _Place]:
    generator = np.random.default_rng([seed, VERSION, 0])
    places: dict[str, _Place] = {}
    patient = 0
    for part, count in PATIENTS.items():
        for number in range(count):
            ill = number % 2 == 1
            for shot in range(int(generator.integers(1, 5))):
                name = f"{part}/{CLASSES[ill]}/p{patient:04d}_{shot}.png"
                places[name] = _Place(patient, len(places), ill, part == "test")
            patient += 1
    return places


def _describe(seed: int, place: _Place) -> tuple[Anatomy, Pose]:
    anatomy = draw_anatomy(np.random.default_rng([seed, VERSION, 1, place.patient]), place.ill)
    pose = draw_pose(np.random.default_rng([seed, VERSION, 2, place.image]), place.test)
    return anatomy, pose

"""The images that a reader of the guides brings along."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image as Pillow

from benchmark.data.sources import open_dataset

SIDE = 32
_FOLDER_IMAGES = 80
_TABLE_IMAGES = 600
_OTHER_IMAGES = 60


def write_guide_images(folder: Path) -> None:
    """Write `my_images` with two images per patient, `labels.csv` with three sites, `new_images`, and `other_hospital`
    with darker images under other class names."""
    phantom = open_dataset("phantom")
    healthy, ill = ([image for image in phantom.images if image.label == label] for label in (0, 1))
    images = [image for pair in zip(healthy, ill, strict=False) for image in pair]
    images, elsewhere = images[:_TABLE_IMAGES], images[_TABLE_IMAGES : _TABLE_IMAGES + _OTHER_IMAGES]
    pixels = phantom.read(images, SIDE)[..., 0]
    rows = []
    for number, image in enumerate(images):
        picture = Pillow.fromarray(pixels[number])
        table_file = folder / "png" / f"{number:05d}.png"
        _save(picture, table_file)
        label = ("no finding", "finding")[image.label]
        rows.append((table_file.relative_to(folder).as_posix(), label, f"P{number:04d}", "ABC"[number // 2 % 3]))
        if number < _FOLDER_IMAGES:
            patient, shot = number // 4 * 2 + image.label, number // 2 % 2
            _save(picture, folder / "my_images" / phantom.classes[image.label] / f"p{patient:02d}_{shot}.png")
        elif number < _FOLDER_IMAGES + 2:
            _save(picture, folder / "new_images" / f"{number}.png")
    for number, dark in enumerate(phantom.read(elsewhere, SIDE)[..., 0] // 4 * 3):
        label = ("healthy", "ill")[elsewhere[number].label]
        _save(Pillow.fromarray(dark), folder / "other_hospital" / label / f"{number}.png")
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "label", "patient", "site"), *rows])


def _save(picture: Pillow.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)

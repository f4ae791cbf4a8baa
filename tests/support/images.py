"""Small image folders, archives and in-memory data sets that several test files build on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmark.data.dataset import DataError, Dataset, Image, Part, Pixels
from benchmark.data.sources import open_dataset

Row = tuple[str, Part, int, str, str]
"""Name, part, label, patient and digest of an image."""


def refusal(call: Callable[[], object]) -> str:
    """The one line with which `call` is refused."""
    with pytest.raises(DataError) as caught:
        call()
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


def noise(seed: int, side: int = 12) -> Pillow.Image:
    """A grey picture that no other seed gives."""
    return Pillow.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8))


def save(image: Pillow.Image, path: Path) -> Path:
    """`image` in `path`, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def image_folder(root: Path, counts: Mapping[str, int]) -> Path:
    """`root` with so many distinct grey PNG files in each of its folders."""
    seed = 0
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            save(noise(seed), root / folder / f"image_{index:03d}.png")
            seed += 1
    return root


def level(image: Image) -> int:
    """The grey level of an image of `in_memory`: the first two hexadecimal figures of its digest, or else 0."""
    try:
        return int(image.digest[:2], 16)
    except ValueError:
        return 0


def in_memory(rows: Iterable[Row], source: str = "memory", synthetic: bool = False) -> Dataset:
    """A data set of flat grey images."""

    def read(wanted: Sequence[Image], size: int) -> Pixels:
        pixels = np.zeros((len(wanted), size, size, 1), np.uint8)
        for index, image in enumerate(wanted):
            pixels[index] = level(image)
        return pixels

    images = tuple(sorted((Image(*row) for row in rows), key=lambda image: image.name))
    return Dataset(source, "flat images", synthetic, ("NORMAL", "PNEUMONIA"), images, 1, read)


def rows_of(part: Part, count: int, prefix: str = "") -> list[Row]:
    """`count` rows in `part`, classes in turn, each a patient and a content of its own."""
    stem = f"{prefix}{part}"
    return [(f"{stem}/{i:03d}", part, i % 2, f"{stem}-patient-{i}", f"{stem}-content-{i}") for i in range(count)]


def opened(root: Path) -> Dataset:
    """The folder as a data set."""
    return open_dataset(str(root))

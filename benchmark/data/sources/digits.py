"""The handwritten digits of scikit-learn: real images of ten classes that need no download."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow
from sklearn.datasets import load_digits

from benchmark.data.dataset import Dataset, Image, PatientFacts, Pixels
from benchmark.data.decoding.pixels import resize

SIDE = 8
_INK = 16  # the largest value of a pixel: each counts the ink in a square of 4 x 4 pixels of the scan


def open_digits() -> Dataset:
    """Open the 1,797 digits that scikit-learn contains.

    They are the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, UCI Machine
    Learning Repository), written by 13 people. Pixels 0..16 become grey levels 0..255. The archive does not say who
    wrote which digit.

    Returns:
        The data set: ten classes, 0 to 9, without parts and without patients.
    """
    archive = load_digits()
    levels = np.rint(archive.images * (255 / _INK)).astype(np.uint8)
    arrays = {f"{index:04d}": level for index, level in enumerate(levels)}
    images = tuple(
        Image(name, "all", int(label), name, hashlib.sha256(arrays[name].tobytes()).hexdigest())
        for name, label in zip(arrays, archive.target, strict=True)
    )

    def read(requested: Sequence[Image], size: int) -> Pixels:
        resized = [resize(Pillow.fromarray(arrays[image.name]), size, 1) for image in requested]
        return np.stack(resized) if resized else np.zeros((0, size, size, 1), np.uint8)

    return Dataset(
        source="digits",
        title="handwritten digits, 8 x 8 pixels, from scikit-learn (UCI Optical Recognition, test part)",
        synthetic=False,
        classes=tuple(str(name) for name in archive.target_names),
        images=images,
        channels=1,
        read=read,
        original_size=lambda image: (SIDE, SIDE),
        patients=PatientFacts("unknown", 0, len(images)),
        notes=("who wrote a digit is not known: each of the 13 writers can have digits in every part",),
    )

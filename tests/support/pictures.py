"""Pictures that differ as much as those of different patients do, and copies of them that a person calls the same."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image as Pillow
from PIL import ImageEnhance
from scipy.ndimage import gaussian_filter

from benchmark.data.dataset import Pixels


def picture(seed: int, side: int = 96) -> Pillow.Image:
    """A grey picture of soft shapes that no other seed gives."""
    field = gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), side / 24)
    levels = 120 + 40 * (field - field.mean()) / field.std()
    return Pillow.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))


def stack(pictures: list[Pillow.Image]) -> Pixels:
    """Pictures of one size as uint8 (n, height, width, 1)."""
    return np.stack([np.asarray(image) for image in pictures])[..., None]


def reencoded(image: Pillow.Image, quality: int = 40) -> Pillow.Image:
    """`image` through a JPEG file of low quality."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Pillow.open(file).convert("L")


COPIES: dict[str, Callable[[Pillow.Image], Pillow.Image]] = {
    "smaller": lambda image: image.resize((48, 48), Pillow.Resampling.BICUBIC),
    "larger": lambda image: image.resize((200, 200), Pillow.Resampling.BICUBIC),
    "brighter": lambda image: image.point([min(255, level + 25) for level in range(256)]),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.75),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.2),
    "encoded again": reencoded,
}
"""What is done to a picture, by name."""
